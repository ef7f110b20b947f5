import type { Engine } from '../engine/engine.ts';
import { LimitError, OutOfMemoryError, UsageError } from '../engine/errors.ts';
import { slice } from '../engine/ops/slice.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Net } from '../nets/net.ts';
import type { Planes } from './degrade.ts';
import { ceilTo, cutTiles, planTiles, regionOf, type Tile } from './tiles.ts';

export interface TilingOptions {
  /** Edge of a tile in pixels of the network's input, overlap not counted; chosen by memory if not given. */
  readonly tile?: number;
  /** Most device memory in use at once, weights included. */
  readonly memoryBytes?: number;
}

/** One input of a network: frames of C planes each, `zoom` times as wide and high as those of the first input. */
export interface NetInput {
  readonly frames: readonly Planes[];
  readonly zoom: number;
}

const DEFAULT_MEMORY = 2 ** 31;
const PROBE_EDGE = 16;
/** Blocks are larger than their tensors, by a sixteenth, and pieces of them lie idle. */
const USABLE = 0.85;

/**
 * Runs a network on whole frames, in tiles where memory asks for it: every input is cut alike, with the overlap that the
 * network needs. Remembers what a pixel costs and how many fit.
 */
export class Resolver {
  /** Most pixels that a tile may hold, and for how many planes of input that was measured. */
  #fits: { pixels: number; planes: number } | undefined;

  constructor(
    readonly engine: Engine,
    readonly net: Net,
    readonly options: TilingOptions,
  ) {}

  /** Output pixels for each pixel of input. */
  get scale(): number {
    return this.net.enlarged ? 1 : this.net.config.scale;
  }

  /** The frames from number `first` on of what the network makes of its inputs. */
  async resolve(inputs: readonly NetInput[], first: number, count: number): Promise<Planes[]> {
    const { width, height } = inputs[0].frames[0];
    const [outWidth, outHeight] = [width * this.scale, height * this.scale];
    const out = Array.from({ length: count }, (): Planes => {
      const data = new Float32Array(this.net.config.channels * outWidth * outHeight);
      return { width: outWidth, height: outHeight, data };
    });
    const { memory } = this.engine;
    const outer = memory.budget;
    memory.budget = Math.min(outer, this.options.memoryBytes ?? DEFAULT_MEMORY);
    try {
      for (;;) {
        const tiles = await this.#plan(inputs);
        try {
          for (const tile of tiles) await this.#resolveTile(inputs, tile, first, out);
          return out;
        } catch (error) {
          // The estimate was too high, or one tensor exceeds what the adapter binds: both say so before anything runs.
          if (!(error instanceof OutOfMemoryError || error instanceof LimitError) || !this.#fits) throw error;
          this.#fits.pixels = Math.floor(Math.min(this.#fits.pixels, width * height) / 2);
          memory.trim();
        }
      }
    } finally {
      memory.budget = outer;
    }
  }

  async #plan(inputs: readonly NetInput[]): Promise<readonly Tile[]> {
    const { width, height } = inputs[0].frames[0];
    const { spatialReach: halo, grid } = this.net;
    const { tile } = this.options;
    if (tile !== undefined) {
      if (!Number.isInteger(tile) || tile < 1) throw new UsageError(`tile: expected 1 or more pixels, got ${tile}`);
      return cutTiles(width, height, ceilTo(tile, grid), ceilTo(tile, grid));
    }
    const planes = inputs.reduce((sum, { frames, zoom }) => sum + frames.length * zoom ** 2, 0);
    if (!this.#fits || this.#fits.planes < planes) this.#fits = { pixels: await this.#measure(inputs), planes };
    const { pixels } = this.#fits;
    const tiles = planTiles(width, height, { halo, grid }, pixels);
    if (!tiles) {
      const edge = 2 * ceilTo(halo, grid) + grid;
      throw new OutOfMemoryError(
        `frames of ${width}x${height} need tiles of at least ${Math.min(edge, width)}x${Math.min(edge, height)} pixels ` +
          `with their overlap, but only ${pixels} pixels fit the memory allowed`,
      );
    }
    return tiles;
  }

  /** Pixels that fit: memory has a part that is always there and one that grows with the area, and two small tiles tell both. */
  async #measure(inputs: readonly NetInput[]): Promise<number> {
    const { memory } = this.engine;
    const { width, height } = inputs[0].frames[0];
    const before = memory.stats().live;
    const probe = async (edge: number) => {
      const [w, h] = [width, height].map((n) => Math.min(n, ceilTo(edge, this.net.grid)));
      memory.resetPeak();
      await this.#run(inputs, { x0: 0, y0: 0, x1: w, y1: h }, 0, 1);
      return { pixels: w * h, bytes: memory.stats().peak - before };
    };
    const small = await probe(PROBE_EDGE);
    const large = await probe(2 * PROBE_EDGE).catch((error) => {
      if (error instanceof OutOfMemoryError) return small; // the small one alone must tell
      throw error;
    });
    if (large.pixels === small.pixels)
      return Math.floor((USABLE * (memory.budget - before) * small.pixels) / small.bytes);
    const perPixel = (large.bytes - small.bytes) / (large.pixels - small.pixels);
    const room = USABLE * (memory.budget - before) - large.bytes;
    return Math.max(large.pixels + Math.floor(room / perPixel), 0);
  }

