import wgsl from '../../../../shaders/conv_dw.direct.wgsl';
import { Kernel } from '../../../kernel.ts';
import { countChunks, inChunks } from '../chunks.ts';
import type { CorrelateVariant } from '../phase.ts';

const kernel = new Kernel('conv_dw.direct', wgsl);

/** The plain kernel: any window, any groups. */
export const direct: CorrelateVariant = {
  name: 'direct',
  plan(correlation) {
    const { engine, a, b, window, fused, run, out } = correlation;
    const chunks = countChunks(correlation);
    const constants = { ...fused, B: b, A: a, GROUPS: window.groups, CHUNKS: chunks };
    const threads = (out.bytes * chunks) / 16;
    return (label) =>
      inChunks(correlation, chunks, (part) =>
        engine.run(kernel, 'weight_gradient', { ...run, bind: { ...run.bind, part }, label, constants, threads }),
      );
  },
};
