import wgsl from '../shaders/reduce.wgsl';
import type { Engine } from './engine.ts';
import { Kernel } from './kernel.ts';
import type { Storage, Tensor } from './tensor.ts';

const kernel = new Kernel('reduce', wgsl);
/** Terms that one thread adds: enough work for a thread, and enough threads for a device. Fixed, so sums repeat. */
const CHUNK = 64;

/**
 * out = scale · Σ over the middle axis of x seen as (outer, middle, inner), inner counted in vec4.
 * @param out receives outer·inner vec4, in passes of a fixed order
 */
export function sumMiddle(
  engine: Engine,
  x: Tensor | Storage,
  view: { outer: number; middle: number; inner: number },
  out: Tensor | Storage,
  scale = 1,
): void {
  let { middle } = view;
  let from = x;
  for (;;) {
    const chunks = Math.ceil(middle / CHUNK);
    const to = chunks === 1 ? out : engine.raw(view.outer * chunks * view.inner * 16);
    const uniforms = { middle, inner: view.inner, chunk: CHUNK, scale: chunks === 1 ? scale : 1 };
    engine.run(kernel, 'middle', {
      bind: { x: from, out: to },
      uniforms,
      threads: view.outer * chunks * view.inner,
      flops: view.outer * middle * view.inner * 4,
    });
    if (from !== x) (from as Storage).release();
    if (chunks === 1) return;
    from = to;
    middle = chunks;
  }
}

/** Adds the four lanes of each vec4 of x into the first lane of out. */
export function sumLanes(engine: Engine, x: Tensor | Storage, out: Tensor): void {
  engine.run(kernel, 'lanes', { bind: { x, out }, threads: out.bytes / 16, flops: out.bytes / 4 });
}
