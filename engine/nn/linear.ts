import { linear } from '../ops/linear.ts';
import type { Tensor } from '../tensor.ts';
import { constant, type Init, xavierUniform } from './init.ts';
import { type Build, Module } from './module.ts';

export interface LinearOptions {
  readonly in: number;
  readonly out: number;
  readonly bias?: boolean;
  readonly init?: Init;
}

/** y = x · weightᵀ + bias: (N, in) to (N, out). */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor({ engine, random }: Build, options: LinearOptions) {
    super();
    const { out, bias = true, init = xavierUniform } = options;
    const shape = [out, options.in];
    this.weight = engine.parameter(shape, init(shape, random), 'filter');
    this.bias = bias ? engine.parameter([out], constant(0)([out], random)) : undefined;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }
}
