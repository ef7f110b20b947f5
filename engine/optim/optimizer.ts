import type { Engine } from '../engine.ts';
import { FormatError, shapeText } from '../errors.ts';
import { type Kernel, type Uniforms, Varying } from '../kernel.ts';
import type { HostTensor, Module, StateDict } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';
import { Flat } from './flat.ts';

/**
 * Changes a module's parameters along their gradients. Parameters, gradients and slots (moments, velocities) lie flat in
 * memory, so that one dispatch updates everything.
 */
export abstract class Optimizer {
  /** Steps taken. */
  steps = 0;
  readonly #names: string[];
  readonly #parameters: readonly Tensor[];
  readonly #weights: Flat;
  readonly #gradients: Flat;
  readonly #slots: Flat[];
  protected readonly engine: Engine;

  constructor(
    module: Module,
    /** Learning rate of the next step. */
    public lr: number,
    readonly kernel: Kernel,
    readonly slotNames: readonly string[],
  ) {
    const named = [...module.namedParameters()];
    this.#names = named.map(([name]) => name);
    this.#parameters = named.map(([, p]) => p);
    this.engine = this.#parameters[0].engine;
    this.#weights = Flat.parameters(module);
    this.#gradients = Flat.zeros(this.engine, 'gradients', this.#parameters);
    this.#slots = slotNames.map((slot) => Flat.zeros(this.engine, `optimizer ${slot}`, this.#parameters));
    for (const [i, p] of this.#parameters.entries()) p.gradHome = this.#gradients.tensors[i];
  }

  /** Floating-point operations for each value of a parameter. */
  protected abstract readonly flops: number;

  /** The shader's hyper-parameters for step t = 1, 2, ... */
  protected abstract hyper(t: number): Uniforms;

  /** One step along the gradients that are there; parameters without one stay. Gradients are given back. */
  step(): void {
    const uniforms = new Varying(() => this.hyper(++this.steps)); // a replayed step counts too
    const update = (weight: Tensor, grad: Tensor, slots: readonly Tensor[]) => {
      const bind = { grad, weight, ...Object.fromEntries(this.slotNames.map((name, s) => [name, slots[s]])) };
      const flops = (this.flops * weight.bytes) / 4;
      this.engine.run(this.kernel, 'step', { bind, uniforms, threads: weight.bytes / 16, flops });
    };
    if (this.#complete()) {
      for (const [i, weights] of this.#weights.pieces.entries()) {
        update(
          weights,
          this.#gradients.pieces[i],
          this.#slots.map(({ pieces }) => pieces[i]),
        );
      }
    } else {
      for (const [i, p] of this.#parameters.entries()) {
        if (p.grad)
          update(
            p,
            p.grad,
            this.#slots.map(({ tensors }) => tensors[i]),
          );
      }
    }
    for (const p of this.#parameters) p.setGrad(undefined);
  }

  /** The gradients that are there, for clipping: in one piece if there is one for every parameter. */
  gradients(): readonly Tensor[] {
    return this.#complete() ? this.#gradients.pieces : this.#parameters.flatMap((p) => p.grad ?? []);
  }

  /** Whether all parameters lie together, and each has its gradient in the place kept for it. */
  #complete(): boolean {
    if (this.#weights.pieces.length === 0) return false;
    return this.#parameters.every((p, i) => p.grad && p.grad === this.#gradients.tensors[i]);
  }

  /** Slots by "slot.parameter"; the step count is the caller's to keep beside them. */
  async stateDict(): Promise<StateDict> {
    const dict: StateDict = new Map();
    for (const [name, slot] of this.slots()) dict.set(name, { shape: slot.shape, data: await slot.read() });
    return dict;
  }

  /** @throws {FormatError} when slots are missing or of another shape */
  loadStateDict(dict: ReadonlyMap<string, HostTensor>, steps: number): void {
    for (const [name, slot] of this.slots()) {
      const given = dict.get(name);
      if (given?.shape.join() !== slot.shape.join()) {
        throw new FormatError(
          `optimizer state ${name}: expected ${shapeText(slot.shape)}, got ${given ? shapeText(given.shape) : 'nothing'}`,
        );
      }
    }
    for (const [name, slot] of this.slots()) this.engine.write(slot, dict.get(name)!.data);
    this.steps = steps;
  }

  dispose(): void {
    for (const p of this.#parameters) p.gradHome = undefined;
    for (const flat of [this.#weights, this.#gradients, ...this.#slots]) flat.dispose();
  }

  /** By "slot.parameter". */
  *slots(): Generator<[name: string, slot: Tensor]> {
    for (const [i, name] of this.#names.entries()) {
      for (const [s, slot] of this.slotNames.entries()) yield [`${slot}.${name}`, this.#slots[s].tensors[i]];
    }
  }
}
