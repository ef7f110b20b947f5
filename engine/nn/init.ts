import type { Random } from '../random.ts';
import { type Shape, size } from '../tensor.ts';

/** Fills a parameter's first values. */
export type Init = (shape: Shape, random: Random) => Float32Array;

/** Values that reach one output and one input of a filter (O, I, taps...) or matrix (O, I). */
function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const taps = size(shape.slice(2));
  return { fanIn: shape[1] * taps, fanOut: shape[0] * taps };
}

function fill(shape: Shape, draw: () => number): Float32Array {
  const values = new Float32Array(size(shape));
  for (let i = 0; i < values.length; i++) values[i] = draw();
  return values;
}

/** U(-a, a), a = √(6 / (fan_in + fan_out)). Glorot, Bengio 2010, eq. 16. */
export const xavierUniform: Init = (shape, random) => {
  const { fanIn, fanOut } = fans(shape);
  const a = Math.sqrt(6 / (fanIn + fanOut));
  return fill(shape, () => (2 * random.uniform() - 1) * a);
};

/** N(0, 2 / ((1 + slope²) · fan)), for layers before a (leaky) ReLU. He et al. 2015, eq. 10 and 15 for `fanIn`, 14 for `fanOut`. */
export const heNormal =
  (slope = 0, fan: 'fanIn' | 'fanOut' = 'fanIn'): Init =>
  (shape, random) => {
    const std = Math.sqrt(2 / ((1 + slope ** 2) * fans(shape)[fan]));
    return fill(shape, () => random.normal() * std);
  };

/** U(-a, a), a = 1 / √fan_in: what PyTorch's layers start from. */
export const fanInUniform: Init = (shape, random) => {
  const a = 1 / Math.sqrt(fans(shape).fanIn);
  return fill(shape, () => (2 * random.uniform() - 1) * a);
};

/** N(0, std²) without values beyond two standard deviations, which are drawn again. */
export const truncatedNormal =
  (std: number): Init =>
  (shape, random) =>
    fill(shape, () => {
      let z = random.normal();
      while (Math.abs(z) > 2) z = random.normal();
      return z * std;
    });

export const constant =
  (value: number): Init =>
  (shape) =>
    new Float32Array(size(shape)).fill(value);

/**
 * ICNR: every group of r² neighbouring output channels, which pixel shuffle lays side by side, starts alike, so that the
 * enlarged picture starts without a checkerboard. Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution", §3.
 */
export const icnr =
  (factor: number, base: Init): Init =>
  (shape, random) => {
    const group = factor ** 2;
    const small = base([shape[0] / group, ...shape.slice(1)], random);
    const each = size(shape.slice(1));
    return Float32Array.from(
      { length: size(shape) },
      (_, i) => small[Math.floor(i / each / group) * each + (i % each)],
    );
  };
