import { type NDArray, type Reference, zeros } from './array.ts';
import { forEachIndex, strides } from './loops.ts';

/** (C) beside (N, C, ...) stands on the channel axis; otherwise shapes align on the right, as in PyTorch. */
function aligned(shape: readonly number[], rank: number): number[] {
  const result = new Array<number>(rank).fill(1);
  const first = shape.length === 1 && shape[0] > 1 && rank > 1 ? 1 : rank - shape.length;
  shape.forEach((n, a) => {
    result[first + a] = n;
  });
  return result;
}

/** Shape of the result, and for each operand how far one step along each axis goes in it: 0 where it repeats. */
function broadcast(a: NDArray, b: NDArray): { shape: number[]; steps: number[][] } {
  const rank = Math.max(a.shape.length, b.shape.length);
  const shapes = [aligned(a.shape, rank), aligned(b.shape, rank)];
  return {
    shape: shapes[0].map((n, axis) => Math.max(n, shapes[1][axis])),
    steps: shapes.map((s) => strides(s).map((step, axis) => (s[axis] === 1 ? 0 : step))),
  };
}

/** Runs over (position in y, in a, in b). */
function forEachPair(a: NDArray, b: NDArray, visit: (y: number, a: number, b: number) => void): void {
  const { shape, steps } = broadcast(a, b);
  forEachIndex(shape, (index, position) => {
    let [i, j] = [0, 0];
    for (let axis = 0; axis < index.length; axis++) {
      i += index[axis] * steps[0][axis];
      j += index[axis] * steps[1][axis];
    }
    visit(position, i, j);
  });
}

/** y = f(a, b) with broadcasting, and its two partial derivatives; a repeated operand sums its gradient. */
function binary<A>(
  f: (a: number, b: number, attrs: A) => number,
  slopeA: (a: number, b: number, attrs: A) => number,
  slopeB: (a: number, b: number, attrs: A) => number,
): Reference<A> {
  return {
    forward({ a, b }, attrs) {
      const result = zeros(broadcast(a, b).shape);
      forEachPair(a, b, (y, i, j) => {
        result.data[y] = f(a.data[i], b.data[j], attrs);
      });
      return result;
    },
    backward(dy, { a, b }, attrs) {
      const [da, db] = [zeros(a.shape), zeros(b.shape)];
      forEachPair(a, b, (y, i, j) => {
        da.data[i] += dy.data[y] * slopeA(a.data[i], b.data[j], attrs);
        db.data[j] += dy.data[y] * slopeB(a.data[i], b.data[j], attrs);
      });
      return { a: da, b: db };
    },
  };
}

/** a + alpha·b */
export const add = binary<{ alpha?: number }>(
  (a, b, { alpha = 1 }) => a + alpha * b,
  () => 1,
  (_a, _b, { alpha = 1 }) => alpha,
);

/** a - b */
export const sub = binary(
  (a, b) => a - b,
  () => 1,
  () => -1,
);

/** a·b */
export const mul = binary(
  (a, b) => a * b,
  (_, b) => b,
  (a) => a,
);

/** a / b; ∂/∂b = -a / b². */
export const div = binary(
  (a, b) => a / b,
  (_, b) => 1 / b,
  (a, b) => -a / (b * b),
);
