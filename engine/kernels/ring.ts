import wgsl from '../../shaders/ring.wgsl';
import type { Engine } from '../engine.ts';
import { Kernel, Varying } from '../kernel.ts';
import type { Storage, Tensor } from '../tensor.ts';

const kernel = new Kernel('ring', wgsl);

/** The newest numbers of a series, such as losses, kept on the device so that many can be read back at once. */
export class Ring {
  /** How many were put in. */
  count = 0;
  readonly #storage: Storage;

  constructor(
    readonly engine: Engine,
    readonly capacity: number,
  ) {
    this.#storage = engine.raw(4 * capacity);
  }

  /** Adds the value of a tensor of one element; a replayed step adds its own. */
  put(x: Tensor): void {
    const uniforms = new Varying(() => ({ at: this.count++ % this.capacity }));
    this.engine.run(kernel, 'put', { bind: { x, ring: this.#storage }, uniforms, grid: [1] });
  }

  /** As they are after everything recorded so far: the k-th number lies at k modulo the capacity. */
  async read(): Promise<Float32Array> {
    return new Float32Array(await this.engine.readRaw(this.#storage));
  }

  dispose(): void {
    this.#storage.release();
  }
}
