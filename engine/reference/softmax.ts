import { type NDArray, type Reference, zeros } from './array.ts';
import { axisOf, map, type PerAxis } from './loops.ts';

/** The positions of elements that differ in these axes alone, group by group. */
function groups(shape: readonly number[], axes: readonly number[]): number[][] {
  const gone = new Set(axes.map((axis) => axisOf(axis, shape.length)));
  const along = (isGone: boolean): number[] => {
    let positions = [0];
    shape.forEach((n, a) => {
      const step = shape.slice(a + 1).reduce((x, y) => x * y, 1);
      if (gone.has(a) === isGone)
        positions = positions.flatMap((p) => Array.from({ length: n }, (_, i) => p + i * step));
    });
    return positions;
  };
  const within = along(true);
  return along(false).map((start) => within.map((offset) => start + offset));
}

/** log Σ e^x of some elements, without overflow. */
function logSum({ data }: NDArray, positions: readonly number[]): number {
  const most = positions.reduce((m, i) => Math.max(m, data[i]), Number.NEGATIVE_INFINITY);
  return most + Math.log(positions.reduce((sum, i) => sum + Math.exp(data[i] - most), 0));
}

/** y = e^x / Σ e^x along an axis; dx = y·(dy - Σ dy·y). */
export const softmax: Reference<{ dim?: number }> = {
  forward({ input }, { dim = 1 }) {
    const y = zeros(input.shape);
    for (const group of groups(input.shape, [dim])) {
      const total = logSum(input, group);
      for (const i of group) y.data[i] = Math.exp(input.data[i] - total);
    }
    return y;
  },
  backward(dy, { input }, attrs) {
    const y = softmax.forward({ input }, attrs);
    const dx = zeros(input.shape);
    for (const group of groups(input.shape, [attrs.dim ?? 1])) {
      const mean = group.reduce((sum, i) => sum + dy.data[i] * y.data[i], 0);
      for (const i of group) dx.data[i] = y.data[i] * (dy.data[i] - mean);
    }
    return { input: dx };
  },
};

const all = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis);

/** y = log Σ e^x over axes (default all), which disappear; dx = dy·e^(x - y). */
export const logSumExp: Reference<{ axes?: PerAxis }> = {
  forward({ input }, { axes = all(input.shape.length) }) {
    const list = [axes].flat();
    const gone = list.map((axis) => axisOf(axis, input.shape.length));
    const sums = groups(input.shape, list).map((group) => logSum(input, group));
    return { shape: input.shape.filter((_, a) => !gone.includes(a)), data: Float64Array.from(sums) };
  },
  backward(dy, { input }, { axes = all(input.shape.length) }) {
    const dx = zeros(input.shape);
    groups(input.shape, [axes].flat()).forEach((group, to) => {
      const y = logSum(input, group);
      for (const i of group) dx.data[i] = dy.data[to] * Math.exp(input.data[i] - y);
    });
    return { input: dx };
  },
};

/** L = mean of log(1 + e^x) - x·t: the cross entropy of the target t with sigmoid(x). */
export const bceWithLogits: Reference = {
  forward({ input, target }) {
    const term = (x: number, t: number) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)));
    const total = input.data.reduce((sum, x, i) => sum + term(x, target.data[i]), 0);
    return { shape: [], data: Float64Array.of(total / input.data.length) };
  },
  backward(dy, { input, target }) {
    const g = dy.data[0] / input.data.length;
    return {
      input: map(input, (x, i) => g * (1 / (1 + Math.exp(-x)) - target.data[i])),
      target: map(input, (x) => -g * x),
    };
  },
};

/** L = mean over groups of classes of -Σ t·log softmax(x); dx = softmax(x)·Σt - t. */
export const crossEntropy: Reference = {
  forward({ input, target }) {
    const rows = groups(input.shape, [1]);
    let total = 0;
    for (const row of rows) {
      const sum = logSum(input, row);
      for (const i of row) total += target.data[i] * (sum - input.data[i]);
    }
    return { shape: [], data: Float64Array.of(total / rows.length) };
  },
  backward(dy, { input, target }) {
    const rows = groups(input.shape, [1]);
    const g = dy.data[0] / rows.length;
    const [dx, dt] = [zeros(input.shape), zeros(input.shape)];
    for (const row of rows) {
      const sum = logSum(input, row);
      const total = row.reduce((t, i) => t + target.data[i], 0);
      for (const i of row) {
        dx.data[i] = g * (Math.exp(input.data[i] - sum) * total - target.data[i]);
        dt.data[i] = g * (sum - input.data[i]);
      }
    }
    return { input: dx, target: dt };
  },
};
