import type { Device } from './device.ts';
import { LimitError, OutOfMemoryError } from './errors.ts';

/** A pooled GPU buffer and what the recorder must know about it. */
export interface Block {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** Unique for the life of the pool: names the block in bind group keys. */
  readonly id: number;
  /** The last batch of commands that uses it. A host write must wait until that batch is submitted. */
  lastBatch: number;
}

export interface MemoryStats {
  /** Bytes and count of blocks in use. */
  readonly live: number;
  readonly liveBlocks: number;
  /** Highest `live` since the last resetPeak(). */
  readonly peak: number;
  /** Bytes of free blocks that wait for reuse. */
  readonly pooled: number;
}

const MIN_BLOCK = 256;
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Sizes in quarter steps between powers of two: at most 25 % of a block is slack, and few distinct sizes exist. */
export function sizeClass(bytes: number): number {
  if (bytes <= MIN_BLOCK) return MIN_BLOCK;
  const quarter = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / Math.max(quarter, 64)) * Math.max(quarter, 64);
}

/** Recycles storage buffers by size class and counts what is live. */
export class Memory {
  #free = new Map<number, Block[]>();
  #live = 0;
  #liveBlocks = 0;
  #peak = 0;
  #pooled = 0;
  #nextId = 1;

  constructor(
    readonly device: Device,
    /** Submits what is recorded: it may still use blocks that are free by now. */
    readonly flush: () => void,
    /** Most bytes that may be live at once. */
    public budget = Number.POSITIVE_INFINITY,
  ) {}

  /**
   * @param bytes what the caller binds; the block may be larger
   * @throws {LimitError} when one tensor exceeds what the adapter can bind
   * @throws {OutOfMemoryError} when the budget does not allow it
   */
  allocate(bytes: number): Block {
    const { bindingBytes, bufferBytes } = this.device.caps.limits;
    const most = Math.min(bindingBytes, bufferBytes);
    if (bytes > most) {
      throw new LimitError(
        `a tensor of ${mebibytes(bytes)} is needed, but this adapter binds at most ${mebibytes(most)} at once: use smaller tiles, crops or batches`,
      );
    }
    const size = Math.min(sizeClass(bytes), bufferBytes);
    if (this.#live + size > this.budget) {
      throw new OutOfMemoryError(
        `${mebibytes(bytes)} more device memory is needed, but ${mebibytes(this.#live)} of the ${mebibytes(this.budget)} allowed is in use`,
      );
    }
    let block = this.#free.get(size)?.pop();
    if (block) this.#pooled -= size;
    else block = this.#create(size);
    this.#live += size;
    this.#liveBlocks++;
    this.#peak = Math.max(this.#peak, this.#live);
    return block;
  }

  release(block: Block): void {
    this.#live -= block.bytes;
    this.#liveBlocks--;
    this.#pooled += block.bytes;
    const list = this.#free.get(block.bytes);
    if (list) list.push(block);
    else this.#free.set(block.bytes, [block]);
  }

  #create(size: number): Block {
    // Free blocks of other sizes may be what keeps this one from fitting.
    if (this.#live + this.#pooled + size > this.budget) this.trim();
    const { gpu } = this.device;
    gpu.pushErrorScope('out-of-memory');
    const buffer = gpu.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    const inUse = mebibytes(this.#live);
    this.device.watch(
      gpu.popErrorScope(),
      ({ message }) => new OutOfMemoryError(`the device has no ${mebibytes(size)} left (${inUse} in use): ${message}`),
    );
    return { buffer, bytes: size, id: this.#nextId++, lastBatch: -1 };
  }

  /** Gives all free blocks back to the device. */
  trim(): void {
    this.flush();
    for (const list of this.#free.values()) for (const block of list) block.buffer.destroy();
    this.#free.clear();
    this.#pooled = 0;
  }

  resetPeak(): void {
    this.#peak = this.#live;
  }

  stats(): MemoryStats {
    return { live: this.#live, liveBlocks: this.#liveBlocks, peak: this.#peak, pooled: this.#pooled };
  }
}
