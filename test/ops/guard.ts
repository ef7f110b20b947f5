import type { Engine } from '../../engine/engine.ts';
import type { Block, Memory } from '../../engine/memory.ts';

const GUARD_BYTES = 256;
const POISON = 0x7fc0a5a5; // a NaN that no kernel computes

/**
 * While it lives, the engine gets no block twice, and every block comes full of NaN and longer than what is asked for: a
 * kernel that leaves a number unwritten shows in its results, and one that writes too far is caught by `check`.
 */
export class Guard {
  #allocated: { block: Block; bytes: number }[] = [];
  #released: Block[] = [];
  static #poison = new Uint32Array(0);

  constructor(readonly engine: Engine) {
    const { memory } = engine;
    const allocate = memory.allocate.bind(memory);
    memory.allocate = (bytes) => {
      const block = allocate(bytes + GUARD_BYTES);
      this.#allocated.push({ block, bytes });
      engine.commands.write(block, Guard.#pattern(block.bytes));
      return block;
    };
    memory.release = (block) => {
      this.#released.push(block);
    };
  }

  static #pattern(bytes: number): Uint32Array<ArrayBuffer> {
    if (Guard.#poison.byteLength < bytes) Guard.#poison = new Uint32Array(bytes / 4).fill(POISON);
    return Guard.#poison.subarray(0, bytes / 4) as Uint32Array<ArrayBuffer>;
  }

  /** Blocks whose guard words were overwritten, with what was asked for. */
  async check(): Promise<number[]> {
    const { gpu } = this.engine.device;
    this.engine.commands.submit();
    const size = this.#allocated.length * GUARD_BYTES;
    const staging = gpu.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = gpu.createCommandEncoder();
    for (const [i, { block, bytes }] of this.#allocated.entries()) {
      encoder.copyBufferToBuffer(block.buffer, bytes, staging, i * GUARD_BYTES, GUARD_BYTES);
    }
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const words = new Uint32Array(staging.getMappedRange());
    const perBlock = GUARD_BYTES / 4;
    const broken = this.#allocated.filter((_, i) =>
      words.subarray(i * perBlock, (i + 1) * perBlock).some((w) => w !== POISON),
    );
    staging.destroy();
    return broken.map(({ bytes }) => bytes);
  }

  [Symbol.dispose](): void {
    const memory: Partial<Memory> = this.engine.memory;
    delete memory.allocate; // the class's own are visible again
    delete memory.release;
    for (const block of this.#released) this.engine.memory.release(block);
  }
}
