import type { Engine } from '../../../engine/engine.ts';
import { icnr, xavierUniform } from '../../../engine/nn/init.ts';
import { conv2d } from '../../../engine/ops/conv.ts';
import { conv_transpose2d } from '../../../engine/ops/conv_transpose.ts';
import { imresize } from '../../../engine/ops/imresize.ts';
import { interpolate } from '../../../engine/ops/interpolate.ts';
import { pixel_shuffle } from '../../../engine/ops/pixel_shuffle.ts';
import { Random } from '../../../engine/random.ts';
import { type Shape, size, type Tensor } from '../../../engine/tensor.ts';
import type { Planes } from '../../../train/degrade.ts';
import { cut } from '../../lab/clip.ts';

/** How many times wider and higher. */
export const SCALE = 4;

/** Ways from a small picture to a large one. All but the last have a filter of random numbers, as before training. */
export const WAYS = {
  shuffle: 'convolution, then pixel shuffle',
  icnr: 'the same, begun by ICNR',
  transposed: 'transposed convolution',
  resized: 'bilinear resize, then convolution',
  bicubic: 'bicubic resize',
} as const;
export type Way = keyof typeof WAYS;

export interface Settings {
  /** Of the random filters. */
  readonly seed: number;
  /** Of the transposed convolution. */
  readonly kernel: number;
}

/** What makes a transposed convolution of any kernel four times as large. */
const fitting = (kernel: number) => {
  const padding = Math.max(Math.ceil((kernel - SCALE) / 2), 0);
  return { stride: SCALE, padding, output_padding: SCALE + 2 * padding - kernel };
};

const filterOf = (engine: Engine, shape: Shape, data: Float32Array): Tensor => engine.tensor(shape, data, 'filter');

/** @param x (1, 1, H, W) @returns (1, 1, 4·H, 4·W), of the innermost scope */
export function enlarge(x: Tensor, way: Way, { seed, kernel }: Settings): Tensor {
  const { engine } = x;
  const random = new Random(seed);
  const deep: Shape = [SCALE ** 2, 1, 3, 3];
  const shuffled = (values: Float32Array) =>
    pixel_shuffle(conv2d(x, filterOf(engine, deep, values), undefined, { padding: 1 }), { factor: SCALE });
  if (way === 'shuffle') return shuffled(xavierUniform(deep, random));
  if (way === 'icnr') return shuffled(icnr(SCALE, xavierUniform)(deep, random));
  if (way === 'bicubic') return imresize(x, { scale: SCALE });
  const taps = way === 'transposed' ? kernel : 3;
  const shape: Shape = [1, 1, taps, taps];
  const filter = filterOf(engine, shape, xavierUniform(shape, random));
  if (way === 'transposed') return conv_transpose2d(x, filter, undefined, fitting(kernel));
  return conv2d(interpolate(x, { scale_factor: SCALE, mode: 'bilinear' }), filter, undefined, { padding: 1 });
}

/** The same of several ways, as pictures. */
export async function enlargeAll(x: Tensor, ways: readonly Way[], settings: Settings): Promise<Planes[]> {
  const work = () => ways.map((way) => enlarge(x, way, settings));
  await x.engine.compile(work);
  return Promise.all(work().map(planeOf));
}

/** Inputs along each axis in `coverage`, the first whose block it shows, and how many: away from the borders, for all kernels. */
const [INPUTS, FIRST, BLOCKS] = [20, 9, 6];

/**
 * How many taps reach each output of a transposed convolution: that of ones, with ones. At the borders fewer stamps meet;
 * these are blocks of stride x stride outputs in the middle.
 * @param kernel at most 9
 */
export async function coverage(engine: Engine, kernel: number, stride: number): Promise<Planes> {
  const ones = (shape: Shape) => new Float32Array(size(shape)).fill(1);
  const [from, edge] = [FIRST * stride, BLOCKS * stride];
  const [shape, taps]: Shape[] = [
    [1, 1, INPUTS, INPUTS],
    [1, 1, kernel, kernel],
  ];
  using _scope = engine.scope();
  const [x, w] = [engine.tensor(shape, ones(shape)), filterOf(engine, taps, ones(taps))];
  const work = () => conv_transpose2d(x, w, undefined, { stride });
  await engine.compile(work);
  return cut(await planeOf(work()), from, from, edge, edge);
}

/** One plane of a tensor (1, 1, H, W). */
export async function planeOf(x: Tensor): Promise<Planes> {
  const [, , height, width] = x.shape;
  return { width, height, data: await x.read() };
}

/** To 0..255, from the least to the largest value; grey where all are alike. */
export function stretched({ width, height, data }: Planes): Planes {
  const [low, high] = [Math.min(...data), Math.max(...data)];
  const flat = high - low < 1e-6;
  return { width, height, data: data.map((v) => (flat ? 128 : (255 * (v - low)) / (high - low))) };
}

/**
 * The share of a picture's variance that repeats every `period` pixels. The mean of each of the period² phases is the pattern;
 * its variance is, by Parseval, the energy at the frequencies (a / period, b / period) other than zero.
 * @param border pixels left out at each side
 */
export function checkerboard({ width, data, height }: Planes, period = SCALE, border = 2 * SCALE): number {
  const [w, h] = [width - 2 * border, height - 2 * border].map((n) => n - (n % period));
  const sums = new Float64Array(period ** 2);
  let [sum, squares] = [0, 0];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const v = data[(y + border) * width + x + border];
      sum += v;
      squares += v * v;
      sums[(y % period) * period + (x % period)] += v;
    }
  }
  const n = w * h;
  const mean = sum / n;
  const variance = squares / n - mean ** 2;
  const pattern = sums.reduce((total, s) => total + (s / (n / period ** 2) - mean) ** 2, 0) / period ** 2;
  return variance < 1e-12 ? 0 : pattern / variance;
}

/** Power along rows at the frequencies 1/w, 2/w, ... 1/2 cycles a pixel, averaged over the rows. */
export function rowSpectrum({ width, height, data }: Planes): { frequency: number[]; power: number[] } {
  const half = Math.floor(width / 2);
  const [cos, sin] = [Math.cos, Math.sin].map((f) =>
    Float64Array.from({ length: width }, (_, i) => f((2 * Math.PI * i) / width)),
  );
  const power = new Array<number>(half).fill(0);
  for (let y = 0; y < height; y++) {
    for (let k = 1; k <= half; k++) {
      let [re, im] = [0, 0];
      for (let x = 0; x < width; x++) {
        const v = data[y * width + x];
        re += v * cos[(k * x) % width];
        im += v * sin[(k * x) % width];
      }
      power[k - 1] += (re * re + im * im) / (width ** 2 * height);
    }
  }
  return { frequency: power.map((_, i) => (i + 1) / width), power };
}
