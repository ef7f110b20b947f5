import { type NDArray, type Reference, zeros } from './array.ts';
import { linear, type PerAxis, perAxis } from './loops.ts';

interface PoolAttrs {
  kernel_size: PerAxis;
  stride?: PerAxis;
  padding?: PerAxis;
  dilation?: PerAxis;
  ceil_mode?: boolean;
}

/** One window along one axis: where it begins and ends, padding included, and what part of that lies inside. */
interface Stretch {
  readonly first: number;
  /** Positions of its taps, as far as they are inside. */
  readonly inside: readonly number[];
  /** Its end, cut where the padding ends. */
  readonly end: number;
}

/** The windows along each spatial axis. With ceil_mode a last, partial one counts if it begins inside or before. */
function stretches(input: readonly number[], attrs: PoolAttrs): Stretch[][] {
  const spatial = input.slice(2);
  const { kernel_size, stride = kernel_size, padding = 0, dilation = 1 } = attrs;
  const axes = [kernel_size, stride, padding, dilation].map((value) => perAxis(value, spatial.length));
  return spatial.map((n, a) => {
    const [k, s, p, d] = axes.map((values) => values[a]);
    const steps = (n + 2 * p - d * (k - 1) - 1) / s;
    let count = (attrs.ceil_mode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if ((count - 1) * s >= n + p) count--;
    return Array.from({ length: count }, (_, o) => {
      const first = o * s - p;
      const taps = Array.from({ length: k }, (_, i) => first + i * d);
      return { first, inside: taps.filter((at) => at >= 0 && at < n), end: Math.min(first + k, n + p) };
    });
  });
}

/** Calls visit(y, window, inside) for every output; `inside` holds the positions of its window in row-major order. */
function forEachWindow(
  input: readonly number[],
  attrs: PoolAttrs,
  visit: (to: number, window: readonly Stretch[], inside: readonly number[]) => void,
): void {
  const axes = stretches(input, attrs);
  const spatial = input.slice(2);
  const plane = spatial.reduce((a, b) => a * b, 1);
  let to = 0;
  const descend = (base: number, window: readonly Stretch[], inside: readonly number[]): void => {
    const axis = axes[window.length];
    if (!axis)
      visit(
        to++,
        window,
        inside.map((i) => base + i),
      );
    else
      for (const stretch of axis) {
        const next = inside.flatMap((i) => stretch.inside.map((j) => i * spatial[window.length] + j));
        descend(base, [...window, stretch], next);
      }
  };
  for (let nc = 0; nc < input[0] * input[1]; nc++) descend(nc * plane, [], [0]);
}

const outputShape = (input: readonly number[], attrs: PoolAttrs): number[] => [
  ...input.slice(0, 2),
  ...stretches(input, attrs).map((axis) => axis.length),
];

const firstLargest = ({ data }: NDArray, positions: readonly number[]): number =>
  positions.reduce((best, i) => (data[i] > data[best] || Number.isNaN(data[i]) ? i : best));

/** y = the largest value of each window; padding never wins, NaN does. The gradient goes to the first of equal values. */
export const maxPool: Reference<PoolAttrs> = {
  forward({ input }, attrs) {
    const y = zeros(outputShape(input.shape, attrs));
    forEachWindow(input.shape, attrs, (to, _, inside) => {
      y.data[to] = input.data[firstLargest(input, inside)];
    });
    return y;
  },
  backward(dy, { input }, attrs) {
    const dx = zeros(input.shape);
    forEachWindow(input.shape, attrs, (to, _, inside) => {
      dx.data[firstLargest(input, inside)] += dy.data[to];
    });
    return { input: dx };
  },
};

/** y = the sum of each window / its size, padding included or not; what ceil_mode adds beyond the padding never counts. */
export const avgPool = linear<PoolAttrs & { count_include_pad?: boolean }>(outputShape, (input, _, attrs, visit) =>
  forEachWindow(input, attrs, (to, window, inside) => {
    const size = window.reduce((product, { first, end }) => product * (end - first), 1);
    const weight = 1 / ((attrs.count_include_pad ?? true) ? size : inside.length);
    for (const from of inside) visit(to, from, weight);
  }),
);

/** y = the mean over all positions of a channel; they stay with size 1. */
export const globalAvgPool: Reference = linear(
  (input) => [...input.slice(0, 2), ...input.slice(2).map(() => 1)],
  (input, output, _, visit) => {
    const positions = input.slice(2).reduce((a, b) => a * b, 1);
    for (let i = 0; i < output[0] * output[1] * positions; i++) visit(Math.floor(i / positions), i, 1 / positions);
  },
);
