import type { Engine } from '../engine.ts';
import { copy } from '../kernels/accumulate.ts';
import type { Module } from '../nn/module.ts';
import { type Layout, type Shape, type Storage, Tensor } from '../tensor.ts';

/** Storage bindings begin at multiples of this on every device. */
const ALIGNMENT = 256;

interface Form {
  readonly shape: Shape;
  readonly layout: Layout;
  readonly bytes: number;
}

/**
 * Tensors that lie one behind the other, so that one dispatch can treat them all: the parameters of a module, and beside
 * them their gradients, moments and averages. There are several pieces where one could not be bound as a whole. The gaps
 * between tensors hold zeros.
 */
export class Flat {
  /** What lies in a piece of memory. */
  static readonly #contents = new WeakMap<Storage, readonly Tensor[]>();

  private constructor(
    readonly tensors: readonly Tensor[],
    /** All of the memory, as vectors; none where the tensors share it with others, so that each must be treated alone. */
    readonly pieces: readonly Tensor[],
  ) {}

  /** Zeros of these shapes. @param what names them where memory is watched */
  static zeros(engine: Engine, what: string, forms: readonly Form[]): Flat {
    const most = Math.min(engine.caps.limits.bindingBytes, engine.caps.limits.bufferBytes);
    const plan: { bytes: number; offsets: number[] }[] = [];
    for (const { bytes } of forms) {
      const step = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
      if (plan.length === 0 || plan.at(-1)!.bytes + step > most) plan.push({ bytes: 0, offsets: [] });
      const piece = plan.at(-1)!;
      piece.offsets.push(piece.bytes);
      piece.bytes += step;
    }
    const outer = engine.at.op;
    engine.at.op = what;
    const rest = [...forms];
    const tensors: Tensor[] = [];
    const pieces = plan.map(({ bytes, offsets }) => {
      const storage: Storage = engine.raw(bytes, [bytes / 4]);
      engine.commands.write(storage.block, new Uint8Array(bytes));
      for (const offset of offsets) {
        const { shape, layout, bytes: own } = rest.shift()!;
        tensors.push(new Tensor(storage.slice(offset, own), shape, layout));
      }
      return new Tensor(storage, [bytes / 4], 'image');
    });
    engine.at.op = outer;
    return new Flat(tensors, pieces);
  }

  /**
   * Moves a module's parameters into one piece of memory. Where they lie in one already, that one serves; where some of them
   * lie flat with others (an optimizer of a part of the module, or of more), all stay where they are.
   */
  static parameters(module: Module): Flat {
    const parameters = module.parameters();
    const wholes = [...new Set(parameters.flatMap((p) => p.storage.whole ?? []))];
    if (wholes.length > 0) {
      const there = wholes.flatMap((whole) => Flat.#contents.get(whole) ?? []);
      const same = there.length === parameters.length && there.every((p, i) => p === parameters[i]);
      const vector = (whole: Storage) => new Tensor(whole.retain(), [whole.bytes / 4], 'image');
      return new Flat(
        parameters.map((p) => p.retain()),
        same ? wholes.map(vector) : [],
      );
    }
    const flat = Flat.zeros(parameters[0].engine, 'parameters', parameters);
    for (const [i, p] of parameters.entries()) {
      copy(p, flat.tensors[i]);
      p.moveTo(flat.tensors[i].storage.retain());
    }
    for (const { storage } of flat.pieces) {
      const within = parameters.filter((p) => p.storage.whole === storage);
      Flat.#contents.set(storage, within);
    }
    return flat;
  }

  /** What one dispatch each can treat: the pieces, or the tensors one by one. */
  get parts(): readonly Tensor[] {
    return this.pieces.length > 0 ? this.pieces : this.tensors;
  }

  dispose(): void {
    for (const tensor of [...this.tensors, ...this.pieces]) tensor.release();
  }
}
