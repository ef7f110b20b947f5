import wgsl from '../../shaders/prelu.wgsl';
import { Kernel } from '../kernel.ts';
import { CHUNK, sumLanes, sumMiddle } from '../kernels/reduce.ts';
import { defineOp, expectShape } from '../op.ts';
import { extent, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('prelu', wgsl);

const quads = (shape: Shape): number => Math.ceil(extent(shape, 'image').channels / 4);
/** One slope for all; with one channel both readings are the same. */
const shared = (weight: Shape): boolean => weight[0] === 1;

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
  forward: ({ input: x, weight }, { run, shape }) =>
    run(kernel, 'scale', {
      bind: { x, weight, v: x },
      constants: { C4: quads(shape), SHARED: shared(weight.shape) },
      out: shape,
      flops: size(shape),
      label: 'prelu',
    }),
  saves: ['input', 'weight'],
  backward: (dy, { input: x, weight }, { engine, run, shape }) => ({
    input: () =>
      run(kernel, 'scale', {
        bind: { x, weight, v: dy },
        constants: { C4: quads(shape), SHARED: shared(weight.shape) },
        out: shape,
        flops: size(shape),
        label: 'prelu.dx',
      }),
    weight: () => {
      const C4 = quads(shape);
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
      const out = engine.empty(weight.shape);
      if (shared(weight.shape)) {
        using sum = engine.raw(16);
        sumMiddle(engine, part, { outer: 1, middle: chunks * C4, inner: 1 }, sum);
        sumLanes(engine, sum, out);
      } else sumMiddle(engine, part, { outer: 1, middle: chunks, inner: C4 }, out);
      return out;
    },
  }),
  flops: ({ input }) => size(input),
});
