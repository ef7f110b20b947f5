import { ShapeError, shapeText } from '../errors.ts';
import { Norm } from '../kernels/norm.ts';
import { defineOp } from '../op.ts';
import { size } from '../tensor.ts';
import { checkNorm, normGradients } from './batch_norm.ts';

/**
 * Instance normalisation: as batch normalisation in training, but each sample by itself. y = weight·(x - mean) /
 * √(variance + eps) + bias with mean and biased variance of each channel of each sample over its positions.
 * Ulyanov, Vedaldi, Lempitsky 2016, "Instance Normalization", eq. 2.
 * @param input (N, C, ...), three to five axes @param weight (C), 1 if missing @param bias (C), 0 if missing
 * @returns y, the shape of input
 * @throws {ShapeError} when shapes do not fit, a sample has one value a channel, or eps is not above 0
 */
export const instance_norm = defineOp({
  name: 'instance_norm',
  inputs: ['input', 'weight?', 'bias?'],
  filters: [],
  attrs: { eps: 1e-5 },
  shape(inputs, { eps }) {
    checkNorm('instance_norm', [3, 5], inputs, eps);
    if (size(inputs.input.slice(2)) === 1) {
      const got = shapeText(inputs.input);
      throw new ShapeError(`instance_norm input: expected more than one position, got shape ${got}`);
    }
    return inputs.input;
  },
  forward({ input: x, weight, bias }, { engine, attrs, keep }) {
    const norm = new Norm(engine, 'instance_norm', x.shape, x.shape[0], attrs.eps);
    const statistics = norm.moments(x);
    keep?.('mean', statistics.mean, true);
    keep?.('variance', statistics.variance, true);
    return norm.normalise(x, statistics, { weight, bias });
  },
  saves: ['input', 'weight'],
  backward(dy, { input: x, weight }, { engine, attrs, shapes, kept }) {
    const norm = new Norm(engine, 'instance_norm', shapes.input, shapes.input[0], attrs.eps);
    const statistics = { mean: kept.mean!, variance: kept.variance! };
    return normGradients(norm, dy, { x, weight, statistics, given: false });
  },
  flops: ({ input }) => 4 * size(input),
});
