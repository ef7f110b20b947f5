import type { Engine } from './engine.ts';
import { SubpixelError } from './errors.ts';
import type { Block } from './memory.ts';

export type Shape = readonly number[];

/**
 * How a shape lies in memory. Channels (or output channels) come last and are padded with zeros to a multiple of four:
 * `image`: (N, C, spatial...) as N, spatial..., C4;  a vector (C) as C4;  `filter`: (O, I, taps...) as taps..., I4, O4.
 */
export type Layout = 'image' | 'filter';

export const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
export const padded = (channels: number): number => Math.ceil(channels / 4) * 4;

/**
 * A shape in memory order: `outer` times `rows` rows of `channels` values, padded to a multiple of four.
 * For an image outer = N and rows = inner = D·H·W; for a filter outer = taps, inner = I, and rows = I padded.
 */
export interface Extent {
  readonly outer: number;
  readonly inner: number;
  readonly rows: number;
  readonly channels: number;
  /** Values stored, padding included. */
  readonly elements: number;
}

export function extent(shape: Shape, layout: Layout): Extent {
  let [outer, inner, channels] = [1, 1, shape[0] ?? 1];
  if (layout === 'filter') [outer, inner] = [size(shape.slice(2)), shape[1]];
  else if (shape.length > 1) [outer, inner, channels] = [shape[0], size(shape.slice(2)), shape[1]];
  const rows = layout === 'filter' ? padded(inner) : inner;
  return { outer, inner, rows, channels, elements: outer * rows * padded(channels) };
}

/** Where element (outer, inner, channel) of a tensor lies in PyTorch's row-major array, as layout.wgsl takes it. */
export function plainStrides({ shape, layout }: { shape: Shape; layout: Layout }) {
  const { outer, inner, rows, channels } = extent(shape, layout);
  return layout === 'filter'
    ? { inner, rows, channels, stride_outer: 1, stride_inner: outer, stride_channel: inner * outer }
    : { inner, rows, channels, stride_outer: channels * inner, stride_inner: 1, stride_channel: inner };
}

/** Memory shared by a tensor and its reshaped views; returns to the pool with the last of them. */
export class Storage {
  #refs = 1;
  constructor(
    readonly engine: Engine,
    readonly block: Block,
    readonly bytes: number,
    /** Where in the block it begins, a multiple of 256. */
    readonly offset = 0,
    /** The storage that this one is a slice of. */
    readonly whole?: Storage,
  ) {}
  /** A part of this memory, which stays as long as any of its slices. @param offset a multiple of 256 bytes */
  slice(offset: number, bytes: number): Storage {
    const whole = (this.whole ?? this).retain();
    return new Storage(this.engine, this.block, bytes, this.offset + offset, whole);
  }
  retain(): this {
    this.#refs++;
    return this;
  }
  release(): void {
    if (--this.#refs > 0) return;
    if (this.whole) {
      this.whole.release();
      return;
    }
    this.engine.watcher?.released(this);
    this.engine.memory.release(this.block);
  }
  /** `using scratch = engine.raw(bytes)` gives it back at the end of its block. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** A float32 array on the device. Whoever creates it owns it: a scope, the tape, or a module. */
export class Tensor {
  /** The tape follows this tensor: a parameter, or something computed from one. */
  tracked = false;
  /** ∂loss/∂this, filled by the tape for parameters and for inputs marked with `track()`. */
  grad: Tensor | undefined;
  /** Where the tape is to write that gradient, if someone keeps a place for it. */
  gradHome: Tensor | undefined;
  gradHomeTaken = false;
  isLeaf = true;
  #refs = 1;
  #storage: Storage;

  constructor(
    storage: Storage,
    readonly shape: Shape,
    readonly layout: Layout,
  ) {
    this.#storage = storage;
  }

  get storage(): Storage {
    return this.#storage;
  }

  /** Lets the tensor lie in other memory, which holds its values already. */
  moveTo(storage: Storage): void {
    this.#storage.release();
    this.#storage = storage;
  }

  get engine(): Engine {
    return this.storage.engine;
  }

  get bytes(): number {
    return this.storage.bytes;
  }

  /** Asks the tape for this tensor's gradient. */
  track(): this {
    this.tracked = true;
    return this;
  }

  retain(): this {
    this.#refs++;
    return this;
  }

  /** Gives up one hold on the tensor; with the last one its memory returns to the pool. */
  release(): void {
    if (this.#refs <= 0) throw new SubpixelError(`a tensor of shape (${this.shape.join(', ')}) was released twice`);
    if (--this.#refs > 0) return;
    this.grad?.release();
    this.grad = undefined;
    this.storage.release();
  }

  get released(): boolean {
    return this.#refs <= 0;
  }

  /** The place kept for the gradient, as long as nothing of the gradient lies there. */
  get freeGradHome(): Tensor | undefined {
    return this.grad || this.gradHomeTaken ? undefined : this.gradHome;
  }

  setGrad(grad: Tensor | undefined): void {
    this.gradHomeTaken = grad !== undefined && grad === this.gradHome;
    grad?.retain();
    this.grad?.release();
    this.grad = grad;
  }

  /** The values in PyTorch's order. Waits for the device. */
  read(): Promise<Float32Array> {
    return this.engine.read(this);
  }

  /** The single value of a tensor of one element, such as a loss. */
  async item(): Promise<number> {
    if (size(this.shape) !== 1)
      throw new SubpixelError(`item() needs one element, the shape is (${this.shape.join(', ')})`);
    return (await this.read())[0];
  }
}
