import wgsl from '../../shaders/reshape.wgsl';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { defineOp } from '../op.ts';
import { extent, plainStrides, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('reshape', wgsl);

/** The numbers of an image in their row-major order under another shape: a view where memory allows it, else a copy. */
export function reshaped(x: Tensor, shape: Shape): Tensor {
  const { engine } = x;
  const [a, b] = [extent(x.shape, 'image'), extent(shape, 'image')];
  if (a.channels === b.channels && (a.inner === b.inner || a.channels === 1)) return engine.view(x, shape);
  const out = engine.empty(shape);
  engine.run(kernel, 'reshape', {
    bind: { x, out },
    uniforms: { ...plainStrides(out), x_channels: a.channels, x_inner: a.inner },
    threads: out.bytes / 16,
  });
  return out;
}

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
