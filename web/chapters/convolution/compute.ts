import { conv2d, conv3d } from '../../../engine/ops/conv.ts';
import { Random } from '../../../engine/random.ts';
import type { NDArray } from '../../../engine/reference/array.ts';
import { conv } from '../../../engine/reference/convolution.ts';
import { apart } from '../../lab/apart.ts';
import { breathe, type Lab } from '../../lab/device.ts';

/** Rows and columns of the picture, and taps of the filter along each of them. */
export const EDGE = 9;
export const TAPS = 3;

export interface Settings {
  readonly filter: FilterName;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

export const filterNames = { edges: 'edges', blur: 'blur', sharpen: 'sharpen', counted: '0.1 to 0.9' } as const;
export type FilterName = keyof typeof filterNames;
export const filters: Readonly<Record<FilterName, readonly number[]>> = {
  edges: [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  blur: [1, 2, 1, 2, 4, 2, 1, 2, 1].map((w) => w / 16),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  counted: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((w) => w / 10),
};

/** Rows and columns of the result. */
export const outputEdge = ({ stride, padding, dilation }: Settings): number =>
  Math.floor((EDGE + 2 * padding - dilation * (TAPS - 1) - 1) / stride) + 1;

/** Where tap k of output p lies on the input, along one axis. */
export const placeOf = ({ stride, padding, dilation }: Settings, p: number, k: number): number =>
  p * stride - padding + k * dilation;

/** What the loss says of the output: L = Σ dy·y. */
export const lossNames = {
  one: 'the middle output alone',
  sum: 'the sum of all outputs',
  random: 'a random mixture',
} as const;
export type LossName = keyof typeof lossNames;

export function lossGradient(loss: LossName, edge: number): Float32Array {
  const random = new Random(3);
  const middle = Math.floor(edge / 2) * (edge + 1);
  return Float32Array.from({ length: edge * edge }, (_, i) => {
    if (loss === 'random') return Math.round(20 * random.uniform() - 10) / 10;
    return loss === 'sum' || i === middle ? 1 : 0;
  });
}

/** Everything about one convolution of one small picture, as the reader's device computed it. */
export interface Result {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly dy: Float32Array;
  /** Gradients of L from the tape. */
  readonly dx: Float32Array;
  readonly dw: Float32Array;
  /** Central differences of L, of forward passes on the same device. */
  readonly differenceX: Float64Array;
  readonly differenceW: Float64Array;
  /** The largest difference over the largest value: to the float64 reference, and to the central differences. */
  readonly toReference: number;
  readonly toDifferences: number;
  /** Shader files that ran, in order of dispatch. */
  readonly kernels: readonly string[];
}

/** @param h step of the central differences */
export async function convolve(
  { engine }: Lab,
  x: Float32Array,
  settings: Settings,
  loss: LossName,
  h: number,
): Promise<Result> {
  using _scope = engine.scope();
  const { stride, padding, dilation } = settings;
  const attrs = { stride, padding, dilation };
  const w = filters[settings.filter];
  const edge = outputEdge(settings);
  const dy = lossGradient(loss, edge);
  const input = engine.tensor([1, 1, EDGE, EDGE], x).track();
  const weight = engine.tensor([1, 1, TAPS, TAPS], w, 'filter').track();
  const gradient = engine.tensor([1, 1, edge, edge], dy);
  const pass = () => {
    using tape = engine.record();
    const output = conv2d(input, weight, undefined, attrs);
    tape.backward(output, gradient);
    return output;
  };
  const kernels = await engine.compile(pass);
  for (const leaf of [input, weight]) leaf.setGrad(undefined);
  const output = pass();
  const [y, dx, dw] = await Promise.all([output.read(), input.grad!.read(), weight.grad!.read()]);
  await breathe();

  // L is linear in either input, so all the steps of one fit into one forward pass: as a batch of pictures, or of filters.
  const pictures = engine.tensor([2 * x.length, 1, EDGE, EDGE], stepped(x, h));
  const many = engine.tensor([2 * w.length, 1, TAPS, TAPS], stepped(w, h), 'filter');
  const moved = () => [conv2d(pictures, weight, undefined, attrs), conv2d(input, many, undefined, attrs)];
  await engine.compile(moved);
  const [differenceX, differenceW] = (await Promise.all(moved().map((t) => t.read()))).map((t) => slopes(t, dy, h));

  const exact = exactGradients(x, w, dy, settings);
  return {
    x,
    y,
    dy,
    dx,
    dw,
    differenceX,
    differenceW,
    kernels,
    toReference: Math.max(apart(dx, exact.input.data), apart(dw, exact.weight.data)),
    toDifferences: Math.max(apart(dx, differenceX), apart(dw, differenceW)),
  };
}

/** Copies of `values`, two for each of them: one with h more there, one with h less. */
function stepped(values: ArrayLike<number>, h: number): Float32Array {
  const n = values.length;
  const out = new Float32Array(2 * n * n);
  for (let copy = 0; copy < 2 * n; copy++) {
    for (let i = 0; i < n; i++) out[copy * n + i] = values[i];
    out[copy * n + (copy >> 1)] += copy % 2 ? -h : h;
  }
  return out;
}

/** (L(+h) - L(-h)) / 2h for each pair of results. */
function slopes(results: Float32Array, dy: Float32Array, h: number): Float64Array {
  const loss = (copy: number) => dy.reduce((sum, g, p) => sum + g * results[copy * dy.length + p], 0);
  return Float64Array.from(
    { length: results.length / dy.length / 2 },
    (_, i) => (loss(2 * i) - loss(2 * i + 1)) / (2 * h),
  );
}

function exactGradients(x: ArrayLike<number>, w: ArrayLike<number>, dy: ArrayLike<number>, settings: Settings) {
  const square = (values: ArrayLike<number>): NDArray => {
    const edge = Math.sqrt(values.length);
    return { shape: [1, 1, edge, edge], data: Float64Array.from(values) };
  };
  return conv.backward(square(dy), { input: square(x), weight: square(w) }, settings);
}

export const FRAMES = 5;

export type VolumeName = 'cube' | 'space' | 'time' | 'change';
export const volumes: Readonly<Record<VolumeName, { text: string; shape: readonly number[] }>> = {
  cube: { text: '3x3x3, mean', shape: [3, 3, 3] },
  space: { text: '1x3x3, mean', shape: [1, 3, 3] },
  time: { text: '3x1x1, mean', shape: [3, 1, 1] },
  change: { text: '3x1x1, next frame minus last', shape: [3, 1, 1] },
};

export function volumeFilter(name: VolumeName): Float32Array {
  const n = volumes[name].shape.reduce((a, b) => a * b, 1);
  return name === 'change' ? Float32Array.of(-0.5, 0, 0.5) : new Float32Array(n).fill(1 / n);
}

/** A convolution over frames that keeps all sizes. @param x FRAMES frames of EDGE x EDGE */
export async function convolveFrames({ engine }: Lab, x: Float32Array, name: VolumeName): Promise<Float32Array> {
  using _scope = engine.scope();
  const { shape } = volumes[name];
  const input = engine.tensor([1, 1, FRAMES, EDGE, EDGE], x);
  const weight = engine.tensor([1, 1, ...shape], volumeFilter(name), 'filter');
  const work = () => conv3d(input, weight, undefined, { padding: shape.map((k) => (k - 1) / 2) });
  await engine.compile(work);
  return await work().read();
}
