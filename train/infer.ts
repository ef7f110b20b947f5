import type { Engine } from '../engine/engine.ts';
import { LimitError, OutOfMemoryError, ShapeError, UsageError } from '../engine/errors.ts';
import { slice } from '../engine/ops/slice.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Net } from '../nets/net.ts';
import type { Planes } from './degrade.ts';

export interface InferOptions {
  /** Frames that the network sees at once. */
  readonly window?: number;
  /** Centre frames taken from each window: 1 as the paper tests, more is faster and a little worse. */
  readonly keep?: number;
  /** Edge of a tile in low-resolution pixels, overlap not counted; chosen by memory if not given. */
  readonly tile?: number;
  /** Most device memory in use at once, weights included. */
  readonly memoryBytes?: number;
}

/** A rectangle of the low-resolution picture, in pixels; x1 and y1 are behind it. */
export interface Tile {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

const DEFAULT_MEMORY = 2 ** 31;
const PROBE_EDGE = 16;

/**
 * Super-resolves a clip of any size and length, (C, H, W) in 0..1 to (C, scale·H, scale·W), neither rounded nor clipped.
 * Time is a stream: a window slides over the frames, the first and the last repeated at the ends, so that every frame comes
 * out as the paper's tests do, and only a window of frames is held. Space is cut into tiles that overlap by the network's reach,
 * so that tiled equals untiled.
 * @throws {ShapeError} when frames differ in size or do not have the network's channels
 * @throws {OutOfMemoryError} when not even a tile of one pixel fits the memory
 */
export async function* superResolve(
  engine: Engine,
  net: Net,
  frames: Iterable<Planes> | AsyncIterable<Planes>,
  options: InferOptions = {},
): AsyncGenerator<Planes, void, undefined> {
  const { window = 5, keep = 1 } = options;
  if (!whole(window) || !whole(keep) || keep > window) {
    throw new UsageError(`expected to keep 1 to ${window} frames of each window, got keep ${keep}, window ${window}`);
  }
  const resolver = new WindowResolver(engine, net, options);
  const before = Math.floor((window - keep) / 2);
  const source = iterate(frames);
  const held: Planes[] = [];
  let first = 0; // number of the first frame held
  let ended = false;
  try {
    for (let start = 0; ; start += keep) {
      while (!ended && first + held.length < start - before + window) {
        const next = await source.next();
        if (next.done) ended = true;
        else held.push(checked(next.value, held[0] ?? next.value, net));
      }
      const count = first + held.length;
      if (start >= count) return;
      const clip = Array.from({ length: window }, (_, i) => {
        return held[Math.min(Math.max(start - before + i, 0), count - 1) - first];
      });
      yield* await resolver.resolve(clip, before, Math.min(keep, count - start));
      const done = Math.max(start + keep - before - first, 0);
      held.splice(0, done);
      first += done;
    }
  } finally {
    await source.return(undefined);
  }
}

/**
 * Cuts a picture into the fewest tiles that, with `halo` pixels around them inside the picture, hold at most `pixels`.
 * Undefined where not even tiles of one pixel do.
 */
export function planTiles(width: number, height: number, halo: number, pixels: number): Tile[] | undefined {
  let best: { across: number; down: number; cost: number } | undefined;
  for (let columns = 1; columns <= width; columns++) {
    const across = Math.ceil(width / columns);
    const wide = columns === 1 ? width : Math.min(across + 2 * halo, width);
    const room = Math.floor(pixels / wide);
    const most = room >= height ? height : room - 2 * halo;
    if (most < 1) continue;
    const rows = Math.ceil(height / most);
    const down = Math.ceil(height / rows);
    const tall = rows === 1 ? height : Math.min(down + 2 * halo, height);
    const cost = columns * rows * wide * tall;
    if (!best || cost < best.cost) best = { across, down, cost };
  }
  return best && cut(width, height, best.across, best.down);
}

function cut(width: number, height: number, across: number, down: number): Tile[] {
  const tiles: Tile[] = [];
  for (let y0 = 0; y0 < height; y0 += down) {
    for (let x0 = 0; x0 < width; x0 += across) {
      tiles.push({ x0, y0, x1: Math.min(x0 + across, width), y1: Math.min(y0 + down, height) });
    }
  }
  return tiles;
}

/** Runs single windows, and remembers what a pixel costs and how many fit. */
class WindowResolver {
  #pixels: number | undefined; // most that a tile may hold

  constructor(
    readonly engine: Engine,
    readonly net: Net,
    readonly options: InferOptions,
  ) {}

