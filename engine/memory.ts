import type { Device } from './device.ts';
import { LimitError, OutOfMemoryError } from './errors.ts';

/** A pooled GPU buffer and what the recorder must know about it. */
export interface Block {
  readonly buffer: GPUBuffer;
  /** Of the buffer. */
  readonly room: number;
  /** What counts as live while the block is in use: the size class that was asked for, at most `room`. */
  bytes: number;
  /** Unique for the life of the pool: names the block in bind group keys. */
  readonly id: number;
  /** The last batch of commands that uses it. A host write must wait until that batch is submitted. */
  lastBatch: number;
  /** The free list that it returns to. */
  readonly home: FreeList;
  /** False once the device has said that it had no memory for this block. */
  exists: boolean;
  /** When it became free, on the pool's own clock. */
  freed: number;
}

/** Free blocks by size. */
export class FreeList {
  #lists = new Map<number, Block[]>();
  /** The list that has taken over this one's blocks. */
  successor: FreeList | undefined;
  /** A captured step keeps these blocks for its replays: they count as live, used or not. */
  held = false;

  /** The smallest block of at least so many bytes and at most LOOSE times as many, of these the one freed last. */
  take(bytes: number): Block | undefined {
    let room = bytes;
    if (!this.#lists.has(bytes)) {
      const fits = [...this.#lists.keys()].filter((size) => size > bytes && size <= LOOSE * bytes);
      room = Math.min(...fits);
    }
    const list = this.#lists.get(room);
    const block = list?.pop();
    if (list?.length === 0) this.#lists.delete(room);
    return block;
  }

  put(block: Block): void {
    const lists = (this.successor ?? this).#lists;
    const list = lists.get(block.room);
    if (list) list.push(block);
    else lists.set(block.room, [block]);
  }

  /** Removes and returns the block that has been free for longest. */
  takeOldest(): Block | undefined {
    const [first, ...rest] = this.#lists.values();
    if (!first) return undefined;
    const list = rest.reduce((oldest, other) => (other[0].freed < oldest[0].freed ? other : oldest), first);
    const [block] = list.splice(0, 1);
    if (list.length === 0) this.#lists.delete(block.room);
    return block;
  }

  size(): { blocks: number; bytes: number } {
    const all = [...this.#lists.values()].flat();
    return { blocks: all.length, bytes: all.reduce((sum, block) => sum + block.room, 0) };
  }

  /** Removes and returns all blocks. */
  drain(): Block[] {
    const all = [...this.#lists.values()].flat();
    this.#lists.clear();
    return all;
  }
}

export interface MemoryStats {
  /** Bytes and count of blocks in use. */
  readonly live: number;
  readonly liveBlocks: number;
  /** Highest `live` since the last resetPeak(). */
  readonly peak: number;
  /** Bytes beyond these that the pool has from the device: free blocks, and what is too large of others. */
  readonly pooled: number;
}

const MIN_BLOCK = 256;
/** A free block may serve for what needs 1 / LOOSE of it: networks whose channels grow never ask for the same size twice. */
const LOOSE = 2;
/** The pool holds at most so many times what was ever live at once, and a little more: enough that a step finds all it needs. */
const HELD = 2;
const HELD_BESIDES = 2 ** 26;
export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Sizes in sixteenths between powers of two: at most 6 % of a block is slack, and a network has few distinct sizes. */
export function sizeClass(bytes: number): number {
  if (bytes <= MIN_BLOCK) return MIN_BLOCK;
  const step = Math.max(2 ** (Math.floor(Math.log2(bytes - 1)) - 4), 64);
  return Math.ceil(bytes / step) * step;
}

/** Recycles storage buffers and counts, by size class, what is live. */
export class Memory {
  readonly #common = new FreeList();
  /** Where blocks come from now: the common list, or that of a step being captured. */
  #free = this.#common;
  #live = 0;
  #liveBlocks = 0;
  #peak = 0;
  /** The highest `live` since the last trim(). */
  #highest = 0;
  /** Bytes of all blocks. */
  #total = 0;
  #nextId = 1;
  #clock = 0;

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
    let block = this.#takeFree(size);
    if (!block) {
      // Free blocks of other sizes may be what keeps this one from fitting.
      if (this.#total + size > this.budget) this.trim();
      block = this.#create(size);
    }
    // Of a reserve, blocks count whole, used or not.
    block.bytes = this.#free === this.#common ? size : block.room;
    this.#raise(block.bytes);
    this.#liveBlocks++;
    this.#shrink(HELD * this.#highest + HELD_BESIDES);
    return block;
  }

  release(block: Block): void {
    block.freed = this.#clock++;
    if (block.home.held) {
      block.home.put(block);
      return;
    }
    this.#live -= block.bytes;
    this.#liveBlocks--;
    block.home.put(block);
  }

  /** From here until `endReserve`, blocks come from a list of their own, so that nobody else ever writes into them. */
  beginReserve(): void {
    this.#free = new FreeList();
  }

  endReserve(): FreeList {
    const reserve = this.#free;
    this.#free = this.#common;
    reserve.held = true;
    this.#count(reserve, 1);
    return reserve;
  }

  /** Whether a block comes from the reserve of the step being captured. */
  isReserved(block: Block): boolean {
    return this.#free !== this.#common && block.home === this.#free;
  }

  /** Hands the blocks of a reserve to everyone; those still in use follow when they are released. */
  unreserve(reserve: FreeList): void {
    this.#count(reserve, -1);
    reserve.held = false;
    reserve.successor = this.#common;
    for (const block of reserve.drain()) this.#common.put(block);
  }

  /** Moves a list's free blocks from the pooled to the live (1), or back (-1). */
  #count(list: FreeList, sign: number): void {
    const { blocks, bytes } = list.size();
    this.#raise(sign * bytes);
    this.#liveBlocks += sign * blocks;
  }

  #raise(bytes: number): void {
    this.#live += bytes;
    this.#peak = Math.max(this.#peak, this.#live);
    this.#highest = Math.max(this.#highest, this.#live);
  }

  #takeFree(size: number): Block | undefined {
    for (;;) {
      const block = this.#free.take(size);
      if (!block || block.exists) return block;
      this.#total -= block.room;
    }
  }

  #create(size: number): Block {
    const { gpu } = this.device;
    gpu.pushErrorScope('out-of-memory');
    const buffer = gpu.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    const block: Block = {
      ...{ buffer, room: size, bytes: size, id: this.#nextId++ },
      ...{ lastBatch: -1, home: this.#free, exists: true, freed: 0 },
    };
    this.#total += size;
    const inUse = mebibytes(this.#live);
    this.device.watch(gpu.popErrorScope(), ({ message }) => {
      block.exists = false;
      return new OutOfMemoryError(`the device has no ${mebibytes(size)} left (${inUse} in use): ${message}`);
    });
    return block;
  }

  /** Gives all free blocks back to the device. */
  trim(): void {
    this.flush();
    for (const block of this.#common.drain()) this.#destroy(block);
    this.#highest = this.#live;
  }

  /** Gives free blocks back until the pool has no more than so many bytes, those first that have been free for longest. */
  #shrink(most: number): void {
    if (this.#total > most) this.flush();
    while (this.#total > most) {
      const block = this.#common.takeOldest();
      if (!block) return;
      this.#destroy(block);
    }
  }

  #destroy(block: Block): void {
    block.buffer.destroy();
    this.#total -= block.room;
  }

  resetPeak(): void {
    this.#peak = this.#live;
  }

  stats(): MemoryStats {
    return { live: this.#live, liveBlocks: this.#liveBlocks, peak: this.#peak, pooled: this.#total - this.#live };
  }
}
