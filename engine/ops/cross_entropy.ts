import { ShapeError, shapeText } from '../errors.ts';
import { combine, expand } from '../kernels/broadcast.ts';
import { sumAxes } from '../kernels/reduce.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp, expectShape } from '../op.ts';
import { type Shape, size } from '../tensor.ts';
import { logSumExp } from './log_sum_exp.ts';
import { softmax } from './softmax.ts';

const classes = (shape: Shape): boolean[] => shape.map((_, axis) => axis === 1);
const rows = (shape: Shape): number => size(shape) / shape[1];

/**
 * Cross entropy of classes: y = the mean over samples and positions of -Σ_c target[c] · log softmax(input)[c], never overflows.
 * @param input (N, C, ...) scores @param target (N, C, ...) probabilities: one at the right class, or a mixture
 * @throws {ShapeError} when the shapes differ, or have no axis of classes
 */
export const cross_entropy = defineOp({
  name: 'cross_entropy',
  inputs: ['input', 'target'],
  filters: [],
  attrs: {},
  shape({ input, target }) {
    if (input.length < 2) throw new ShapeError(`cross_entropy input: expected (N, C, ...), got ${shapeText(input)}`);
    expectShape('cross_entropy target', target, input);
    return [];
  },
  forward({ input: x, target }, { engine, shape }) {
    // -log softmax(x) = log Σ e^x - x
    const surprise = combine(engine, 'sub', logSumExp(engine, x, classes(x.shape)), x, x.shape);
    const terms = combine(engine, 'mul', target, surprise, x.shape);
    const everything = x.shape.map(() => true);
    return reshaped(sumAxes(engine, terms, everything, 1 / rows(x.shape)), shape);
  },
  saves: ['input', 'target'],
  backward: (dy, { input: x, target }, { engine, shapes }) => {
    const shape = shapes.input;
    const each = expand(engine, dy, [], 1 / rows(shape));
    return {
      input() {
        const total = sumAxes(engine, target, classes(shape));
        const expected = combine(engine, 'mul', softmax(x, { dim: 1 }), total, shape);
        return combine(engine, 'mul', combine(engine, 'sub', expected, target, shape), each, shape, 'cross_entropy.dx');
      },
      target() {
        const surprise = combine(engine, 'sub', logSumExp(engine, x, classes(shape)), x, shape);
        return combine(engine, 'mul', surprise, each, shape, 'cross_entropy.dt');
      },
    };
  },
  flops: ({ input }) => 6 * size(input),
});
