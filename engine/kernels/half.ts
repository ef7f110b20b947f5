import wgsl from '../../shaders/half.wgsl';
import { Kernel } from '../kernel.ts';
import type { Layout, Shape, Storage, Tensor } from '../tensor.ts';

const kernel = new Kernel('half', wgsl);

/** A tensor's values rounded to 16-bit floats, relative error 2^-11, those beyond 65,504 clamped. */
export class Half {
  readonly #shape: Shape;
  readonly #layout: Layout;
  readonly #storage: Storage;
  #refs = 1;

  constructor({ engine, shape, layout, storage, bytes }: Tensor) {
    this.#shape = shape;
    this.#layout = layout;
    this.#storage = engine.raw(bytes / 2, shape);
    engine.run(kernel, 'pack', { bind: { wide: storage, half: this.#storage }, threads: bytes / 16 });
  }

  unpack(): Tensor {
    const { engine } = this.#storage;
    const out = engine.empty(this.#shape, this.#layout);
    engine.run(kernel, 'unpack', { bind: { packed: this.#storage, out }, threads: out.bytes / 16 });
    return out;
  }

  retain(): this {
    this.#refs++;
    return this;
  }

  release(): void {
    if (--this.#refs === 0) this.#storage.release();
  }

  get released(): boolean {
    return this.#refs === 0;
  }
}
