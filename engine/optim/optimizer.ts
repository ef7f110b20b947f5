import type { Engine } from '../engine.ts';
import { FormatError, shapeText } from '../errors.ts';
import { type Kernel, type Uniforms, Varying } from '../kernel.ts';
import type { HostTensor, Module, StateDict } from '../nn/module.ts';
import type { Tensor } from '../tensor.ts';

/** Changes a module's parameters along their gradients. Slots (moments, velocities) lie beside each parameter. */
export abstract class Optimizer {
  /** Steps taken. */
  steps = 0;
  readonly #names: string[];
  readonly #parameters: Tensor[];
  readonly #slots: Tensor[][];
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
    this.#slots = this.#parameters.map((p) =>
      slotNames.map(() =>
        this.engine.parameter(p.shape, new Float32Array(p.shape.reduce((a, b) => a * b, 1)), p.layout),
      ),
    );
  }

  /** Floating-point operations for each value of a parameter. */
  protected abstract readonly flops: number;

  /** The shader's hyper-parameters for step t = 1, 2, ... */
  protected abstract hyper(t: number): Uniforms;

  /** One step along the gradients that are there; parameters without one stay. Gradients are given back. */
  step(): void {
    const uniforms = new Varying(() => this.hyper(++this.steps)); // a replayed step counts too
    this.#parameters.forEach((weight, i) => {
      if (!weight.grad) return;
      const slots = Object.fromEntries(this.slotNames.map((name, s) => [name, this.#slots[i][s]]));
      const bind = { grad: weight.grad, weight, ...slots };
      const flops = (this.flops * weight.bytes) / 4;
      this.engine.run(this.kernel, 'step', { bind, uniforms, threads: weight.bytes / 16, flops });
      weight.setGrad(undefined);
    });
  }

  /** Gradients by parameter, for clipping. */
  gradients(): Tensor[] {
    return this.#parameters.flatMap((p) => p.grad ?? []);
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
    for (const slot of this.#slots.flat()) slot.release();
  }

  /** By "slot.parameter". */
  *slots(): Generator<[name: string, slot: Tensor]> {
    for (const [i, name] of this.#names.entries()) {
      for (const [s, slot] of this.slotNames.entries()) yield [`${slot}.${name}`, this.#slots[i][s]];
    }
  }
}
