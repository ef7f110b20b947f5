import { broadcastShape, combine, divisorGradient, type Kind, sumTo } from '../kernels/broadcast.ts';
import { defineOp } from '../op.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';

type Saved = Record<'a' | 'b' | 'y', Tensor>;

/** Gradients before the sum over what an operand repeats are of the result's shape. */
interface Binary<A> {
  readonly attrs: A;
  readonly saves: readonly ('a' | 'b' | 'y')[];
  a(dy: Tensor, saved: Saved, shape: Shape): Tensor;
  b(dy: Tensor, saved: Saved, shape: Shape, attrs: A): Tensor;
}

function binary<A extends { alpha?: number }>(name: Kind, gradient: Binary<A>) {
  return defineOp({
    name,
    inputs: ['a', 'b'],
    filters: [],
    attrs: gradient.attrs,
    shape: ({ a, b }) => broadcastShape(name, a, b),
    forward: ({ a, b }, { engine, shape, attrs }) => combine(engine, name, a, b, shape, name, attrs.alpha),
    saves: gradient.saves,
    backward: (dy, saved, { shapes, attrs }) => ({
      a: () => gradient.a(dy, saved, shapes.a),
      b: () => gradient.b(dy, saved, shapes.b, attrs),
    }),
    flops: (_, __, out) => size(out),
  });
}

/**
 * y = a + alpha·b. Axes of size 1 repeat; a vector (C) beside (N, C, ...) stands on its channel axis; other shapes of lower
 * rank align on the right, as in PyTorch. @throws {ShapeError} when the shapes do not go together
 */
export const add = binary('add', {
  attrs: { alpha: 1 },
  saves: [],
  a: (dy, _, shape) => sumTo(dy.engine, dy, shape),
  b: (dy, _, shape, { alpha }) => sumTo(dy.engine, dy, shape, alpha),
});

/** y = a - b, broadcast as in `add`. */
export const sub = binary('sub', {
  attrs: {},
  saves: [],
  a: (dy, _, shape) => sumTo(dy.engine, dy, shape),
  b: (dy, _, shape) => sumTo(dy.engine, dy, shape, -1),
});

/** y = a·b, broadcast as in `add`. */
export const mul = binary('mul', {
  attrs: {},
  saves: ['a', 'b'],
  a: (dy, { b }, shape) => sumTo(dy.engine, combine(dy.engine, 'mul', dy, b, dy.shape, 'mul.da'), shape),
  b: (dy, { a }, shape) => sumTo(dy.engine, combine(dy.engine, 'mul', dy, a, dy.shape, 'mul.db'), shape),
});

/** y = a / b, broadcast as in `add`. */
export const div = binary('div', {
  attrs: {},
  saves: ['b', 'y'],
  a: (dy, { b }, shape) => sumTo(dy.engine, combine(dy.engine, 'div', dy, b, dy.shape, 'div.da'), shape),
  b: (dy, { b, y }, shape) => sumTo(dy.engine, divisorGradient(dy.engine, dy, y, b), shape),
});
