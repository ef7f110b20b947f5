import { type NDArray, type Reference, zeros } from './array.ts';
import { map } from './loops.ts';

/** An elementwise function and its derivative, written in x and y = f(x). */
function elementwise<A>(f: (x: number, attrs: A) => number, slope: (x: number, y: number, attrs: A) => number) {
  const reference: Reference<A> = {
    forward: ({ input }, attrs) => map(input, (x) => f(x, attrs)),
    backward: (dy, { input }, attrs) => ({
      input: map(input, (x, i) => dy.data[i] * slope(x, f(x, attrs), attrs)),
    }),
  };
  return reference;
}

/** y = max(x, 0); slope 0 at 0, as in PyTorch. */
export const relu = elementwise(
  (x) => Math.max(x, 0),
  (x) => (x > 0 ? 1 : 0),
);

/** y = x where x > 0, else negative_slope·x. */
export const leakyRelu = elementwise<{ negative_slope?: number }>(
  (x, { negative_slope = 0.01 }) => (x > 0 ? x : negative_slope * x),
  (x, _, { negative_slope = 0.01 }) => (x > 0 ? 1 : negative_slope),
);

/** y = 1 / (1 + e^-x); y' = y·(1 - y). */
export const sigmoid = elementwise(
  (x) => 1 / (1 + Math.exp(-x)),
  (_, y) => y * (1 - y),
);

/** y' = 1 - y². */
export const tanh = elementwise(Math.tanh, (_, y) => 1 - y * y);

/** Slope 0 at 0, as in PyTorch. */
export const abs = elementwise(Math.abs, Math.sign);

/** y' = 1 / 2y. */
export const sqrt = elementwise(Math.sqrt, (_, y) => 0.5 / y);

/** y' = y. */
export const exp = elementwise(Math.exp, (_, y) => y);

/** Natural logarithm; y' = 1 / x. */
export const log = elementwise(Math.log, (x) => 1 / x);

/** y = min(max(x, min), max), either bound may be missing; slope 1 inside and on the bounds, as in PyTorch. */
export const clamp = elementwise<{ min?: number; max?: number }>(
  (x, { min = -Infinity, max = Infinity }) => Math.min(Math.max(x, min), max),
  (x, _, { min = -Infinity, max = Infinity }) => (x >= min && x <= max ? 1 : 0),
);

/** The slope that belongs to an element: one for all, or one a channel (axis 1). */
function slopeIndex(input: NDArray, weight: NDArray): (position: number) => number {
  if (weight.data.length === 1) return () => 0;
  const positions = input.shape.slice(2).reduce((a, b) => a * b, 1);
  return (position) => Math.floor(position / positions) % input.shape[1];
}

/**
 * Parametric ReLU: y = x where x > 0, else a·x, with one learned slope a, or one a channel.
 * He et al. 2015, "Delving Deep into Rectifiers", eq. 1; gradient of a from eq. 2 and 3.
 */
export const prelu: Reference = {
  forward({ input, weight }) {
    const slope = slopeIndex(input, weight);
    return map(input, (x, i) => (x > 0 ? x : weight.data[slope(i)] * x));
  },
  backward(dy, { input, weight }) {
    const slope = slopeIndex(input, weight);
    const dWeight = zeros(weight.shape);
    input.data.forEach((x, i) => {
      if (x <= 0) dWeight.data[slope(i)] += dy.data[i] * x;
    });
    return { input: map(input, (x, i) => dy.data[i] * (x > 0 ? 1 : weight.data[slope(i)])), weight: dWeight };
  },
};
