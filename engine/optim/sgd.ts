import wgsl from '../../shaders/sgd.wgsl';
import { Kernel, type Uniforms } from '../kernel.ts';
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
  protected override readonly flops = 6;
  readonly #options: Required<SgdOptions>;

  constructor(module: Module, options: SgdOptions) {
    super(module, options.lr, kernel, ['v']);
    this.#options = { momentum: 0, weightDecay: 0, ...options };
  }

  protected override hyper(): Uniforms {
    return { lr: this.lr, momentum: this.#options.momentum, decay: this.#options.weightDecay };
  }
}
