import { type NDArray, size } from '../engine/reference/array.ts';

/** One call of an op: what every judge (finite differences, adjoint identity, kernels, benchmarks) runs it on. */
export interface OpCase {
  op: string;
  /** Unique among the cases of one op; it also seeds the inputs. */
  name: string;
  attrs?: Record<string, unknown>;
  /** Shape of every input, in PyTorch's layout. */
  inputs: Record<string, number[]>;
  /** Where the values of an input lie; [-1, 1) unless told. */
  range?: Record<string, Range>;
  /** Holds points without a derivative (x = 0 of relu, whole-pixel flow): conventions are tested, differences are not. */
  kinks?: true;
  /** Up to 50 million multiplications or 4 million elements: once each is enough. */
  large?: true;
}

export type Attrs = Record<string, unknown>;
export type Rest = Pick<OpCase, 'range' | 'kinks' | 'large'>;

export const large = { large: true } as const;

/** A call of an op of one input. */
export const one = (op: string, name: string, input: number[], attrs?: Attrs, rest: Rest = {}): OpCase => ({
  op,
  name,
  attrs,
  inputs: { input },
  ...rest,
});

export interface Range {
  low: number;
  high: number;
  /** Whole numbers from low to high; or numbers that keep 0.1 away from them. */
  only?: 'integers' | 'fractions';
}

/** Inputs in which an op is linear (affine, for add, sub and biases) while the others stay fixed. */
export const linearInputs: Record<string, readonly string[]> = {
  conv2d: ['input', 'weight', 'bias'],
  conv3d: ['input', 'weight', 'bias'],
  conv_transpose2d: ['input', 'weight', 'bias'],
  conv_transpose3d: ['input', 'weight', 'bias'],
  separable_conv3d: ['input', 'weight_s', 'bias_s', 'weight_t', 'bias_t', 'residual'],
  pixel_shuffle: ['input'],
  pixel_unshuffle: ['input'],
  warp: ['image'],
  splat: ['image'],
  dynamic_filter: ['image'],
  grid_sample: ['image'],
  affine_grid: ['theta'],
  correlation: ['a', 'b'],
  imresize: ['input'],
  interpolate: ['input'],
  resize_tf1: ['input'],
  add: ['a', 'b'],
  sub: ['a', 'b'],
  mul: ['a', 'b'],
  div: ['a'],
  concat: ['a', 'b'],
  slice: ['input'],
  pad: ['input'],
  avg_pool2d: ['input'],
  global_avg_pool: ['input'],
  linear: ['input', 'weight', 'bias'],
  reshape: ['input'],
  frames_to_batch: ['input'],
  batch_to_frames: ['input'],
  sum: ['input'],
  mean: ['input'],
  batch_norm: ['weight', 'bias'],
  instance_norm: ['weight', 'bias'],
};

/** Those of a call; an input that passes a PReLU first is none, and before an activation there are none. */
export function linearInputsOf({ op, inputs, attrs }: { op: string; inputs: object; attrs?: object }): string[] {
  const { negative_slope: leak = 1 } = (attrs ?? {}) as { negative_slope?: number };
  if (leak !== 1) return [];
  return (linearInputs[op] ?? []).filter((name) => name in inputs && !(name === 'input' && 'slope' in inputs));
}

/** Uniform [0, 1) in steps of 2⁻²⁴, a pure function of (seed, index): a multiplicative hash with murmur3's finaliser. */
export function uniform(seed: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b1) + Math.imul(seed, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  h = (h ^ (h >>> 16)) >>> 0;
  return (h >>> 8) / 16777216;
}

/** FNV-1a. */
function seedOf(text: string): number {
  let h = 0x811c9dc5;
  for (const character of text) h = Math.imul(h ^ character.charCodeAt(0), 0x01000193);
  return h >>> 0;
}

/** An array of float32 values (so that kernels start from the very same numbers), named by a text. */
export function makeArray(shape: readonly number[], seedText: string, range: Range = { low: -1, high: 1 }): NDArray {
  const seed = seedOf(seedText);
  const data = new Float64Array(size(shape));
  for (let i = 0; i < data.length; i++) {
    const u = uniform(seed, i);
    let value = range.low + u * (range.high - range.low);
    if (range.only === 'integers') value = Math.floor(range.low + u * (range.high - range.low + 1));
    if (range.only === 'fractions') value = Math.floor(value) + 0.1 + 0.8 * (value - Math.floor(value));
    data[i] = Math.fround(value);
  }
  return { shape: [...shape], data };
}

/** The inputs of a case, the same at every call. */
export function makeInputs({ op, name, inputs, range }: OpCase): Record<string, NDArray> {
  const entries = Object.entries(inputs);
  return Object.fromEntries(
    entries.map(([input, shape]) => [input, makeArray(shape, `${op}/${name}/${input}`, range?.[input])]),
  );
}

/** A dy for a case whose output has this shape. */
export const makeOutputGradient = ({ op, name }: OpCase, shape: readonly number[]): NDArray =>
  makeArray(shape, `${op}/${name}/dy`);
