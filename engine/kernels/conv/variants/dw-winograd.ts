import transformsWgsl from '../../../../shaders/conv_dw.winograd.wgsl';
import productWgsl from '../../../../shaders/conv_dw.winograd_product.wgsl';
import tiledWgsl from '../../../../shaders/conv_dw.winograd_tiled.wgsl';
import { type Constants, Kernel } from '../../../kernel.ts';
import { knobs } from '../../../knobs.ts';
import { padded, size } from '../../../tensor.ts';
import { ceilDiv, volume } from '../geometry.ts';
import { subgroupLanes } from '../lanes.ts';
import type { CorrelateVariant, Correlation } from '../phase.ts';
import { dealTiles, eachChunk, PLACES, rowGrid, transformInput } from '../tiles.ts';

const transforms = new Kernel('conv_dw.winograd', transformsWgsl);
/** Channels of x / 4 whose sums a lane keeps in registers, at most. */
const CHANNELS4 = 8;
/** Tiles that one workgroup adds, about. */
const TILES = 512;

/** A kernel that sums the products of transformed tiles. */
interface Product {
  readonly kernel: Kernel;
  readonly subgroups: boolean;
  /** Its own consts, blocks of pairs of channels, and parts of the sum that a workgroup makes. */
  shape(b4: number, a4: number): { constants: Constants; blocks: number; parts: number };
}

/** Lanes along channels, x handed on by shuffles. */
const shuffled: Product = {
  kernel: new Kernel('conv_dw.winograd_product', productWgsl),
  subgroups: true,
  shape(b4, a4) {
    const LA = subgroupLanes(a4);
    const BN = ceilDiv(b4, ceilDiv(b4, CHANNELS4));
    return { constants: { LA, BN }, blocks: ceilDiv(b4, BN) * ceilDiv(a4, LA), parts: 8 / LA };
  },
};

/** Matrix products with workgroup tiles. */
const tiled: Product = {
  kernel: new Kernel('conv_dw.winograd_tiled', tiledWgsl),
  subgroups: false,
  shape: (b4, a4) => ({ constants: {}, blocks: ceilDiv(b4, 16) * ceilDiv(a4, 16), parts: 1 }),
};

const variant = (name: string, product: Product): CorrelateVariant => ({
  name,
  plan(correlation) {
    const { engine, x, dense, window, a, b, fused, out, run } = correlation;
    const { limits, subgroupSize } = engine.caps;
    const plane = [1, 2].every((i) => window.kernel[i] === 3 && window.stride[i] === 1 && window.dilation[i] === 1);
    if (window.groups > 1 || !plane || !wanted(name, correlation)) return undefined;
    if (product.subgroups && subgroupSize[0] < 8) return undefined;
    const [b4, a4] = [padded(b) / 4, padded(a) / 4];
    const src = [...volume(x.shape), x.shape[0]];
    const [frames, h, w] = volume(dense.shape);
    const across = ceilDiv(w, 2);
    const bytesX = PLACES * src[0] * across * b4 * 16;
    const bytesDense = PLACES * frames * across * a4 * 16;
    const tiles = dealTiles(engine, src[3], h, w, Math.max(bytesX, bytesDense));
    const { constants: own, blocks, parts } = product.shape(b4, a4);
    const splits = ceilDiv(tiles.chunk * across, TILES * parts);
    const [taps] = window.kernel;
    const constants = { XC4: b4, A4: a4, PARTS: splits * parts };
    const partBytes = constants.PARTS * taps * PLACES * b4 * 4 * a4 * 16;
    const grid = [taps * PLACES, blocks, splits] as const;
    const denseGrid = (count: number) => rowGrid(across, a4, count, frames);
    const grids = [...rowGrid(across, b4, tiles.chunk, src[0]), ...denseGrid(tiles.chunk), ...grid];
    if ([bytesX, bytesDense, partBytes].some((bytes) => bytes > limits.bindingBytes)) return undefined;
    if (grids.some((n) => n > limits.workgroupsPerDimension)) return undefined;
    return (label) => {
      const { x, slope, dense } = run.bind;
      using v = engine.raw(tiles.chunk * bytesX);
      using e = engine.raw(tiles.chunk * bytesDense);
      using part = engine.raw(partBytes);
      eachChunk(tiles, (chunk, count) => {
        const uniforms = { ...run.uniforms, src, tiles: chunk };
        transformInput(engine, { x, slope, v }, b4, Number(fused.SLOPES), uniforms, label);
        engine.run(transforms, 'dense_transform', {
          bind: { dense, e },
          uniforms,
          constants,
          grid: denseGrid(count),
          label: `${label} dense`,
        });
        engine.run(product.kernel, 'product', {
          bind: { v, e, part },
          uniforms,
          constants: { ...constants, ...own },
          grid,
          label,
          flops: (run.flops * count) / tiles.rows,
        });
      });
      engine.run(transforms, 'filter_gradient', {
        bind: { part, out },
        uniforms: { ...run.uniforms, src, tiles: 0 },
        constants,
        threads: taps * b4 * 4 * a4,
        label: `${label} filter`,
      });
    };
  },
});

/**
 * The weight gradient of a convolution by Winograd's F(2x2, 3x3), for the windows, adapters and with the count of operations
 * of the variants of these names in `winograd.ts`.
 */
export const winograd = variant('winograd', shuffled);
export const winogradTiled = variant('winograd_tiled', tiled);

/** Asked for, or worth its transforms: their work grows with a + b, what is saved with taps·a·b, for each of enough tiles. */
function wanted(name: string, { engine, dense, window, a, b }: Correlation): boolean {
  if (knobs.kernel.conv_dw === name) return true;
  const known = engine.choices.conv_dw?.includes(name) || (engine.caps.fallback && name === 'winograd');
  const positions = dense.shape[0] * size(volume(dense.shape));
  return known && window.kernel[0] * a * b >= 16 * (a + b) && positions >= 1024;
}
