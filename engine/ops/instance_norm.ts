import { ShapeError, shapeText } from '../errors.ts';
import { Norm, type Statistics } from '../kernels/norm.ts';
import { sumAxes } from '../kernels/reduce.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp } from '../op.ts';
import { size, type Tensor } from '../tensor.ts';
import { checkNorm, checkRunning, normGradients, RUNNING, unmoved } from './batch_norm.ts';

/** The mean over samples of what belongs to each, (N, C) to (C). */
function overSamples({ mean, variance }: Statistics): Statistics {
  const average = (x: Tensor) => {
    const sum = sumAxes(x.engine, x, [true, false], 1 / x.shape[0]);
    return reshaped(sum, [x.shape[1]]);
  };
  return { mean: average(mean), variance: average(variance) };
}

/**
 * Instance normalisation: as batch normalisation in training, but each sample by itself. y = weight·(x - mean) /
 * √(variance + eps) + bias with mean and biased variance of each channel of each sample over its positions.
 * Ulyanov, Vedaldi, Lempitsky 2016, "Instance Normalization", eq. 2.
 *
 * Running statistics are PyTorch's: where they are given, those of the samples, averaged, move them in place, the variance's
 * unbiased estimate: running += momentum·(batch - running). With `use_input_stats` false, mean and variance are the running ones.
 * @param input (N, C, ...), three to five axes @param weight (C), 1 if missing @param bias (C), 0 if missing
 * @param running_mean (C) @param running_var (C): both or none; without use_input_stats both @returns y, the shape of input
 * @throws {ShapeError} when shapes do not fit, a running statistic is missing, a sample has one value a channel, eps is not
 * above 0, or momentum not in 0..1
 */
export const instance_norm = defineOp({
  name: 'instance_norm',
  inputs: ['input', 'weight?', 'bias?', 'running_mean?', 'running_var?'],
  filters: [],
  attrs: { use_input_stats: true, momentum: 0.1, eps: 1e-5 },
  moves: ({ use_input_stats: own }) => (own ? RUNNING : []),
  shape(inputs, { use_input_stats: own, momentum, eps }) {
    checkNorm('instance_norm', [3, 5], inputs, eps);
    checkRunning('instance_norm', inputs, own, momentum);
    if (own && size(inputs.input.slice(2)) === 1) {
      const got = shapeText(inputs.input);
      throw new ShapeError(`instance_norm input: expected more than one position, got shape ${got}`);
    }
    return inputs.input;
  },
  forward({ input: x, weight, bias, running_mean, running_var }, { engine, attrs, keep }) {
    const { use_input_stats: own, momentum, eps } = attrs;
    const running = running_mean && running_var && { mean: running_mean, variance: running_var };
    const norm = new Norm(engine, 'instance_norm', x.shape, own ? x.shape[0] : 1, eps);
    if (!own) return norm.normalise(x, running!, { weight, bias });
    const statistics = norm.moments(x);
    if (running) norm.update(running, overSamples(statistics), momentum, true);
    keep?.('mean', statistics.mean, true);
    keep?.('variance', statistics.variance, true);
    return norm.normalise(x, statistics, { weight, bias });
  },
  saves: ({ use_input_stats: own }) => ['input', 'weight', ...(own ? [] : RUNNING)],
  backward(dy, { input: x, weight, running_mean, running_var }, { engine, attrs, shapes, kept }) {
    const { use_input_stats: own, eps } = attrs;
    const norm = new Norm(engine, 'instance_norm', shapes.input, own ? shapes.input[0] : 1, eps);
    const statistics = own
      ? { mean: kept.mean!, variance: kept.variance! }
      : { mean: running_mean!, variance: running_var! };
    const gradients = normGradients(norm, dy, { x, weight, statistics, given: !own });
    return own ? { ...gradients, ...unmoved(engine, shapes.input[1]) } : gradients;
  },
  flops: ({ input }) => 4 * size(input),
});
