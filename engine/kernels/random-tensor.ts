import wgsl from '../../shaders/random.wgsl';
import type { Engine } from '../engine.ts';
import { Kernel, type Uniforms, type Varying } from '../kernel.ts';
import { words } from '../random.ts';
import { type Layout, plainStrides, type Shape, type Storage, type Tensor } from '../tensor.ts';

const kernel = new Kernel('random', wgsl);

/** Which sequence of words: what `new Random(seed, stream)` draws. */
function sequence(seed: number, stream: number) {
  const [[seed_low, seed_high], [stream_low, stream_high]] = [words(seed), words(stream)];
  return { seed_low, seed_high, stream_low, stream_high };
}
/** Uniforms that an entry point does not read. */
const unused = {
  ...{ inner: 0, rows: 0, channels: 0, stride_outer: 0, stride_inner: 0, stride_channel: 0 },
  ...{ low: 0, high: 0, threshold: 0, scale: 0 },
};

function fill(engine: Engine, entry: string, shape: Shape, key: object, low: number, high: number, layout: Layout) {
  const out = engine.empty(shape, layout);
  const uniforms = { ...unused, ...plainStrides(out), ...key, low, high };
  engine.run(kernel, entry, { bind: { out }, uniforms, threads: out.bytes / 16 });
  return out;
}

/**
 * Uniform values in [low, high): element k in row-major order is `low + (high - low)·u` with the k-th `uniform()` of
 * `new Random(seed, stream)`, to the bit where the range is [0, 1).
 */
export function randomUniform(
  engine: Engine,
  shape: Shape,
  seed: number,
  stream = 0,
  low = 0,
  high = 1,
  layout: Layout = 'image',
): Tensor {
  return fill(engine, 'uniform_', shape, sequence(seed, stream), low, high, layout);
}

/** Normal values: element k is `mean + deviation·z` with the k-th `normal()` of `new Random(seed, stream)`, to about 1e-4 of the deviation. */
export function randomNormal(
  engine: Engine,
  shape: Shape,
  seed: number,
  stream = 0,
  mean = 0,
  deviation = 1,
  layout: Layout = 'image',
): Tensor {
  return fill(engine, 'normal', shape, sequence(seed, stream), mean, deviation, layout);
}

/** The uniforms of a dropout mask: keeps a share 1 - p, as (seed, counter) rules. */
export function dropoutMask(p: number, seed: number, counter: number): Uniforms {
  const mask = { threshold: Math.ceil(p * 2 ** 24), scale: p < 1 ? 1 / (1 - p) : 0 };
  return { ...unused, ...sequence(seed, counter), ...mask };
}

/** x / (1 - p) where the mask keeps it, else 0: block i of the mask's sequence rules quad i of memory. */
export function dropped(x: Tensor, mask: Uniforms | Varying): Tensor {
  const { engine } = x;
  const out = engine.empty(x.shape, x.layout);
  const work = { threads: out.bytes / 16, flops: out.bytes / 4 };
  engine.run(kernel, 'dropout', { bind: { x, out }, uniforms: mask, ...work, label: 'dropout' });
  return out;
}

/** The first words of a sequence, as many as fit. */
export function randomWords(out: Storage, seed: number, stream = 0): void {
  const uniforms = { ...unused, ...sequence(seed, stream) };
  out.engine.run(kernel, 'raw', { bind: { words_out: out }, uniforms, threads: out.bytes / 16 });
}
