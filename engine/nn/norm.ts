import { batch_norm } from '../ops/batch_norm.ts';
import { instance_norm } from '../ops/instance_norm.ts';
import type { Tensor } from '../tensor.ts';
import { type Build, Module } from './module.ts';

export interface BatchNormOptions {
  readonly eps?: number;
  /** Share of a batch in the running statistics. */
  readonly momentum?: number;
  /** Whether running variances take the unbiased estimate, as in PyTorch, or the biased one, as in TensorFlow. */
  readonly unbiased?: boolean;
}

const filled = (count: number, value: number): Float32Array => new Float32Array(count).fill(value);

/**
 * y = batch_norm(x). In training by the batch's statistics, which move the running ones; in evaluation, or where it is
 * `frozen` while the rest trains (partial batch norm), by the running ones. A block that is computed a second time for its
 * gradients moves them once.
 */
export class BatchNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;
  frozen = false;
  readonly #options: BatchNormOptions;

  constructor({ engine }: Build, channels: number, options: BatchNormOptions = {}) {
    super();
    this.weight = engine.parameter([channels], filled(channels, 1));
    this.bias = engine.parameter([channels], filled(channels, 0));
    this.running_mean = this.buffer(engine, [channels], filled(channels, 0));
    this.running_var = this.buffer(engine, [channels], filled(channels, 1));
    this.#options = options;
  }

  forward(x: Tensor): Tensor {
    return this.fused(x);
  }

  /** With the activation that follows, in the same pass over memory. @param negative_slope below zero: 1 none, 0 ReLU */
  fused(x: Tensor, { negative_slope }: { negative_slope?: number } = {}): Tensor {
    const { weight, bias, running_mean: mean, running_var: variance } = this;
    const training = this.training && !this.frozen;
    const attrs = { ...this.#options, training, negative_slope };
    if (training && x.engine.repeating) return batch_norm(x, weight, bias, undefined, undefined, attrs);
    return batch_norm(x, weight, bias, mean, variance, attrs);
  }
}

/** y = instance_norm(x), with a weight and a bias a channel unless `affine` is false. */
export class InstanceNorm extends Module {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly #eps: number | undefined;

  constructor({ engine }: Build, channels: number, { eps, affine = true }: { eps?: number; affine?: boolean } = {}) {
    super();
    this.weight = affine ? engine.parameter([channels], filled(channels, 1)) : undefined;
    this.bias = affine ? engine.parameter([channels], filled(channels, 0)) : undefined;
    this.#eps = eps;
  }

  forward(x: Tensor): Tensor {
    return instance_norm(x, this.weight, this.bias, undefined, undefined, { eps: this.#eps });
  }
}
