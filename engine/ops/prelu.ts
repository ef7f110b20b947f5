import wgsl from '../../shaders/prelu.wgsl';
import { Kernel } from '../kernel.ts';
import { CHUNK, sumLanes, sumMiddle } from '../kernels/reduce.ts';
import { defineOp, expectShape } from '../op.ts';
import { extent, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('prelu', wgsl);

const quads = (shape: Shape): number => Math.ceil(extent(shape, 'image').channels / 4);
/** One slope for all; with one channel both readings are the same. */
const shared = (weight: Shape): boolean => weight[0] === 1;

/** v where x > 0, else slope·v: the PReLU of x for v = x, its gradient for v = dy. */
export function scale(x: Tensor, slope: Tensor, v: Tensor, label: string): Tensor {
  const out = x.engine.empty(x.shape);
  x.engine.run(kernel, 'scale', {
    bind: { x, weight: slope, v, out },
    constants: { C4: quads(x.shape), SHARED: shared(slope.shape) },
    threads: out.bytes / 16,
    flops: size(x.shape),
    label,
  });
  return out;
}

/** Gradient of the slopes: Σ dy·min(x, 0) over batch and positions, or over everything for a single slope. */
export function slopeGradient(x: Tensor, slope: Shape, dy: Tensor, into?: Tensor): Tensor {
  const { engine } = x;
  const C4 = quads(x.shape);
  const chunks = Math.ceil(x.bytes / 16 / C4 / CHUNK);
  using part = engine.raw(chunks * C4 * 16);
  engine.run(kernel, 'slope_gradient', {
    bind: { x, v: dy, out: part },
    constants: { C4 },
    uniforms: { chunks },
    threads: chunks * C4,
    flops: x.bytes / 2,
    label: 'prelu.dw',
  });
  const out = into ?? engine.empty(slope);
  if (shared(slope)) {
    using sum = engine.raw(16);
    sumMiddle(engine, part, { outer: 1, middle: chunks * C4, inner: 1 }, sum);
    sumLanes(engine, sum, out);
  } else sumMiddle(engine, part, { outer: 1, middle: chunks, inner: C4 }, out);
  return out;
}

/**
 * Parametric ReLU: y = x where x > 0, else a·x, with one learned slope a, or one a channel.
 * He et al. 2015, "Delving Deep into Rectifiers", eq. 1; gradient of a from eq. 2 and 3.
 * @param input (N, C, ...) activations @param weight (C) or (1) slopes @returns y, the shape of input
 * @throws {ShapeError} when weight holds neither one value nor one per channel
 */
export const prelu = defineOp({
  name: 'prelu',
  inputs: ['input', 'weight'],
  filters: [],
  attrs: {},
  shape({ input, weight }) {
    expectShape('prelu weight', weight, [1], ...(input.length > 1 ? [[input[1]]] : []));
    return input;
  },
  forward: ({ input: x, weight }) => scale(x, weight, x, 'prelu'),
  saves: ['input', 'weight'],
  backward: (dy, { input: x, weight }) => ({
    input: () => scale(x, weight, dy, 'prelu.dx'),
    weight: (into) => slopeGradient(x, weight.shape, dy, into),
  }),
  flops: ({ input }) => size(input),
});