  async #resolveTile(inputs: readonly NetInput[], tile: Tile, first: number, out: readonly Planes[]): Promise<void> {
    const { width, height } = inputs[0].frames[0];
    const { net, scale } = this;
    const region = regionOf(tile, width, height, { halo: net.spatialReach, grid: net.grid });
    const y = await this.#run(inputs, region, first, out.length);
    const [w, h] = [(region.x1 - region.x0) * scale, (region.y1 - region.y0) * scale];
    for (const [at, { frame, c }] of planeOrder(net, out.length, net.config.channels).entries()) {
      for (let row = tile.y0 * scale; row < tile.y1 * scale; row++) {
        const from = (at * h + row - region.y0 * scale) * w + (tile.x0 - region.x0) * scale;
        const to = (c * height * scale + row) * width * scale + tile.x0 * scale;
        out[frame].data.set(y.subarray(from, from + (tile.x1 - tile.x0) * scale), to);
      }
    }
  }

  /** `count` frames of the network's result for one region: (C, count, h, w), of pictures (count, C, h, w). */
  async #run(inputs: readonly NetInput[], region: Tile, first: number, count: number): Promise<Float32Array> {
    const { engine, net } = this;
    using _scope = engine.scope();
    const [x, ...more] = inputs.map((input) => this.#upload(input, region));
    const { training } = net;
    net.train(false); // no dropout, whatever mode the network is in between two frames
    try {
      const y = net.forward(x, ...more);
      const axis = net.form === 'image' ? 0 : 2;
      return await (count === y.shape[axis] ? y : slice(y, { axis, start: first, end: first + count })).read();
    } finally {
      net.train(training);
    }
  }

  #upload({ frames, zoom }: NetInput, region: Tile): Tensor {
    const { width, height, data } = frames[0];
    const channels = data.length / (width * height);
    const [w, h] = [(region.x1 - region.x0) * zoom, (region.y1 - region.y0) * zoom];
    const values = new Float32Array(channels * frames.length * h * w);
    let at = 0;
    for (const { frame, c } of planeOrder(this.net, frames.length, channels)) {
      for (let row = region.y0 * zoom; row < region.y1 * zoom; row++, at += w) {
        const from = (c * height + row) * width + region.x0 * zoom;
        values.set(frames[frame].data.subarray(from, from + w), at);
      }
    }
    const shape = this.net.form === 'image' ? [frames.length, channels, h, w] : [1, channels, frames.length, h, w];
    return this.engine.tensor(shape, values);
  }
}

/** Planes as they lie in a network's tensors: pictures one after the other, a clip's frames within each channel. */
function planeOrder({ form }: Net, frames: number, channels: number): { frame: number; c: number }[] {
  const planes = Array.from({ length: frames * channels }, (_, i) => i);
  return form === 'image'
    ? planes.map((i) => ({ frame: Math.floor(i / channels), c: i % channels }))
    : planes.map((i) => ({ frame: i % frames, c: Math.floor(i / frames) }));
}
