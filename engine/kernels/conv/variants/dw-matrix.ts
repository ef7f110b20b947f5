import wgsl from '../../../../shaders/conv_dw.matrix.wgsl';
import type { Engine } from '../../../engine.ts';
import { Kernel } from '../../../kernel.ts';
import { padded } from '../../../tensor.ts';
import { countChunks, inChunks } from '../chunks.ts';
import { ceilDiv } from '../geometry.ts';
import { largest, type MatrixTile, matrixColumns, splits, worthMatrices } from '../matrices.ts';
import type { CorrelateVariant } from '../phase.ts';

const kernel = new Kernel('conv_dw.matrix', wgsl);

/** A matrix product on tensor cores, in f16 with sums in f32; in precision f32 each operand is split in two. */
export const matrix: CorrelateVariant = {
  name: 'matrix',
  plan(correlation) {
    const { engine, window, taps, a, b, x, dense, slope, fused, run } = correlation;
    const [b4, a4] = [padded(b) / 4, padded(a) / 4];
    const n = matrixColumns(engine);
    if (!n || window.groups > 1 || !worthMatrices('conv_dw', b4, a4)) return undefined;
    const tile = pickTile(engine, n, b4, a4, splits());
    if (!tile) return undefined;
    const chunks = countChunks(correlation);
    const constants = { ...fused, XC4: b4, A4: a4, CHUNKS: chunks, SPLIT: splits(), N: n, ...tile };
    const blocks = ceilDiv(4 * b4, 16 * tile.SM * tile.WM) * ceilDiv(4 * a4, n * tile.SN * tile.WN);
    return (label) => {
      using magnitudes = largest(engine, x, dense, slope, label);
      inChunks(correlation, chunks, (part) =>
        engine.run(kernel, 'weight_gradient', {
          ...run,
          bind: { ...run.bind, magnitudes, part },
          label,
          constants,
          grid: [taps, blocks, chunks],
        }),
      );
    };
  },
};

/** The first tile that this device can hold, up to 64 x 64 weights; subgroups without weights of their own share positions. */
function pickTile(
  { caps }: Engine,
  n: number,
  b4: number,
  a4: number,
  split: boolean,
): (MatrixTile & { WK: number }) | undefined {
  const [rows, columns] = [Math.min(4, ceilDiv(b4, 4)), Math.min(4, ceilDiv(a4, 4))]; // of 16 channels
  const halves = split ? 2 : 1;
  // Matrices of a subgroup along an axis; two sums to a result leave no registers for more than two.
  const tiles = (split ? [2] : [4, 2]).flatMap((most) => {
    const [SM, SN] = [Math.min(most, rows), (Math.min(most, columns) * 16) / n];
    const [WM, WN] = [ceilDiv(rows, most), ceilDiv(columns, most)];
    return [64, 32, 16].map((BK) => ({ SM, SN, WM, WN, WK: 4 / (WM * WN), BK }));
  });
  tiles.push({ ...tiles[tiles.length - 1], WK: 1 });
  return tiles.find(({ SM, SN, WM, WN, WK, BK }) => {
    const [bm, bn, subgroups] = [16 * SM * WM, n * SN * WN, WM * WN * WK];
    const bytes = 2 * halves * BK * (bm + bn + 16) + 4 * BK + 4 * subgroups * 16 * (n + 4) + 16;
    const fits = bytes <= caps.limits.workgroupBytes && 32 * subgroups <= caps.limits.invocations;
    return BK >= 16 * WK && fits;
  });
}
