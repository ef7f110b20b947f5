import wgsl from '../../../../shaders/conv.matrix.wgsl';
import { type Engine, fold } from '../../../engine.ts';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import { largest, type MatrixTile, matrixColumns, splits, worthMatrices } from '../matrices.ts';
import { type GatherVariant, sharing } from '../phase.ts';

const kernel = new Kernel('conv.matrix', wgsl);

/** An implicit matrix product on tensor cores, in f16 with sums in f32; in precision f32 each operand is split in two. */
export const matrix: GatherVariant = {
  name: 'matrix',
  plan(phase) {
    const { engine, conv, positions, ci4, co4, fused, run } = phase;
    const n = matrixColumns(engine);
    if (!n || conv.window.groups > 1 || !worthMatrices('conv', ci4, co4)) return undefined;
    const tile = pickTile(engine, n, positions, sharing(phase), splits());
    if (!tile || (conv.lead && (4 * sharing(phase)) % (n * tile.SN * tile.WN) > 0)) return undefined;
    const [gx, gy] = fold(positions, 16 * tile.SM * tile.WM);
    const constants = { ...fused, LEAD: conv.lead ?? 0, CI4: ci4, CO4: co4, SPLIT: splits(), N: n, ...tile };
    const grid = [gx, gy, ceilDiv(4 * co4, n * tile.SN * tile.WN)] as const;
    return (label) => {
      using part = largest(engine, conv.x, conv.w, conv.slope, label);
      engine.run(kernel, 'gather', { ...run, bind: { ...run.bind, part }, label, constants, grid });
    };
  },
};

/**
 * The first tile that this device can hold. A split operand shares its loads among three products, so 2 x 2 matrices of 16 x 16
 * feed the cores and leave registers for both sums; without, 4 x 4 are better, once there are enough of them for a large GPU.
 */
function pickTile({ caps }: Engine, n: number, positions: number, co4: number, split: boolean): MatrixTile | undefined {
  const columns = Math.min(4, ceilDiv(co4, 4)); // of 16 channels, up to 64
  const WN = split && columns > 2 ? 2 : 1;
  const SN = (ceilDiv(columns, WN) * 16) / n;
  const halves = split ? 2 : 1;
  const most = split || positions < 2 ** 17 ? 2 : 4;
  const tiles = [
    { SM: most, WM: 4, BK: 32 },
    { SM: most, WM: 4, BK: 16 },
    { SM: 2, WM: 4 / WN, BK: 16 },
  ].map((rows) => ({ ...rows, SN, WN }));
  return tiles.find(({ SM, WM, BK }) => {
    const [bm, bn, subgroups] = [16 * SM * WM, n * SN * WN, WM * WN];
    const bytes = 2 * halves * (bm * (BK + 8) + BK * (bn + 8)) + 4 * bm + 4 * subgroups * 16 * (n + 4) + 16;
    return bytes <= caps.limits.workgroupBytes && 32 * subgroups <= caps.limits.invocations;
  });
}
