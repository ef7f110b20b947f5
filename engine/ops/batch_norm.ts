import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { expand } from '../kernels/broadcast.ts';
import { type Affine, Norm, type Statistics } from '../kernels/norm.ts';
import { defineOp, expectShape, once } from '../op.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';

/**
 * What is wrong with running statistics: both or none, and both where y comes from them, `own` being false.
 * @throws {ShapeError}
 */
export function checkRunning(
  name: string,
  { running_mean: mean, running_var: variance }: { readonly running_mean?: Shape; readonly running_var?: Shape },
  own: boolean,
  momentum: number,
): void {
  if (!mean !== !variance || !(own || mean)) {
    const missing = mean ? 'running_var' : 'running_mean';
    const where = name === 'batch_norm' ? 'in training' : 'with use_input_stats';
    throw new ShapeError(`${name} ${missing}: expected both running statistics, or none ${where}, got none`);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new ShapeError(`${name} momentum: expected a share from 0 to 1, got ${momentum}`);
  }
}

/** Running statistics as inputs. */
export const RUNNING = ['running_mean', 'running_var'] as const;

/** What is wrong with the axes, weight, bias or eps of a normalisation, said once for all of them. @throws {ShapeError} */
export function checkNorm(
  name: string,
  ranks: readonly [least: number, most: number],
  inputs: { readonly input: Shape; readonly [vector: string]: Shape | undefined },
  eps: number,
): void {
  const { input, ...vectors } = inputs;
  const [least, most] = ranks;
  if (input.length < least || input.length > most) {
    throw new ShapeError(`${name} input: expected ${least} to ${most} axes, got shape ${shapeText(input)}`);
  }
  for (const [key, shape] of Object.entries(vectors)) if (shape) expectShape(`${name} ${key}`, shape, [input[1]]);
  if (!(eps > 0)) throw new ShapeError(`${name} eps: expected a number above 0, got ${eps}`);
}

/** Gradients of a normalisation by the names of its inputs. @param given whether the statistics are inputs, too */
export function normGradients(
  norm: Norm,
  dy: Tensor,
  { x, statistics, given, ...affine }: { x?: Tensor; statistics: Statistics; given: boolean } & Affine,
) {
  const sums = once(() => norm.sums(dy, x!, statistics, affine));
  const parameter = (of: Parameters<Norm['parameterGradient']>[0]) => (into?: Tensor) =>
    norm.parameterGradient(of, sums(), statistics, affine.weight, into);
  return {
    input: () => (given ? norm.scale(dy, x, statistics, affine) : norm.gradient(dy, x!, statistics, affine, sums())),
    weight: parameter('weight'),
    bias: parameter('bias'),
    ...(given && { running_mean: parameter('running_mean'), running_var: parameter('running_var') }),
  };
}

/** Gradients of running statistics where y does not depend on them. */
export function unmoved(engine: Engine, channels: number) {
  const none = () => expand(engine, engine.one, [channels], 0);
  return { running_mean: none, running_var: none };
}

/**
 * Batch normalisation: y = act(weight·(x - mean) / √(variance + eps) + bias), a channel at a time; act(v) = v where v > 0, else
 * negative_slope·v: 1 none, 0 the ReLU that mostly follows, in the same pass over memory.
 * Ioffe, Szegedy 2015, "Batch Normalization", algorithm 1; its gradients in section 3.
 *
 * In training, mean and (biased) variance are those of the batch, over all axes but the channels, and the running statistics
 * move towards them, in place: running += momentum·(batch - running), with the variance's unbiased estimate as PyTorch does, or
 * with `unbiased: false` the biased one as TensorFlow does. Otherwise mean and variance are the running ones, as given.
 * @param input (N, C) or (N, C, ...), up to five axes @param weight (C), 1 if missing @param bias (C), 0 if missing
 * @param running_mean (C) @param running_var (C): both or none; in evaluation both @returns y, the shape of input
 * @throws {ShapeError} when shapes do not fit, a running statistic is missing, a training batch has one value a channel, eps
 * is not above 0, momentum not in 0..1, or negative_slope below 0
 */
export const batch_norm = defineOp({
  name: 'batch_norm',
  inputs: ['input', 'weight?', 'bias?', 'running_mean?', 'running_var?'],
  filters: [],
  attrs: { training: false, momentum: 0.1, eps: 1e-5, unbiased: true, negative_slope: 1 },
  moves: ({ training }) => (training ? RUNNING : []),
  shape(inputs, { training, momentum, eps, negative_slope: leak }) {
    const { input } = inputs;
    checkNorm('batch_norm', [2, 5], inputs, eps);
    checkRunning('batch_norm', inputs, training, momentum);
    if (training && size(input) === input[1]) {
      throw new ShapeError(
        `batch_norm training: expected more than one value a channel, got shape ${shapeText(input)}`,
      );
    }
    if (!(leak >= 0)) throw new ShapeError(`batch_norm negative_slope: expected 0 or more, got ${leak}`);
    return input;
  },
  forward({ input: x, weight, bias, running_mean, running_var }, { engine, attrs, keep }) {
    const { training, momentum, eps, unbiased, negative_slope: leak } = attrs;
    const norm = new Norm(engine, 'batch_norm', x.shape, 1, eps, leak);
    const running = running_mean && running_var && { mean: running_mean, variance: running_var };
    if (!training) return norm.normalise(x, running!, { weight, bias });
    const batch = norm.moments(x);
    if (running) norm.update(running, batch, momentum, unbiased);
    keep?.('mean', batch.mean, true);
    keep?.('variance', batch.variance, true);
    return norm.normalise(x, batch, { weight, bias });
  },
  saves: ({ training, negative_slope: leak }, tracked) => {
    const affine = leak === 1 ? (['weight'] as const) : (['weight', 'bias'] as const);
    if (training) return ['input', ...affine];
    const read = leak !== 1 || (['weight', 'bias', 'running_mean', 'running_var'] as const).some(tracked);
    return [...affine, 'running_mean', 'running_var', ...(read ? (['input'] as const) : [])];
  },
  backward(dy, { input: x, weight, bias, running_mean, running_var }, { engine, attrs, shapes, kept }) {
    const { training, eps, negative_slope: leak } = attrs;
    const norm = new Norm(engine, 'batch_norm', shapes.input, 1, eps, leak);
    const statistics = training
      ? { mean: kept.mean!, variance: kept.variance! }
      : { mean: running_mean!, variance: running_var! };
    const gradients = normGradients(norm, dy, { x, weight, bias, statistics, given: !training });
    return training ? { ...gradients, ...unmoved(engine, shapes.input[1]) } : gradients;
  },
  flops: ({ input }) => 4 * size(input),
});
