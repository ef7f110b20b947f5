import wgsl from '../../../../shaders/conv.strip.wgsl';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import type { GatherVariant } from '../phase.ts';

const kernel = new Kernel('conv.strip', wgsl);

/** Positions of a row that an invocation computes. */
const STRIP = 8;

/** Lanes along positions, for at most four output channels. */
export const strip: GatherVariant = {
  name: 'strip',
  plan({ engine, conv: { ci, co, window }, axes: [d, h, w], batch, ci4, co4, fused: { R, ...fused }, run }) {
    if (window.groups > 1 || co4 > 1 || R > 1 || w.is > 1 || w.offStep > 1 || w.taps === 0) return undefined;
    const one = co === 1;
    const constants = {
      ...fused,
      V: one ? 'f32' : 'vec4f',
      PITCH: one ? 4 : 1,
      REAL: Math.min(ci, 4),
      CI4: ci4,
      TAPS: w.taps,
      P: STRIP,
    } as const;
    const threads = batch * d.grid * h.grid * ceilDiv(w.grid, STRIP);
    return (label) => engine.run(kernel, 'gather', { ...run, label, constants, threads });
  },
};
