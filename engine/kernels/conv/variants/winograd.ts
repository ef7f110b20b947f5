import wgsl from '../../../../shaders/conv.winograd_product.wgsl';
import { Kernel } from '../../../kernel.ts';
import { knobs } from '../../../knobs.ts';
import { ceilDiv, volume } from '../geometry.ts';
import type { GatherVariant, Phase } from '../phase.ts';
import { dealTiles, eachChunk, PLACES, rowGrid, transformInput, transforms } from '../tiles.ts';

const products = new Kernel('conv.winograd_product', wgsl);

/** Products of four channels that a lane keeps in registers. */
const PRODUCTS = 16;

/**
 * Winograd's F(2x2, 3x3): filters of 3 rows and 3 columns and any depth, without stride or holes in the plane. For adapters
 * with subgroups; of those, software adapters take it by themselves, hardware when the tuner found it faster. Its operations
 * are reported as those of the direct algorithm, 2.25 times what it multiplies, so that rates compare.
 */
export const winograd: GatherVariant = {
  name: 'winograd',
  plan(phase) {
    const { engine, conv, axes, batch, ci4, co4, run } = phase;
    const [d, h, w] = axes;
    const { limits, subgroupSize } = engine.caps;
    const plane = [h, w].every(({ taps, is, offStep }) => taps === 3 && is === 1 && offStep === 1);
    if (conv.window.groups > 1 || !plane || d.taps === 0 || subgroupSize[0] < 8 || !wanted(phase)) return undefined;
    const src = [...volume(conv.x.shape), batch];
    const rowBytes = PLACES * src[0] * ceilDiv(w.grid, 2) * ci4 * 16;
    const tiles = dealTiles(engine, batch, h.grid, w.grid, rowBytes);
    const LC = co4 > 4 ? 8 : co4 > 2 ? 4 : 2;
    const REGS = PRODUCTS / LC;
    const blocks = ceilDiv(co4, LC);
    const grid = (count: number) => [ceilDiv(count * tiles.across, 8 * REGS) * blocks, d.grid] as const;
    const grids = [...rowGrid(tiles.across, ci4, tiles.chunk, src[0]), ...grid(tiles.chunk)];
    if (rowBytes > limits.bindingBytes || grids.some((n) => n > limits.workgroupsPerDimension)) return undefined;
    const { SLOPES, ...stored } = phase.fused;
    const operands = { CI4: ci4, CO4: co4 };
    return (label) => {
      const { x, w: filter, slope, bias, residual, out } = run.bind;
      using u = engine.raw(d.taps * PLACES * ci4 * 4 * co4 * 16);
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
        engine.run(products, 'product', {
          bind: { u, v, bias, residual, out },
          uniforms,
          constants: { ...stored, ...operands, LC, REGS },
          grid: grid(count),
          label,
          flops: (run.flops * count) / tiles.rows,
        });
      });
    };
  },
};

/** Asked for, or worth its transforms: each transformed input meets enough filters, and each filter enough tiles. */
function wanted({ engine, conv, axes, positions }: Phase): boolean {
  if (knobs.kernel.conv === 'winograd') return true;
  const known = engine.caps.fallback || engine.choices.conv?.includes('winograd');
  return Boolean(known) && conv.ci >= 8 && conv.co * axes[0].taps >= 48 && positions >= 1024;
}
