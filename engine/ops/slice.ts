import wgsl from '../../shaders/slice.wgsl';
import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { axisOf, lieOf, resized } from '../kernels/axis.ts';
import { defineOp } from '../op.ts';
import type { Shape, Tensor } from '../tensor.ts';

const kernel = new Kernel('slice', wgsl);

/** `outputs` elements of x from `first` on along an axis, zeros where x has none: slices, and pads with zeros. */
export function window(engine: Engine, x: Tensor, axis: number, first: number, outputs: number): Tensor {
  const { channels, size: inputs, inner } = lieOf(x.shape, axis);
  if (first === 0 && outputs === inputs) return engine.view(x, x.shape);
  const out = engine.empty(resized(x.shape, axis, outputs));
  const threads = out.bytes / 16;
  if (!channels) {
    const uniforms = { inputs: inputs * inner, outputs: outputs * inner, first: first * inner };
    engine.run(kernel, 'quads', { bind: { x, out }, uniforms, threads });
  } else if (first % 4 === 0 && (outputs % 4 === 0 || first + outputs >= inputs)) {
    const uniforms = { inputs: Math.ceil(inputs / 4), outputs: Math.ceil(outputs / 4), first: first / 4 };
    engine.run(kernel, 'quads', { bind: { x, out }, uniforms, threads });
  } else {
    engine.run(kernel, 'channels', { bind: { x_channels: x, out }, uniforms: { inputs, outputs, first }, threads });
  }
  return out;
}

interface Attrs {
  axis: number;
  start: number;
  /** The axis's size if not given. */
  end: number | undefined;
}

/** As Python slices: negative bounds count from the end, bounds beyond the ends are cut. */
function bounds(input: Shape, attrs: Attrs): { axis: number; first: number; outputs: number } {
  const axis = axisOf('slice', attrs.axis, input);
  const n = input[axis];
  const { start, end = n } = attrs;
  if (!Number.isInteger(start) || !Number.isInteger(end)) {
    throw new ShapeError(`slice: expected whole numbers, got ${start}:${end}`);
  }
  const place = (i: number) => Math.min(Math.max(i < 0 ? i + n : i, 0), n);
  const outputs = place(end) - place(start);
  if (outputs < 1) throw new ShapeError(`slice ${start}:${end}: nothing left of axis ${axis} of ${shapeText(input)}`);
  return { axis, first: place(start), outputs };
}

/**
 * y = input[..., start:end, ...] along one axis.
 * @param input any shape of one axis or more @throws {ShapeError} when there is no such axis, or nothing is left of it
 */
export const slice = defineOp({
  name: 'slice',
  inputs: ['input'],
  filters: [],
  attrs: { axis: 0, start: 0, end: undefined } as Attrs,
  shape({ input }, attrs) {
    const { axis, outputs } = bounds(input, attrs);
    return resized(input, axis, outputs);
  },
  forward({ input }, { engine, attrs }) {
    const { axis, first, outputs } = bounds(input.shape, attrs);
    return window(engine, input, axis, first, outputs);
  },
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input() {
      const { axis, first } = bounds(shapes.input, attrs);
      return window(engine, dy, axis, -first, shapes.input[axis]);
    },
  }),
  flops: () => 0,
});
