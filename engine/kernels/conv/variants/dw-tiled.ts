import wgsl from '../../../../shaders/conv_dw.tiled.wgsl';
import { Kernel } from '../../../kernel.ts';
import { padded } from '../../../tensor.ts';
import { countChunks, inChunks } from '../chunks.ts';
import { ceilDiv } from '../geometry.ts';
import type { CorrelateVariant } from '../phase.ts';

const kernel = new Kernel('conv_dw.tiled', wgsl);

/** A matrix product with workgroup tiles: for GPUs. */
export const tiled: CorrelateVariant = {
  name: 'tiled',
  plan(correlation) {
    const { engine, window, taps, a, b, fused, run } = correlation;
    if (window.groups > 1) return undefined;
    const [b4, a4] = [padded(b) / 4, padded(a) / 4];
    const chunks = countChunks(correlation);
    const constants = { ...fused, XC4: b4, A4: a4, CHUNKS: chunks };
    const grid = [taps, ceilDiv(b4, 16) * ceilDiv(a4, 16), chunks] as const;
    return (label) =>
      inChunks(correlation, chunks, (part) =>
        engine.run(kernel, 'weight_gradient', { ...run, bind: { ...run.bind, part }, label, constants, grid }),
      );
  },
};
