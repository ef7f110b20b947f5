import wgsl from '../../shaders/sgd.wgsl';
import { Kernel } from '../kernel.ts';
import type { Module } from '../nn/module.ts';
import { Optimizer } from './optimizer.ts';

const kernel = new Kernel('sgd', wgsl);

export interface SgdOptions {
  readonly lr: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
}

/** Gradient descent with momentum: v = momentum·v + g + decay·w, w -= lr·v. */
export class Sgd extends Optimizer {
  readonly #options: Required<SgdOptions>;

  constructor(module: Module, options: SgdOptions) {
    super(module, options.lr, kernel, ['v'], 3);
    this.#options = { momentum: 0, weightDecay: 0, ...options };
  }

  protected override hyper(): number[] {
    return [this.lr, this.#options.momentum, this.#options.weightDecay];
  }
}
