import wgsl from '../../shaders/ema.wgsl';
import { Kernel } from '../kernel.ts';
import type { HostTensor, Module, StateDict } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';

const kernel = new Kernel('ema', wgsl);

/**
 * Exponential moving average of a module's weights: a = d·a + (1 - d)·w after every step, a = w at the start. In the first
 * steps d is smaller, (1 + t) / (10 + t), so that the first weights are soon forgotten. Polyak, Juditsky 1992.
 */
export class Ema {
  readonly #weights: [name: string, weight: Tensor][];
  readonly #averages: Tensor[];

  constructor(
    module: Module,
    readonly decay: number,
  ) {
    this.#weights = [...module.namedParameters()];
    this.#averages = this.#weights.map(([, { engine, shape, layout }]) =>
      engine.parameter(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)), layout),
    );
    this.#run('update', 0);
  }

  /** After optimizer step t = 1, 2, ... */
  update(t: number): void {
    this.#run('update', Math.min(this.decay, (1 + t) / (10 + t)));
  }

  /** Exchanges weights and averages, without loss of a bit: once to use the averages, once to train on. */
  swap(): void {
    this.#run('swap', 0);
  }

  async stateDict(): Promise<StateDict> {
    const dict: StateDict = new Map();
    for (const [name, average] of this.averages()) dict.set(name, { shape: average.shape, data: await average.read() });
    return dict;
  }

  /** The dictionary must fit, as the module's own must. */
  loadStateDict(dict: ReadonlyMap<string, HostTensor>): void {
    for (const [i, [name, { engine }]] of this.#weights.entries())
      engine.write(this.#averages[i], dict.get(name)!.data);
  }

  /** By the weights' names. */
  *averages(): Generator<[name: string, average: Tensor]> {
    for (const [i, [name]] of this.#weights.entries()) yield [name, this.#averages[i]];
  }

  dispose(): void {
    for (const average of this.#averages) average.release();
  }

  #run(entry: 'update' | 'swap', decay: number): void {
    for (const [i, [, weight]] of this.#weights.entries()) {
      const bind = { weight, average: this.#averages[i] };
      const flops = entry === 'update' ? (3 * weight.bytes) / 4 : 0;
      weight.engine.run(kernel, entry, { bind, uniforms: { decay }, threads: weight.bytes / 16, flops });
    }
  }
}
