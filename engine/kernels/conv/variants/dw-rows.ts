import wgsl from '../../../../shaders/conv_dw.rows.wgsl';
import { Kernel } from '../../../kernel.ts';
import { padded } from '../../../tensor.ts';
import { countChunks, inChunks } from '../chunks.ts';
import { dealLanes, divisor, TILE_BYTES } from '../lanes.ts';
import type { CorrelateVariant } from '../phase.ts';

const kernel = new Kernel('conv_dw.rows', wgsl);

/** Lanes along dense's channels, a row of taps in registers: for software adapters. */
export const rows: CorrelateVariant = {
  name: 'rows',
  plan(correlation) {
    const { engine, dense, window, a, b, fused, run } = correlation;
    const [kd, kh, kw] = window.kernel;
    const width = dense.shape.at(-1)!;
    const lanes = dealLanes(a);
    const b4 = padded(b) / 4;
    const P = width <= 8 ? 8 : width <= 16 ? 16 : 24; // positions of a row that lie in workgroup memory at a time
    const inner = divisor(b4, Math.max(1, Math.floor(8 / kw)));
    const together = b4 === 1 && kh * kw <= 9 ? kh : 1; // rows of taps
    const tile = (P - 1) * window.stride[2] + (kw - 1) * window.dilation[2] + 1;
    if (window.groups > 1 || kw > 9 || tile * together * inner * 16 > TILE_BYTES) return undefined;
    const chunks = countChunks(correlation);
    const constants = {
      ...fused,
      V: lanes.V,
      REAL: Math.min(b, 4),
      XC4: b4,
      AV: lanes.count,
      LANES: lanes.lanes,
      B4: inner,
      TAPS: kw,
      TAPS_H: together,
      P,
      TILE: tile,
      CHUNKS: chunks,
    };
    const grid = [(kd * kh) / together, (b4 / inner) * lanes.blocks, chunks] as const;
    return (label) =>
      inChunks(correlation, chunks, (part) =>
        engine.run(kernel, 'weight_gradient', { ...run, bind: { ...run.bind, part }, label, constants, grid }),
      );
  },
};
