import wgsl from '../../../../shaders/conv_dw.subgroup.wgsl';
import { Kernel } from '../../../kernel.ts';
import { padded } from '../../../tensor.ts';
import { countChunks, inChunks } from '../chunks.ts';
import { ceilDiv } from '../geometry.ts';
import { divisor, subgroupLanes } from '../lanes.ts';
import type { CorrelateVariant } from '../phase.ts';

const kernel = new Kernel('conv_dw.subgroup', wgsl);

/** Lanes of a subgroup along channels of both sides, x handed on by shuffles: for adapters with subgroups of eight. */
export const subgroup: CorrelateVariant = {
  name: 'subgroup',
  plan(correlation) {
    const { engine, window, taps, a, b, fused, run } = correlation;
    const [smallest, largest] = engine.caps.subgroupSize;
    if (window.groups > 1 || smallest !== 8 || largest !== 8) return undefined;
    const [b4, a4] = [padded(b) / 4, padded(a) / 4];
    const LA = subgroupLanes(a4);
    const REAL = Math.min(b, 4);
    const most = REAL === 4 ? 8 : 9; // values of x that a lane holds, each with a vec4 of sums for each of its channels
    const TAPS = divisor(taps, most);
    const LB = 2 ** Math.min(Math.ceil(Math.log2(b4)), Math.log2(8 / LA));
    const along = ceilDiv(b4, LB);
    const BN = ceilDiv(along, ceilDiv(along, Math.floor(most / TAPS)));
    const LP = 8 / (LA * LB);
    const chunks = ceilDiv(countChunks(correlation), LP) * LP;
    const constants = {
      ...fused,
      X: b === 1 ? 'f32' : 'vec4f',
      REAL,
      XC4: b4,
      A4: a4,
      LA,
      LB,
      LP,
      BN,
      TAPS,
      CHUNKS: chunks,
    } as const;
    const grid = [taps / TAPS, ceilDiv(b4, LB * BN) * ceilDiv(a4, LA), chunks / LP] as const;
    return (label) =>
      inChunks(correlation, chunks, (part) =>
        engine.run(kernel, 'weight_gradient', { ...run, bind: { ...run.bind, part }, label, constants, grid }),
      );
  },
};
