import { ShapeError, shapeText } from '../errors.ts';
import { expand } from '../kernels/broadcast.ts';
import { sumAxes } from '../kernels/reduce.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

export interface ReduceAttrs {
  /** One axis or several, counted from the end where negative; all if not given. */
  axes?: number | readonly number[];
}

/** Which axes are summed over. @throws {ShapeError} */
export function goneAxes(name: string, input: Shape, { axes }: ReduceAttrs): boolean[] {
  const gone = input.map(() => axes === undefined);
  if (axes === undefined) return gone;
  const list = [axes].flat();
  for (const axis of list) {
    const at = axis < 0 ? axis + input.length : axis;
    if (gone[at] !== false) {
      throw new ShapeError(`${name} axes: expected different axes of ${shapeText(input)}, got ${JSON.stringify(axes)}`);
    }
    gone[at] = true;
  }
  if (list.length === 0) throw new ShapeError(`${name} axes: expected at least one, got none`);
  return gone;
}

/** weight(number of terms) · Σ over the axes given; they disappear from the shape. */
function reduction(name: 'sum' | 'mean', weight: (terms: number) => number) {
  const plan = (input: Shape, attrs: ReduceAttrs) => {
    const gone = goneAxes(name, input, attrs);
    return { gone, scale: weight(size(input.filter((_, axis) => gone[axis]))) };
  };
  return defineOp({
    name,
    inputs: ['input'],
    filters: [],
    attrs: { axes: undefined } as ReduceAttrs,
    shape({ input }, attrs) {
      const gone = goneAxes(name, input, attrs);
      return input.filter((_, axis) => !gone[axis]);
    },
    forward({ input }, { engine, attrs, shape }) {
      const { gone, scale } = plan(input.shape, attrs);
      return reshaped(sumAxes(engine, input, gone, scale), shape);
    },
    saves: [],
    backward: (dy, _, { engine, attrs, shapes }) => ({
      input() {
        const { gone, scale } = plan(shapes.input, attrs);
        const kept = reshaped(
          dy,
          shapes.input.map((n, axis) => (gone[axis] ? 1 : n)),
        );
        return expand(engine, kept, shapes.input, scale);
      },
    }),
    flops: ({ input }) => size(input),
  });
}

/** y = Σ input over `axes` (default all), which disappear. @throws {ShapeError} for an axis that is not there, or twice */
export const sum = reduction('sum', () => 1);

/** y = Σ input / count over `axes` (default all), which disappear. @throws {ShapeError} as sum */
export const mean = reduction('mean', (terms) => 1 / terms);
