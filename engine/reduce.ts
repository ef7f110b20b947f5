import wgsl from '../shaders/reduce.wgsl';
import type { Engine } from './engine.ts';
import { Kernel } from './kernel.ts';
import { extent, type Storage, size, type Tensor } from './tensor.ts';

const kernel = new Kernel('reduce', wgsl);
/** Terms that one thread adds: enough work for a thread, and enough threads for a device. Fixed, so sums repeat. */
export const CHUNK = 64;

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
    const uniforms = { middle, inner: view.inner, chunks, scale: chunks === 1 ? scale : 1 };
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

/** Adds the four lanes of each vec4 of x, times scale, into the first lane of out. */
export function sumLanes(engine: Engine, x: Tensor | Storage, out: Tensor, scale = 1): void {
  engine.run(kernel, 'lanes', {
    bind: { x, out },
    uniforms: { middle: 1, inner: 1, chunks: 1, scale },
    threads: out.bytes / 16,
    flops: out.bytes / 4,
  });
}

/** scale · Σ of an image over the axes that `gone` marks; each of them stays with size 1. */
export function sumAxes(engine: Engine, x: Tensor, gone: readonly boolean[], scale = 1): Tensor {
  const out = engine.empty(x.shape.map((n, axis) => (gone[axis] ? 1 : n)));
  const channelAxis = Math.min(x.shape.length, 2) - 1;
  const channels = { length: Math.ceil(extent(x.shape, 'image').channels / 4), gone: gone[channelAxis] ?? true };
  const positions = x.shape.map((length, axis) => ({ length, gone: gone[axis] }));
  if (channelAxis >= 0) positions.splice(channelAxis, 1);

  // Neighbours in memory that go together are one axis; what is left alternates.
  const axes: { length: number; gone: boolean }[] = [];
  for (const { length, gone } of [...positions, channels]) {
    if (length === 1) continue;
    const last = axes.at(-1);
    if (last?.gone === gone) last.length *= length;
    else axes.push({ length, gone });
  }

  const product = (list: typeof axes) => size(list.map((a) => a.length));
  let from: Tensor | Storage = x;
  for (let k = axes.length - 1; k >= 0; k--) {
    if (!axes[k].gone) continue;
    const [outer, middle, inner] = [product(axes.slice(0, k)), axes[k].length, product(axes.slice(k + 1))];
    const last = !channels.gone && !axes.slice(0, k).some((a) => a.gone);
    const to = last ? out : engine.raw(outer * inner * 16);
    sumMiddle(engine, from, { outer, middle, inner }, to, last ? scale : 1);
    if (from !== x) (from as Storage).release();
    axes[k].length = 1;
    from = to;
  }
  if (channels.gone) {
    sumLanes(engine, from, out, scale);
    if (from !== x) (from as Storage).release();
  } else if (from === x) {
    sumMiddle(engine, x, { outer: 1, middle: 1, inner: x.bytes / 16 }, out, scale); // nothing to add: a copy
  }
  return out;
}
