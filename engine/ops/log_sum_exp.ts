import wgsl from '../../shaders/log_sum_exp.wgsl';
import type { Engine } from '../engine.ts';
import { Kernel } from '../kernel.ts';
import { combine } from '../kernels/broadcast.ts';
import { CHUNK, type Fold, foldAxes } from '../kernels/reduce.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp } from '../op.ts';
import { extent, padded, type Shape, size, type Tensor } from '../tensor.ts';
import { goneAxes, type ReduceAttrs } from './sum.ts';
import { exp } from './unary.ts';

const kernel = new Kernel('log_sum_exp', wgsl);

/** log Σ e^x over the axes that `gone` marks; each of them stays with size 1. */
export const logSumExp = (engine: Engine, x: Tensor, gone: readonly boolean[]): Tensor =>
  foldAxes(engine, x, gone, passes(engine, x.shape, gone));

/** Passes over axes of a shape; the padding of its channels must be left out at the first, or cleared at the last. */
function passes(engine: Engine, shape: Shape, gone: readonly boolean[]): Fold {
  const { channels } = extent(shape, 'image');
  const channelsGo = gone[Math.min(shape.length, 2) - 1];
  const isPadded = channels % 4 !== 0;
  const lanes = { C4: padded(channels) / 4, LANES: ((channels - 1) % 4) + 1 };
  const middle: Fold['middle'] = (x, view, out, first, last) => {
    const chunks = Math.ceil(view.middle / CHUNK);
    const pass = (to: typeof out, isLast: boolean) => {
      const SKIP = isPadded && first && channelsGo;
      const CLEAR = isPadded && isLast && !channelsGo;
      engine.run(kernel, 'middle', {
        bind: { x, out: to },
        constants: SKIP || CLEAR ? { ...lanes, SKIP, CLEAR } : {},
        uniforms: { middle: view.middle, inner: view.inner, chunks },
        threads: view.outer * chunks * view.inner,
        flops: view.outer * view.middle * view.inner * 12,
      });
    };
    if (chunks === 1) pass(out, last);
    else {
      using parts = engine.raw(view.outer * chunks * view.inner * 16);
      pass(parts, false);
      middle(parts, { ...view, middle: chunks }, out, false, last);
    }
  };
  return {
    middle,
    lanes(x, out) {
      engine.run(kernel, 'lanes', { bind: { x, out }, threads: out.bytes / 16, flops: out.bytes });
    },
  };
}

/**
 * y = log Σ e^input over `axes` (default all), which disappear; never overflows. Its gradient is softmax over them all.
 * @throws {ShapeError} for an axis that is not there, or twice
 */
export const log_sum_exp = defineOp({
  name: 'log_sum_exp',
  inputs: ['input'],
  filters: [],
  attrs: { axes: undefined } as ReduceAttrs,
  shape({ input }, attrs) {
    const gone = goneAxes('log_sum_exp', input, attrs);
    return input.filter((_, axis) => !gone[axis]);
  },
  forward({ input }, { engine, attrs, shape }) {
    const gone = goneAxes('log_sum_exp', input.shape, attrs);
    return reshaped(logSumExp(engine, input, gone), shape);
  },
  saves: ['input', 'y'],
  backward: (dy, { input, y }, { engine, attrs, shapes }) => ({
    input() {
      const gone = goneAxes('log_sum_exp', shapes.input, attrs);
      const kept = (x: Tensor) =>
        reshaped(
          x,
          shapes.input.map((n, axis) => (gone[axis] ? 1 : n)),
        );
      const share = exp(combine(engine, 'sub', input, kept(y), shapes.input));
      return combine(engine, 'mul', share, kept(dy), shapes.input, 'log_sum_exp.dx');
    },
  }),
  flops: ({ input }) => 3 * size(input),
});
