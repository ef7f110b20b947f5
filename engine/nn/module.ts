import type { Engine } from '../engine.ts';
import { FormatError, shapeText } from '../errors.ts';
import type { Random } from '../random.ts';
import { type Shape, Tensor } from '../tensor.ts';
import { checkpoint } from './checkpoint.ts';

/** Where dropout draws its masks from: a counter that goes on, and is kept in checkpoints. */
export class Noise {
  constructor(
    readonly seed: number,
    public counter = 0,
  ) {}
}

/** What a module is built with: its device, the numbers its weights start from, the noise it drops with. */
export interface Build {
  readonly engine: Engine;
  readonly random: Random;
  readonly noise: Noise;
}

/** A tensor on the host, in PyTorch's order. */
export interface HostTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

export type StateDict = Map<string, HostTensor>;

/** A network or a part of one. Its parameters are its properties, named by their path as in PyTorch: blocks.0.prelu.weight. */
export abstract class Module {
  training = true;
  /** Where it is called by `pass` or `chain`, keep only its inputs for the gradients, and compute again what happens inside. */
  checkpointed = false;

  abstract forward(...inputs: Tensor[]): Tensor;

  readonly #buffers = new Set<Tensor>();

  /** A tensor that belongs to the module and to its state, but that no optimizer changes: running statistics. */
  protected buffer(engine: Engine, shape: Shape, data: ArrayLike<number>): Tensor {
    const tensor = engine.lasting(() => engine.tensor(shape, data));
    this.#buffers.add(tensor);
    return tensor;
  }

  /** Parameters by path, in the order of the properties; one that stands in several places, by the first. */
  *namedParameters(): Generator<[name: string, parameter: Tensor]> {
    for (const [name, tensor, buffer] of this.#state('')) if (!buffer) yield [name, tensor];
  }

  /** Parameters and buffers: all that a state dictionary holds, as `namedParameters` orders them. */
  *namedTensors(): Generator<[name: string, tensor: Tensor]> {
    for (const [name, tensor] of this.#state('')) yield [name, tensor];
  }

  *#state(prefix: string): Generator<[name: string, tensor: Tensor, buffer: boolean]> {
    const seen = new Set<Tensor>();
    for (const [path, value] of this.#members(prefix)) {
      const own: Iterable<[string, Tensor, boolean]> =
        value instanceof Tensor ? [[path, value, this.#buffers.has(value)]] : value.#state(`${path}.`);
      for (const entry of own) {
        if (!seen.has(entry[1])) yield entry;
        seen.add(entry[1]);
      }
    }
  }

  parameters(): Tensor[] {
    return [...this.namedParameters()].map(([, p]) => p);
  }

  /** This module and all within it, by path: '' is this one. */
  *namedModules(path = ''): Generator<[path: string, module: Module]> {
    yield [path, this];
    for (const [member, value] of this.#members(path && `${path}.`)) {
      if (value instanceof Module) yield* value.namedModules(member);
    }
  }

  /** Whether running it twice gives the same: layers that draw random numbers say no. */
  get repeats(): boolean {
    return [...this.#members('')].every(([, value]) => value instanceof Tensor || value.repeats);
  }

  /**
   * Marks what has several layers within as checkpointed, where it repeats; a layer alone would be computed again for nothing.
   * @returns whether there is any such block
   */
  checkpointBlocks(): boolean {
    const blocks = [...this.namedModules()].flatMap(([, module]) => {
      const layers = [...module.#members('')].filter(([, value]) => value instanceof Module);
      return module !== this && layers.length > 1 && module.repeats ? [module] : [];
    });
    for (const block of blocks) block.checkpointed = true;
    return blocks.length > 0;
  }

  /** Lets gradients pass through this module without computing those of its parameters, as feature losses want it. */
  freeze(): this {
    for (const parameter of this.parameters()) parameter.tracked = false;
    return this;
  }

  /** Number of values in all parameters. */
  parameterCount(): number {
    return this.parameters().reduce((sum, p) => sum + p.shape.reduce((a, b) => a * b, 1), 0);
  }

  /** Training (dropout drops) or evaluation. */
  train(on = true): this {
    this.training = on;
    for (const [, value] of this.#members('')) if (value instanceof Module) value.train(on);
    return this;
  }

  async stateDict(): Promise<StateDict> {
    const dict: StateDict = new Map();
    for (const [name, p] of this.namedTensors()) dict.set(name, { shape: p.shape, data: await p.read() });
    return dict;
  }

  /** Replaces all parameters and buffers. @throws {FormatError} that names every missing, unknown or misshapen tensor */
  loadStateDict(dict: ReadonlyMap<string, HostTensor>): void {
    const problems: string[] = [];
    const own = new Map(this.namedTensors());
    for (const [name, p] of own) {
      const given = dict.get(name);
      if (!given) problems.push(`${name} ${shapeText(p.shape)} is missing`);
      else if (given.shape.join() !== p.shape.join()) {
        problems.push(`${name}: expected ${shapeText(p.shape)}, got ${shapeText(given.shape)}`);
      } else if (!given.data.every(Number.isFinite)) problems.push(`${name} holds values that are not finite`);
    }
    for (const [name, { shape }] of dict) if (!own.has(name)) problems.push(`${name} ${shapeText(shape)} is unknown`);
    if (problems.length > 0) {
      const more = problems.length > 8 ? `; and ${problems.length - 8} more` : '';
      throw new FormatError(`these weights do not fit this network: ${problems.slice(0, 8).join('; ')}${more}`);
    }
    for (const [name, p] of own) p.engine.write(p, dict.get(name)!.data);
  }

  /** Returns the memory of parameters and buffers to the device. */
  dispose(): void {
    for (const [, tensor] of [...this.namedTensors()]) tensor.release();
  }

  *#members(prefix: string): Generator<[string, Tensor | Module]> {
    for (const [key, value] of Object.entries(this)) {
      if (value instanceof Tensor || value instanceof Module) yield [prefix + key, value];
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) if (item instanceof Module) yield [`${prefix}${key}.${i}`, item];
      }
    }
  }
}

/** module.forward(...inputs): how a network calls its blocks, so that they can be checkpointed. */
export function pass(module: Module, ...inputs: Tensor[]): Tensor {
  return module.checkpointed ? checkpoint(module, ...inputs) : module.forward(...inputs);
}

/** Layers that belong to someone else, as one block. */
export class Block extends Module {
  readonly #forward: (...inputs: Tensor[]) => Tensor;

  constructor(forward: (...inputs: Tensor[]) => Tensor) {
    super();
    this.#forward = forward;
  }

  forward(...inputs: Tensor[]): Tensor {
    return this.#forward(...inputs);
  }
}

/** Applies modules in turn. Each result is given up as soon as the next has read it, unless the tape needs it. */
export function chain(x: Tensor, modules: readonly Module[]): Tensor {
  using scope = x.engine.scope();
  return scope.keep(
    modules.reduce((y, module) => {
      const next = pass(module, y);
      if (next !== y) scope.release(y); // x itself belongs to someone else and stays
      return next;
    }, x),
  );
}
