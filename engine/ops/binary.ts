import { broadcastShape, combine, divisorGradient, type Kind, sumTo } from '../kernels/broadcast.ts';
import { defineOp } from '../op.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';

type Saved = Record<'a' | 'b' | 'y', Tensor>;

/** Gradients before the sum over what an operand repeats are of the result's shape. */
interface Binary {
  readonly saves: readonly ('a' | 'b' | 'y')[];
  a(dy: Tensor, saved: Saved, shape: Shape): Tensor;
  b(dy: Tensor, saved: Saved, shape: Shape): Tensor;
}

function binary(name: Kind, gradient: Binary) {
  return defineOp({
    name,
    inputs: ['a', 'b'],
    filters: [],
    attrs: {},
    shape: ({ a, b }) => broadcastShape(name, a, b),
    forward: ({ a, b }, { engine, shape }) => combine(engine, name, a, b, shape),
    saves: gradient.saves,
    backward: (dy, saved, { shapes }) => ({
      a: () => gradient.a(dy, saved, shapes.a),
      b: () => gradient.b(dy, saved, shapes.b),
    }),
    flops: (_, __, out) => size(out),
  });
}

/**
 * y = a + b. Axes of size 1 repeat; a vector (C) beside (N, C, ...) stands on its channel axis; other shapes of lower
 * rank align on the right, as in PyTorch. @throws {ShapeError} when the shapes do not go together
 */
export const add = binary('add', {
  saves: [],
  a: (dy, _, shape) => sumTo(dy.engine, dy, shape),
  b: (dy, _, shape) => sumTo(dy.engine, dy, shape),
});

/** y = a - b, broadcast as in `add`. */
export const sub = binary('sub', {
  saves: [],
  a: (dy, _, shape) => sumTo(dy.engine, dy, shape),
  b: (dy, _, shape) => sumTo(dy.engine, dy, shape, -1),
});

/** y = a·b, broadcast as in `add`. */
export const mul = binary('mul', {
  saves: ['a', 'b'],
  a: (dy, { b }, shape) => sumTo(dy.engine, combine(dy.engine, 'mul', dy, b, dy.shape, 'mul.da'), shape),
  b: (dy, { a }, shape) => sumTo(dy.engine, combine(dy.engine, 'mul', dy, a, dy.shape, 'mul.db'), shape),
});

/** y = a / b, broadcast as in `add`. */
export const div = binary('div', {
  saves: ['b', 'y'],
  a: (dy, { b }, shape) => sumTo(dy.engine, combine(dy.engine, 'div', dy, b, dy.shape, 'div.da'), shape),
  b: (dy, { b, y }, shape) => sumTo(dy.engine, divisorGradient(dy.engine, dy, y, b), shape),
});
