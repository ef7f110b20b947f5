import transformsWgsl from '../../../../shaders/conv.winograd.wgsl';
import productWgsl from '../../../../shaders/conv.winograd_product.wgsl';
import { WORKGROUP } from '../../../engine.ts';
import { Kernel } from '../../../kernel.ts';
import { knobs } from '../../../knobs.ts';
import { ceilDiv, volume } from '../geometry.ts';
import type { GatherVariant, Phase } from '../phase.ts';

const transforms = new Kernel('conv.winograd', transformsWgsl);
const products = new Kernel('conv.winograd_product', productWgsl);

/** Frequencies of a tile: 4 x 4. */
const PLACES = 16;
/** Neighbouring tiles whose input an invocation transforms. */
const ACROSS = 2;
/** Products of four channels that a lane keeps in registers. */
const PRODUCTS = 16;
/** Transformed input that is held at a time: small enough for a processor's caches, large enough to fill a GPU. */
const CACHED_BYTES = 2 ** 21;
const FILLING_BYTES = 2 ** 26;

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
    const { limits, fallback, subgroupSize } = engine.caps;
    const plane = [h, w].every(({ taps, is, offStep }) => taps === 3 && is === 1 && offStep === 1);
    if (conv.window.groups > 1 || !plane || d.taps === 0 || subgroupSize[0] < 8 || !wanted(phase)) return undefined;
    const [frames] = volume(conv.x.shape);
    const tiles = [ceilDiv(h.grid, 2), ceilDiv(w.grid, 2)] as const;
    const rows = batch * tiles[0];
    const rowBytes = PLACES * frames * tiles[1] * ci4 * 16;
    const most = Math.min(fallback ? CACHED_BYTES : FILLING_BYTES, limits.bindingBytes);
    const chunks = ceilDiv(rows, Math.max(1, Math.floor(most / rowBytes)));
    const chunk = ceilDiv(rows, chunks);
    const LC = co4 > 4 ? 8 : co4 > 2 ? 4 : 2;
    const REGS = PRODUCTS / LC;
    const grids = (count: number) => ({
      input: [ceilDiv(ceilDiv(tiles[1], ACROSS) * ci4, WORKGROUP), count, frames] as const,
      product: [ceilDiv(count * tiles[1], 8 * REGS) * ceilDiv(co4, LC), d.grid] as const,
    });
    const { input, product } = grids(chunk);
    const fits = [...input, ...product].every((size) => size <= limits.workgroupsPerDimension);
    if (!fits || rowBytes > limits.bindingBytes) return undefined;
    const { SLOPES, ...stored } = phase.fused;
    const operands = { CI4: ci4, CO4: co4 };
    const constants = { ...stored, ...operands, LC, REGS };
    return (label) => {
      const { x, w: filter, slope, bias, residual, out } = run.bind;
      using u = engine.raw(d.taps * PLACES * ci4 * 4 * co4 * 16);
      using v = engine.raw(chunk * rowBytes);
      engine.run(transforms, 'filter_transform', {
        bind: { w: filter, u },
        uniforms: { ...run.uniforms, tiles: [...tiles, 0, rows] },
        constants: operands,
        threads: u.bytes / 16 / PLACES,
        label: `${label} filter`,
      });
      for (let first = 0; first < rows; first += chunk) {
        const count = Math.min(chunk, rows - first);
        const uniforms = { ...run.uniforms, tiles: [...tiles, first, count] };
        const grid = grids(count);
        engine.run(transforms, 'input_transform', {
          bind: { x, slope, v },
          uniforms,
          constants: { ...operands, SLOPES, ACROSS },
          grid: grid.input,
          label: `${label} input`,
        });
        engine.run(products, 'product', {
          bind: { u, v, bias, residual, out },
          uniforms,
          constants,
          grid: grid.product,
          label,
          flops: (run.flops * count) / rows,
        });
      }
    };
  },
};

/** Asked for, or worth its transforms: each transformed input meets enough filters, and each filter enough tiles. */
function wanted({ engine, conv, axes, positions }: Phase): boolean {
  if (knobs.kernel.conv === 'winograd') return true;
  const known = engine.caps.fallback || engine.choices.conv?.includes('winograd');
  return Boolean(known) && conv.ci >= 8 && conv.co * axes[0].taps >= 48 && positions >= 1024;
}
