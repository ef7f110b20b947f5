import productWgsl from '../../../../shaders/conv.winograd_product.wgsl';
import tiledWgsl from '../../../../shaders/conv.winograd_tiled.wgsl';
import { type Constants, Kernel } from '../../../kernel.ts';
import { knobs } from '../../../knobs.ts';
import { ceilDiv, volume } from '../geometry.ts';
import { productTile, subgroupLanes } from '../lanes.ts';
import { type GatherVariant, type Phase, sharing } from '../phase.ts';
import { dealTiles, eachChunk, PLACES, rowGrid, transformInput, transforms } from '../tiles.ts';

/** Products of four channels that a lane keeps in registers. */
const PRODUCTS = 16;

/** A kernel that multiplies transformed tiles with transformed filters and returns to pixels. */
interface Product {
  readonly kernel: Kernel;
  readonly subgroups: boolean;
  /** Its own consts, the tiles of a workgroup, and the blocks of output channels; `sharing` of them read the same inputs. */
  shape(ci4: number, co4: number, sharing: number): { constants: Constants; tiles: number; blocks: number };
}

/** Lanes along channels, input handed on by shuffles. */
const shuffled: Product = {
  kernel: new Kernel('conv.winograd_product', productWgsl),
  subgroups: true,
  shape(_, co4, sharing) {
    const LC = subgroupLanes(sharing);
    const REGS = PRODUCTS / LC;
    return { constants: { LC, REGS }, tiles: 8 * REGS, blocks: ceilDiv(co4, LC) };
  },
};

/** Matrix products with workgroup tiles. */
const tiled: Product = {
  kernel: new Kernel('conv.winograd_tiled', tiledWgsl),
  subgroups: false,
  shape(ci4, co4, sharing) {
    const { TX, TY, BK4 } = productTile(ci4, sharing);
    return { constants: { TX, TY, BK4 }, tiles: 4 * TY, blocks: ceilDiv(co4, 2 * TX) };
  },
};

const variant = (name: string, product: Product): GatherVariant => ({
  name,
  plan(phase) {
    const { engine, conv, axes, batch, ci4, co4, run } = phase;
    const [d, h, w] = axes;
    const { limits, subgroupSize } = engine.caps;
    const SPAN = conv.lead ? 3 : 4; // frequencies along an axis: two taps that begin in one of two places leave one zero
    const plane = [h, w].every(({ taps, is, offStep }) => taps === SPAN - 1 && is === 1 && offStep === 1);
    if (conv.window.groups > 1 || !plane || d.taps === 0 || !wanted(name, phase)) return undefined;
    if (product.subgroups && subgroupSize[0] < 8) return undefined;
    const src = [...volume(conv.x.shape), batch];
    const rowBytes = PLACES * src[0] * ceilDiv(w.grid, 2) * ci4 * 16;
    const tiles = dealTiles(engine, batch, h.grid, w.grid, rowBytes);
    const shape = product.shape(ci4, co4, sharing(phase));
    const grid = (count: number) => [ceilDiv(count * tiles.across, shape.tiles) * shape.blocks, d.grid] as const;
    const grids = [...rowGrid(tiles.across, ci4, tiles.chunk, src[0]), ...grid(tiles.chunk)];
    const filterBytes = d.taps * PLACES * ci4 * 4 * co4 * 16;
    if (Math.max(rowBytes, filterBytes) > limits.bindingBytes || grids.some((n) => n > limits.workgroupsPerDimension))
      return undefined;
    const { SLOPES, ...stored } = phase.fused;
    const operands = { CI4: ci4, CO4: co4, R: stored.R, LEAD: conv.lead ?? 0, SPAN };
    return (label) => {
      const { x, w: filter, slope, bias, residual, out } = run.bind;
      using u = engine.raw(filterBytes);
      using v = engine.raw(tiles.chunk * rowBytes);
      engine.run(transforms, 'filter_transform', {
        bind: { w: filter, u },
        uniforms: { ...run.uniforms, tiles: 0 },
        constants: operands,
        threads: u.bytes / 16 / PLACES,
        label: `${label} filter`,
      });
      eachChunk(tiles, (chunk, count) => {
        const uniforms = { ...run.uniforms, src, tiles: chunk };
        transformInput(engine, { x, slope, v }, ci4, Number(SLOPES), uniforms, label);
        engine.run(product.kernel, 'product', {
          bind: { u, v, bias, residual, out },
          uniforms,
          constants: { ...stored, ...operands, ...shape.constants },
          grid: grid(count),
          label,
          flops: (run.flops * count) / tiles.rows,
        });
      });
    };
  },
});

/**
 * Winograd's F(2x2, 3x3): filters of 3 rows and 3 columns and any depth, without stride or holes in the plane. This one is
 * for adapters with subgroups: software adapters take it by themselves, hardware where the tuner measured it. Operations are
 * reported as those of the direct algorithm, 2.25 times what is multiplied, so that rates compare. Rounding errors come of
 * whole tiles: from 8 channels on they are about those of direct sums, in corners up to twice; see `winograd.test.ts`.
 * Transposed convolutions whose kernels are two strides long, as one convolution before a pixel shuffle, take 9 products.
 */
export const winograd = variant('winograd', shuffled);

/** The same for GPUs, where the tuner measured it. */
export const winogradTiled = variant('winograd_tiled', tiled);

/** Asked for, or worth its transforms: each transformed input meets enough filters, and each filter enough tiles. */
function wanted(name: string, { engine, conv, axes, positions }: Phase): boolean {
  if (knobs.kernel.conv === name) return true;
  const known = engine.choices.conv?.includes(name) || (engine.caps.fallback && name === 'winograd');
  return known && conv.ci >= 8 && conv.co * axes[0].taps >= 48 && positions >= 1024;
}