  /** The frames from number `first` on of what the network makes of a window. */
  async resolve(clip: readonly Planes[], first: number, count: number): Promise<Planes[]> {
    const { width, height } = clip[0];
    const { channels, scale } = this.net.config;
    const [outWidth, outHeight] = [width * scale, height * scale];
    const out = Array.from({ length: count }, (): Planes => {
      return { width: outWidth, height: outHeight, data: new Float32Array(channels * outWidth * outHeight) };
    });
    const memory = this.engine.memory;
    const outer = memory.budget;
    memory.budget = Math.min(outer, this.options.memoryBytes ?? DEFAULT_MEMORY);
    try {
      for (;;) {
        const tiles = await this.#plan(clip);
        try {
          for (const tile of tiles) await this.#resolveTile(clip, tile, first, out);
          return out;
        } catch (error) {
          // The estimate was too high, or one tensor exceeds what the adapter binds: both say so before anything runs.
          if (!(error instanceof OutOfMemoryError || error instanceof LimitError) || !this.#pixels) throw error;
          this.#pixels = Math.floor(Math.min(this.#pixels, width * height) / 2);
          memory.trim();
        }
      }
    } finally {
      memory.budget = outer;
    }
  }

  async #plan(clip: readonly Planes[]): Promise<Tile[]> {
    const { width, height } = clip[0];
    const { tile } = this.options;
    const halo = this.net.spatialReach;
    if (tile !== undefined) {
      if (!whole(tile)) throw new UsageError(`tile: expected 1 or more pixels, got ${tile}`);
      return cut(width, height, tile, tile);
    }
    this.#pixels ??= await this.#measure(clip);
    const tiles = planTiles(width, height, halo, this.#pixels);
    if (!tiles) {
      const edge = 2 * halo + 1;
      throw new OutOfMemoryError(
        `frames of ${width}x${height} need tiles of at least ${Math.min(edge, width)}x${Math.min(edge, height)} pixels ` +
          `with their overlap, but only ${this.#pixels} pixels fit the memory allowed`,
      );
    }
    return tiles;
  }

  /** Pixels that fit: activations grow with the tile's area, and a small tile shows by how much. */
  async #measure(clip: readonly Planes[]): Promise<number> {
    const { memory } = this.engine;
    const [w, h] = [Math.min(clip[0].width, PROBE_EDGE), Math.min(clip[0].height, PROBE_EDGE)];
    const before = memory.stats().live;
    memory.resetPeak();
    await this.#run(clip, { x0: 0, y0: 0, x1: w, y1: h }, 0, 1);
    const perPixel = (memory.stats().peak - before) / (w * h);
    return Math.floor((0.75 * (memory.budget - before)) / perPixel); // blocks are up to a quarter larger than their tensors
  }

  async #resolveTile(clip: readonly Planes[], tile: Tile, first: number, out: readonly Planes[]): Promise<void> {
    const { width, height } = clip[0];
    const { channels, scale } = this.net.config;
    const halo = this.net.spatialReach;
    const region = {
      x0: Math.max(tile.x0 - halo, 0),
      y0: Math.max(tile.y0 - halo, 0),
      x1: Math.min(tile.x1 + halo, width),
      y1: Math.min(tile.y1 + halo, height),
    };
    const y = await this.#run(clip, region, first, out.length);
    const [w, h] = [(region.x1 - region.x0) * scale, (region.y1 - region.y0) * scale];
    for (let c = 0; c < channels; c++) {
      for (let t = 0; t < out.length; t++) {
        for (let row = tile.y0 * scale; row < tile.y1 * scale; row++) {
          const from = ((c * out.length + t) * h + row - region.y0 * scale) * w + (tile.x0 - region.x0) * scale;
          const to = (c * height * scale + row) * width * scale + tile.x0 * scale;
          out[t].data.set(y.subarray(from, from + (tile.x1 - tile.x0) * scale), to);
        }
      }
    }
  }

  /** `count` frames of the network's result for one region of a window, (C, count, scale·h, scale·w). */
  async #run(clip: readonly Planes[], region: Tile, first: number, count: number): Promise<Float32Array> {
    const { engine, net } = this;
    const [w, h] = [region.x1 - region.x0, region.y1 - region.y0];
    const { channels } = net.config;
    const values = new Float32Array(channels * clip.length * h * w);
    let at = 0;
    for (let c = 0; c < channels; c++) {
      for (const { width, height, data } of clip) {
        for (let row = region.y0; row < region.y1; row++, at += w) {
          const from = (c * height + row) * width + region.x0;
          values.set(data.subarray(from, from + w), at);
        }
      }
    }
    using _scope = engine.scope();
    const x = engine.tensor([1, channels, clip.length, h, w], values);
    return forward(net, x, first, count).read();
  }
}

/** Without dropout, whatever mode the network is in between two frames. */
function forward(net: Net, x: Tensor, first: number, count: number): Tensor {
  const { training } = net;
  net.train(false);
  try {
    const y = net.forward(x);
    return count === y.shape[2] ? y : slice(y, { axis: 2, start: first, end: first + count });
  } finally {
    net.train(training);
  }
}

function checked(frame: Planes, like: Planes, net: Net): Planes {
  const { width, height, data } = frame;
  const { channels } = net.config;
  if (!whole(width) || !whole(height) || data.length !== channels * width * height) {
    throw new ShapeError(
      `the network takes ${channels} planes, ${width}x${height} pixels each: expected ${channels * width * height} values, got ${data.length}`,
    );
  }
  if (width !== like.width || height !== like.height) {
    throw new ShapeError(`expected frames of ${like.width}x${like.height}, got one of ${width}x${height}`);
  }
  return frame;
}

const whole = (n: number): boolean => Number.isInteger(n) && n >= 1;

async function* iterate(frames: Iterable<Planes> | AsyncIterable<Planes>): AsyncGenerator<Planes> {
  yield* frames;
}
