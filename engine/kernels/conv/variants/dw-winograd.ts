import wgsl from '../../../../shaders/conv_dw.winograd.wgsl';
import { Kernel } from '../../../kernel.ts';
import { knobs } from '../../../knobs.ts';
import { padded, size } from '../../../tensor.ts';
import { ceilDiv, volume } from '../geometry.ts';
import type { CorrelateVariant, Correlation } from '../phase.ts';
import { dealTiles, eachChunk, PLACES, rowGrid, transformInput } from '../tiles.ts';

const kernel = new Kernel('conv_dw.winograd', wgsl);

/** Channels of x / 4 whose sums a lane keeps in registers, at most. */
const CHANNELS4 = 8;
/** Tiles that one workgroup adds, about. */
const TILES = 512;

/**
 * The weight gradient of a convolution by Winograd's F(2x2, 3x3), for the windows, adapters and with the count of operations
 * of the variant of that name in `winograd.ts`.
 */
export const winograd: CorrelateVariant = {
  name: 'winograd',
  plan(correlation) {
    const { engine, x, dense, window, a, b, fused, out, run } = correlation;
    const { limits, subgroupSize } = engine.caps;
    const plane = [1, 2].every((i) => window.kernel[i] === 3 && window.stride[i] === 1 && window.dilation[i] === 1);
    if (window.groups > 1 || !plane || subgroupSize[0] < 8 || !wanted(correlation)) return undefined;
    const [b4, a4] = [padded(b) / 4, padded(a) / 4];
    const src = [...volume(x.shape), x.shape[0]];
    const [frames, h, w] = volume(dense.shape);
    const across = ceilDiv(w, 2);
    const bytesX = PLACES * src[0] * across * b4 * 16;
    const bytesDense = PLACES * frames * across * a4 * 16;
    const tiles = dealTiles(engine, src[3], h, w, Math.max(bytesX, bytesDense));
    const LA = a4 > 4 ? 8 : a4 > 2 ? 4 : 2;
    const BN = ceilDiv(b4, ceilDiv(b4, CHANNELS4));
    const PARTS = (ceilDiv(tiles.chunk * across, TILES * (8 / LA)) * 8) / LA;
    const constants = { XC4: b4, A4: a4, LA, BN, PARTS };
    const [taps] = window.kernel;
    const partBytes = taps * PLACES * b4 * 4 * a4 * 16;
    const grid = [taps * PLACES, ceilDiv(b4, BN) * ceilDiv(a4, LA), (PARTS * LA) / 8] as const;
    const denseGrid = (count: number) => rowGrid(across, a4, count, frames);
    const grids = [...rowGrid(across, b4, tiles.chunk, src[0]), ...denseGrid(tiles.chunk), ...grid];
    const buffers = [bytesX, bytesDense, PARTS * partBytes];
    if (buffers.some((bytes) => bytes > limits.bindingBytes)) return undefined;
    if (grids.some((n) => n > limits.workgroupsPerDimension)) return undefined;
    return (label) => {
      const { x, slope, dense } = run.bind;
      using v = engine.raw(tiles.chunk * bytesX);
      using e = engine.raw(tiles.chunk * bytesDense);
      using part = engine.raw(PARTS * partBytes);
      eachChunk(tiles, (chunk, count) => {
        const uniforms = { ...run.uniforms, src, tiles: chunk };
        transformInput(engine, { x, slope, v }, b4, Number(fused.SLOPES), uniforms, label);
        const denseRun = { bind: { dense, e }, uniforms, constants, grid: denseGrid(count), label: `${label} dense` };
        engine.run(kernel, 'dense_transform', denseRun);
        const flops = (run.flops * count) / tiles.rows;
        engine.run(kernel, 'product', { bind: { v, e, part }, uniforms, constants, grid, label, flops });
      });
      engine.run(kernel, 'filter_gradient', {
        bind: { part, out },
        uniforms: { ...run.uniforms, tiles: 0 },
        constants,
        threads: taps * b4 * 4 * a4,
        label: `${label} filter`,
      });
    };
  },
};

/** Asked for, or worth its transforms: their work grows with a + b, what is saved with taps·a·b, for each of enough tiles. */
function wanted({ engine, dense, window, a, b }: Correlation): boolean {
  if (knobs.kernel.conv_dw === 'winograd') return true;
  const known = engine.caps.fallback || engine.choices.conv_dw?.includes('winograd');
  const positions = dense.shape[0] * size(volume(dense.shape));
  return Boolean(known) && window.kernel[0] * a * b >= 16 * (a + b) && positions >= 1024;
}
