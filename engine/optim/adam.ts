import wgsl from '../../shaders/adam.wgsl';
import { Kernel, type Uniforms } from '../kernel.ts';
import type { Module } from '../nn/module.ts';
import { Optimizer } from './optimizer.ts';

const kernel = new Kernel('adam', wgsl);

export interface AdamOptions {
  readonly lr: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** Adam: w -= lr · m̂ / (√v̂ + eps), m̂ and v̂ the bias-corrected moments of the gradient. Kingma, Ba 2015, algorithm 1. */
export class Adam extends Optimizer {
  protected override readonly flops = 15;
  readonly #options: Required<AdamOptions>;

  constructor(module: Module, options: AdamOptions) {
    super(module, options.lr, kernel, ['m', 'v']);
    this.#options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, ...options };
  }

  protected override hyper(t: number): Uniforms {
    const { beta1, beta2, eps, weightDecay } = this.#options;
    const step_size = this.lr / (1 - beta1 ** t);
    return { step_size, root_correction: 1 / Math.sqrt(1 - beta2 ** t), beta1, beta2, eps, decay: weightDecay };
  }
}
