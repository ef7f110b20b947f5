import { ShapeError, shapeText } from '../errors.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

/** The shape asked for, its -1 (at most one) replaced by what is left. @throws {ShapeError} */
function resolve(input: Shape, shape: Shape): Shape {
  const rest = size(input) / -size(shape);
  const result = shape.map((n) => (n === -1 ? rest : n));
  const whole = result.every((n) => Number.isInteger(n) && n > 0);
  if (!whole || shape.filter((n) => n === -1).length > 1 || size(result) !== size(input)) {
    throw new ShapeError(`reshape: ${shapeText(input)} cannot have shape ${shapeText(shape)}`);
  }
  return result;
}

/**
 * The same numbers in row-major order under another shape, as in PyTorch. One size may be -1: what is left.
 * @throws {ShapeError} when the numbers of elements differ
 */
export const reshape = defineOp({
  name: 'reshape',
  inputs: ['input'],
  filters: [],
  attrs: { shape: [] as Shape },
  shape: ({ input }, attrs) => resolve(input, attrs.shape),
  forward: ({ input }, { shape }) => reshaped(input, shape),
  saves: [],
  backward: (dy, _, { shapes }) => ({ input: () => reshaped(dy, shapes.input) }),
  flops: () => 0,
});
