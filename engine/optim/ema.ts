import wgsl from '../../shaders/ema.wgsl';
import { Kernel, Varying } from '../kernel.ts';
import type { HostTensor, Module, StateDict } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';
import { Flat } from './flat.ts';

const kernel = new Kernel('ema', wgsl);

/**
 * Exponential moving average of a module's weights: a = d·a + (1 - d)·w after every step, a = w at the start. In the first
 * steps d is smaller, (1 + t) / (10 + t), so that the first weights are soon forgotten. Polyak, Juditsky 1992.
 */
export class Ema {
  /** Updates so far. */
  steps = 0;
  readonly #names: string[];
  readonly #weights: Flat;
  readonly #averages: Flat;

  constructor(
    module: Module,
    readonly decay: number,
  ) {
    const parameters = module.parameters();
    this.#names = [...module.namedParameters()].map(([name]) => name);
    this.#weights = Flat.parameters(module);
    this.#averages = Flat.zeros(parameters[0].engine, 'averages', parameters);
    this.#run('update', () => 0);
  }

  /** After each step of the optimizer. */
  update(): void {
    this.#run('update', () => {
      const t = ++this.steps; // a replayed step counts too
      return Math.min(this.decay, (1 + t) / (10 + t));
    });
  }

  /** Exchanges weights and averages, without loss of a bit: once to use the averages, once to train on. */
  swap(): void {
    this.#run('swap', () => 0);
  }

  async stateDict(): Promise<StateDict> {
    const dict: StateDict = new Map();
    for (const [name, average] of this.averages()) dict.set(name, { shape: average.shape, data: await average.read() });
    return dict;
  }

  /** The dictionary must fit, as the module's own must. @param steps updates so far */
  loadStateDict(dict: ReadonlyMap<string, HostTensor>, steps: number): void {
    for (const [name, average] of this.averages()) average.engine.write(average, dict.get(name)!.data);
    this.steps = steps;
  }

  /** By the weights' names. */
  *averages(): Generator<[name: string, average: Tensor]> {
    for (const [i, name] of this.#names.entries()) yield [name, this.#averages.tensors[i]];
  }

  dispose(): void {
    this.#weights.dispose();
    this.#averages.dispose();
  }

  #run(entry: 'update' | 'swap', decay: () => number): void {
    const uniforms = new Varying(() => ({ decay: decay() }));
    const together = this.#weights.pieces.length > 0;
    for (const [i, weight] of this.#weights.parts.entries()) {
      const bind = { weight, average: together ? this.#averages.pieces[i] : this.#averages.tensors[i] };
      const flops = entry === 'update' ? (3 * weight.bytes) / 4 : 0;
      weight.engine.run(kernel, entry, { bind, uniforms, threads: weight.bytes / 16, flops });
    }
  }
}
