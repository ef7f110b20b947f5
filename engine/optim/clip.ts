import wgsl from '../../shaders/clip.wgsl';
import type { Engine } from '../engine.ts';
import { Kernel, Varying } from '../kernel.ts';
import { accumulate } from '../kernels/accumulate.ts';
import { sumLanes, sumMiddle } from '../kernels/reduce.ts';
import type { Tensor } from '../tensor.ts';

const kernel = new Kernel('clip', wgsl);

/** Scales all gradients so that the norm of them together is at most `most`. Pascanu et al. 2013, algorithm 1. Never waits. */
export function clipByNorm(engine: Engine, gradients: readonly Tensor[], most: number): void {
  if (gradients.length === 0) return;
  using _scope = engine.scope();
  const sums = gradients.map((x) => {
    const squares = engine.empty(x.shape, x.layout);
    engine.run(kernel, 'square', { bind: { x, out: squares }, threads: x.bytes / 16, flops: x.bytes / 4 });
    const sum = engine.empty([4]);
    sumMiddle(engine, squares, { outer: 1, middle: x.bytes / 16, inner: 1 }, sum);
    return sum;
  });
  const total = engine.empty([1]);
  sumLanes(engine, sums.reduce(accumulate), total);
  for (const out of gradients) {
    const work = { threads: out.bytes / 16, flops: out.bytes / 4 };
    engine.run(kernel, 'by_norm', { bind: { total, out }, uniforms: { most }, ...work });
  }
}

/**
 * Clamps every component of every gradient to [-most, most]. VDSR's adjustable clipping passes θ / lr (Kim et al. 2016, §3.2),
 * as a function, which replays ask again.
 */
export function clipByValue(engine: Engine, gradients: readonly Tensor[], most: number | (() => number)): void {
  const uniforms = typeof most === 'number' ? { most } : new Varying(() => ({ most: most() }));
  for (const out of gradients) {
    const work = { threads: out.bytes / 16, flops: out.bytes / 2 };
    engine.run(kernel, 'by_value', { bind: { out }, uniforms, ...work });
  }
}

/** Multiplies all gradients: undoes the scale of a loss. */
export function scaleGradients(engine: Engine, gradients: readonly Tensor[], by: number): void {
  for (const out of gradients) {
    engine.run(kernel, 'scale', {
      bind: { out },
      uniforms: { most: by },
      threads: out.bytes / 16,
      flops: out.bytes / 4,
    });
  }
}
