import wgsl from '../../shaders/concat.wgsl';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { axisOf, lieOf, resized } from '../kernels/axis.ts';
import { defineOp } from '../op.ts';
import { window } from './slice.ts';

const kernel = new Kernel('concat', wgsl);

/**
 * a, then b, along one axis. The gradient of each is its slice of dy.
 * @param a any shape of one axis or more @param b the shape of a, but for the size of `axis`
 * @throws {ShapeError} when other axes differ
 */
export const concat = defineOp({
  name: 'concat',
  inputs: ['a', 'b'],
  filters: [],
  attrs: { axis: 0 },
  shape({ a, b }, attrs) {
    const axis = axisOf('concat', attrs.axis, a);
    if (a.length !== b.length || a.some((n, i) => i !== axis && n !== b[i])) {
      throw new ShapeError(
        `concat: ${shapeText(a)} and ${shapeText(b)} may differ in the size of axis ${axis}, nowhere else`,
      );
    }
    return resized(a, axis, a[axis] + b[axis]);
  },
  forward({ a, b }, { attrs, run, shape }) {
    const axis = axisOf('concat', attrs.axis, a.shape);
    const { channels, inner } = lieOf(a.shape, axis);
    const sizes = { a: a.shape[axis], b: b.shape[axis] };
    if (!channels) {
      return run(kernel, 'quads', { bind: { a, b }, uniforms: { a: sizes.a * inner, b: sizes.b * inner }, out: shape });
    }
    if (sizes.a % 4 === 0) {
      return run(kernel, 'quads', {
        bind: { a, b },
        uniforms: { a: sizes.a / 4, b: Math.ceil(sizes.b / 4) },
        out: shape,
      });
    }
    return run(kernel, 'channels', { bind: { a_channels: a, b_channels: b }, uniforms: sizes, out: shape });
  },
  saves: [],
  backward(dy, _, { engine, attrs, shapes }) {
    const axis = axisOf('concat', attrs.axis, shapes.a);
    return {
      a: () => window(engine, dy, axis, 0, shapes.a[axis]),
      b: () => window(engine, dy, axis, shapes.a[axis], shapes.b[axis]),
    };
  },
  flops: () => 0,
});
