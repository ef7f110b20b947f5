import transformsWgsl from '../../../../shaders/conv.winograd.wgsl';
import productWgsl from '../../../../shaders/conv.winograd_product.wgsl';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import { dealLanes } from '../lanes.ts';
import type { GatherVariant, Phase } from '../phase.ts';

const transforms = new Kernel('conv.winograd', transformsWgsl);
const products = new Kernel('conv.winograd_product', productWgsl);

export const lab = { bytes: 4 << 20, steps: 2 };

export const winograd: GatherVariant = {
  name: 'winograd',
  plan(phase) {
    const { engine, conv, axes: [d, h, w], batch, ci4, co4, fused, run } = phase;
    const lanes = dealLanes(conv.co);
    const tiles = [ceilDiv(h.grid, 2), ceilDiv(w.grid, 2)];
    const frames = run.uniforms.src[0];
    const rowBytes = 16 * 16 * frames * tiles[1] * ci4;
    const rows = batch * tiles[0];
    const chunkRows = Math.min(rows, Math.max(1, Math.floor(lab.bytes / rowBytes)));
    const chunks = ceilDiv(rows, chunkRows);
    const even = ceilDiv(rows, chunks);
    return (label) => {
      using u = engine.raw(16 * d.taps * 16 * ci4 * 4 * co4);
      using v = engine.raw(even * rowBytes);
      const {x, w: filter, slope, bias, residual, out} = run.bind as any;
      const {SLOPES, ...rest} = fused as any;
      const cons = { CI4: ci4, CO4: co4 };
      engine.run(transforms, 'filter_transform', { bind: { w: filter, u }, uniforms: {...run.uniforms, tiles: [0,0,0,0]} , constants: cons, threads: d.taps * ci4 * 4 * co4, label: `${label} filter` });
      for (let first = 0; first < rows; first += even) {
        const n = Math.min(even, rows - first);
        const uniforms = { ...(run.uniforms as any), tiles: [...tiles, first, n] };
        const threads = frames * n * tiles[1] * ci4;
        engine.run(transforms, 'input_transform', { bind: { x, slope, v }, uniforms, constants: {...cons, SLOPES}, threads, label: `${label} input`  });
        engine.run(products, 'product', { bind: { u, v, bias, residual, out }, uniforms, constants: { ...rest, V: lanes.V, CI4: ci4, COV: lanes.count, LANES: Math.max(8,lanes.lanes), STEPS: lab.steps },
         grid: [ceilDiv(n * tiles[1], 8 * lab.steps) * lanes.blocks, d.grid], label, flops: run.flops! * n / rows });
      }
    };
  },
};
