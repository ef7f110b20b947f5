import type { Engine } from './engine.ts';
import { KernelError } from './errors.ts';
import { slide } from './kernels/conv/gather.ts';
import type { Window } from './kernels/conv/geometry.ts';
import { matrixColumns } from './kernels/conv/matrices.ts';
import { weightGradient } from './kernels/conv/weight-gradient.ts';
import { randomUniform } from './kernels/random-tensor.ts';
import { type Choices, knobs } from './knobs.ts';
import type { Tensor } from './tensor.ts';

/** A convolution that every network here is made of, large enough to fill a GPU, small enough to finish at once. */
const SHAPE = [2, 64, 4, 64, 64];
const FILTER = [64, 64, 1, 3, 3];
const WINDOW: Window = { kernel: [1, 3, 3], stride: [1, 1, 1], padding: [0, 1, 1], dilation: [1, 1, 1], groups: 1 };
const RUNS = 5;
/** In one run, so that waiting for the device weighs little. */
const REPEATS = 8;
/** A slow GPU does fewer runs than RUNS: longer ones vary less. */
const LONG_MS = 100;

/**
 * Times the fast variants of the convolution family against each other on this device, and says in which order to prefer
 * them. About LONG_MS for each of them on a slow GPU, and far less on a fast one. A variant stands in the order only where it
 * gives the results of the plain one, within what the precision asked for allows. An adapter that declares itself a fallback
 * computes on the processor, for which the order is built in: compiling the others there takes longer than all that they
 * could save.
 */
export async function tune(engine: Engine): Promise<Choices> {
  if (engine.caps.fallback) return {};
  using _scope = engine.scope();
  const x = randomUniform(engine, SHAPE, 1);
  const filter = (outputs: number) => randomUniform(engine, [outputs, ...FILTER.slice(1)], 2, 0, 0, 1, 'filter');
  const convolve = (w: Tensor) => () => {
    const [co] = w.shape;
    const out = [SHAPE[0], co, ...SHAPE.slice(2)];
    return slide(engine, { x, w, out, window: WINDOW, ci: 64, co, label: 'tune' });
  };
  const correlate = () => weightGradient(engine, { x, dense: x, shape: FILTER, window: WINDOW, label: 'tune' });
  const wide = ['rows', 'tiled', 'winograd', 'winograd_tiled', ...(matrixColumns(engine) ? ['matrix'] : [])];
  const forced = knobs.kernel;
  knobs.kernel = {}; // or only what is forced would be timed
  try {
    const thin = await fastest(engine, 'conv', ['strip', 'tiled'], convolve(filter(3)));
    return {
      conv: [
        ...thin.slice(0, thin.indexOf('tiled')),
        ...(await fastest(engine, 'conv', wide, convolve(filter(64)))),
        'direct',
      ],
      conv_dw: [...(await fastest(engine, 'conv_dw', wide, correlate)), 'direct'],
    };
  } finally {
    knobs.kernel = forced;
  }
}

/** The variants that compute what `judge` does, fastest first. */
export async function fastest(
  engine: Engine,
  family: string,
  variants: readonly string[],
  work: () => Tensor,
  judge = 'direct',
): Promise<string[]> {
  const before = engine.choices;
  const times = new Map<string, number>();
  try {
    engine.choices = { [family]: [judge] };
    const want = await result(engine, work);
    for (const variant of variants) {
      engine.choices = { [family]: [variant] };
      const got = await result(engine, work);
      if (got && want && agrees(got, want)) times.set(variant, await time(engine, work));
    }
  } finally {
    engine.choices = before;
  }
  return [...times.keys()].sort((a, b) => times.get(a)! - times.get(b)!);
}

/** What a variant computes, or nothing where this device refuses its kernels. */
async function result(engine: Engine, work: () => Tensor): Promise<Float32Array | undefined> {
  await engine.compile(work); // a page goes on drawing meanwhile
  using _scope = engine.scope();
  return work()
    .read()
    .catch((error: unknown) => {
      if (error instanceof KernelError) return undefined;
      throw error;
    });
}

/** Sums in f32 differ by their order, by less than inputs rounded to f16 would, and these by less than a wrong kernel. */
function agrees(got: Float32Array, want: Float32Array): boolean {
  const largest = want.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const most = largest * (knobs.precision === 'f16' ? 1e-2 : 1e-5);
  return got.every((v, i) => Math.abs(v - want[i]) <= most);
}

/** Milliseconds for `work`: the best of some runs. */
async function time(engine: Engine, work: () => Tensor): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  const began = performance.now();
  for (let run = 0; run < RUNS && performance.now() - began < LONG_MS; run++) {
    const start = performance.now();
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      using _scope = engine.scope();
      work();
    }
    await engine.finish();
    best = Math.min(best, (performance.now() - start) / REPEATS);
  }
  return best;
}
