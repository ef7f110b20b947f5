import { type NDArray, type Reference, zeros } from './array.ts';

/** One number for all axes, or a list with one number an axis, as in PyTorch. */
export type PerAxis = number | readonly number[];
export const perAxis = (value: PerAxis, axes: number): readonly number[] =>
  typeof value === 'number' ? new Array(axes).fill(value) : value;

/** Axis -1 is the last one. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Elements between two neighbours along each axis of a dense row-major array. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let a = shape.length - 2; a >= 0; a--) result[a] = result[a + 1] * shape[a + 1];
  return result;
}

/** Calls visit(index, position) for every element in row-major order. The index array is one and the same in all calls. */
export function forEachIndex(shape: readonly number[], visit: (index: number[], position: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const elements = shape.reduce((a, b) => a * b, 1);
  for (let position = 0; position < elements; position++) {
    visit(index, position);
    for (let a = shape.length - 1; a >= 0 && ++index[a] === shape[a]; a--) index[a] = 0;
  }
}

/** y[to] takes weight · x[from]. */
export type Term = (to: number, from: number, weight: number) => void;

/**
 * An op that is linear in its only input, told by its terms: y[i] = Σ weight·x[j] over every (i, j, weight) visited.
 * The gradient runs the same terms backwards: dx[j] = Σ weight·dy[i].
 */
export function linear<A>(
  outputShape: (input: readonly number[], attrs: A) => number[],
  terms: (input: readonly number[], output: readonly number[], attrs: A, visit: Term) => void,
): Reference<A> {
  return {
    forward({ input }, attrs) {
      const y = zeros(outputShape(input.shape, attrs));
      terms(input.shape, y.shape, attrs, (to, from, weight) => {
        y.data[to] += weight * input.data[from];
      });
      return y;
    },
    backward(dy, { input }, attrs) {
      const dx = zeros(input.shape);
      terms(input.shape, dy.shape, attrs, (to, from, weight) => {
        dx.data[from] += weight * dy.data[to];
      });
      return { input: dx };
    },
  };
}

/** A new array of the same shape, f(element, position) each. */
export const map = (x: NDArray, f: (value: number, position: number) => number): NDArray => ({
  shape: [...x.shape],
  data: x.data.map(f),
});
