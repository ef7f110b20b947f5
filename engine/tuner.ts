import type { Engine } from './engine.ts';
import { slide } from './kernels/conv/gather.ts';
import type { Window } from './kernels/conv/geometry.ts';
import { weightGradient } from './kernels/conv/weight-gradient.ts';
import { randomUniform } from './kernels/random-tensor.ts';
import type { Choices } from './knobs.ts';

/** A convolution that every network here is made of, large enough to fill a GPU, small enough to finish at once. */
const SHAPE = [2, 64, 4, 64, 64];
const FILTER = [64, 64, 1, 3, 3];
const WINDOW: Window = { kernel: [1, 3, 3], stride: [1, 1, 1], padding: [0, 1, 1], dilation: [1, 1, 1], groups: 1 };
const RUNS = 5;

/**
 * Times the fast variants of the convolution family against each other on this device, and says in which order to prefer
 * them. A few milliseconds on a GPU. An adapter that declares itself a fallback computes on the processor, for which the row
 * kernels are written: compiling the others there takes longer than all that they could save.
 */
export async function tune(engine: Engine): Promise<Choices> {
  if (engine.caps.fallback) return {};
  using _scope = engine.scope();
  const x = randomUniform(engine, SHAPE, 1);
  const w = randomUniform(engine, FILTER, 2, 0, 0, 1, 'filter');
  const convolve = () => slide(engine, { x, w, out: SHAPE, window: WINDOW, ci: 64, co: 64, label: 'tune' });
  const correlate = () => weightGradient(engine, { x, dense: x, shape: FILTER, window: WINDOW, label: 'tune' });
  return {
    conv: ['strip', ...(await fastest(engine, 'conv', ['rows', 'tiled', 'winograd'], convolve)), 'direct'],
    conv_dw: [...(await fastest(engine, 'conv_dw', ['rows', 'tiled'], correlate)), 'direct'],
  };
}

/** The variants, fastest first: the best of some runs each, after one that compiles. */
async function fastest(
  engine: Engine,
  family: string,
  variants: readonly string[],
  work: () => unknown,
): Promise<string[]> {
  const before = engine.choices;
  const times = new Map<string, number>();
  for (const variant of variants) {
    engine.choices = { [family]: [variant] };
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run <= RUNS; run++) {
      using _scope = engine.scope();
      const start = performance.now();
      work();
      await engine.finish();
      if (run > 0) best = Math.min(best, performance.now() - start);
    }
    times.set(variant, best);
  }
  engine.choices = before;
  return [...variants].sort((a, b) => times.get(a)! - times.get(b)!);
}
