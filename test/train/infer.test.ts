import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { OutOfMemoryError, ShapeError, UsageError } from '../../engine/errors.ts';
import { Noise } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import { Fstrn } from '../../nets/fstrn.ts';
import type { Planes } from '../../train/degrade.ts';
import { type InferOptions, superResolve } from '../../train/infer.ts';
import { planTiles, regionOf } from '../../train/tiles.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
let net: Fstrn;
beforeAll(async () => {
  engine = await testEngine();
  const build = { engine, random: new Random(3), noise: new Noise(3) };
  net = new Fstrn(build, { width: 8, blocks: 2, crossResidual: 'bicubic' });
});
afterAll(() => engine.destroy());

function clip(frames: number, width: number, height: number, channels = 1): Planes[] {
  const random = new Random(frames + width);
  return Array.from({ length: frames }, () => {
    return { width, height, data: Float32Array.from({ length: channels * width * height }, () => random.uniform()) };
  });
}

async function resolve(frames: Iterable<Planes>, options?: InferOptions): Promise<Planes[]> {
  const out: Planes[] = [];
  for await (const frame of superResolve(engine, net, frames, options)) out.push(frame);
  return out;
}

/** The whole window at once, without any of superResolve's machinery. */
async function direct(window: readonly Planes[]): Promise<Float32Array> {
  using _scope = engine.scope();
  const { width, height } = window[0];
  const values = window.flatMap(({ data }) => [...data]);
  net.train(false);
  const y = net.forward(engine.tensor([1, 1, window.length, height, width], values));
  const all = await y.read();
  const frame = 16 * width * height;
  const middle = Math.floor(window.length / 2);
  return all.subarray(middle * frame, (middle + 1) * frame);
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
};

describe('superResolve', () => {
  it('gives every frame, the first and the last repeated at the ends', async () => {
    const [a, b, c] = clip(3, 9, 7);
    const out = await resolve([a, b, c]);
    expect(out.map(({ width, height }) => [width, height])).toEqual(Array(3).fill([36, 28]));
    expect(worst(out[0].data, await direct([a, a, a, b, c]))).toBe(0);
    expect(worst(out[1].data, await direct([a, a, b, c, c]))).toBe(0);
    expect(worst(out[2].data, await direct([a, b, c, c, c]))).toBe(0);
  });

  it.each([8, 13, 40])('in tiles of %i equals the whole picture', async (tile) => {
    const frames = clip(2, 41, 29);
    const whole = await resolve(frames);
    const tiled = await resolve(frames, { tile });
    for (const [t, { data }] of tiled.entries()) expect(worst(data, whole[t].data)).toBeLessThan(1e-6);
  });

  it('stays inside the memory allowed, with equal results', async () => {
    const frames = clip(1, 128, 96);
    const needed = engine.memory.stats().live;
    const memoryBytes = needed + 6 * 2 ** 20;
    const whole = await resolve(frames);
    expect(engine.memory.stats().peak).toBeGreaterThan(memoryBytes);
    const tiled = await resolve(frames, { memoryBytes });
    expect(engine.memory.stats().peak).toBeLessThanOrEqual(memoryBytes);
    expect(worst(tiled[0].data, whole[0].data)).toBeLessThan(1e-6);
    await expect(resolve(frames, { memoryBytes: needed + 2 ** 18 })).rejects.toThrow(OutOfMemoryError);
    expect(engine.memory.budget).toBe(Number.POSITIVE_INFINITY);
  });

  it('copes with frames of 1x1, 3x1 and clips of one frame', async () => {
    for (const [width, height] of [
      [1, 1],
      [3, 1],
      [1, 5],
    ]) {
      const frames = clip(1, width, height);
      const [out] = await resolve(frames);
      expect(worst(out.data, await direct(Array(5).fill(frames[0])))).toBe(0);
    }
    expect(await resolve([])).toEqual([]);
  });

  it.each([2, 3, 5])('keeps %i frames of each window and gives each frame once', async (keep) => {
    const frames = clip(7, 6, 5);
    const out = await resolve(frames, { keep });
    expect(out.length).toBe(7);
    const best = await resolve(frames);
    const centre = 2 - Math.floor((5 - keep) / 2); // the middle of the first window, as with keep 1
    expect(worst(out[centre].data, best[centre].data)).toBeLessThan(1e-6);
  });

  it('holds a window of frames, not the clip', async () => {
    const frames = clip(12, 4, 4);
    let read = 0;
    const source = function* () {
      for (const frame of frames) {
        read++;
        yield frame;
      }
    };
    let written = 0;
    for await (const _ of superResolve(engine, net, source())) expect(read).toBeLessThanOrEqual(written++ + 3);
    expect(written).toBe(12);
  });

  it('gives all memory back, ends its source, and leaves the training mode as it was', async () => {
    net.train(true);
    await resolve(clip(3, 8, 8));
    const { live } = engine.memory.stats();
    let ended = false;
    const source = function* () {
      try {
        yield* clip(9, 8, 8);
      } finally {
        ended = true;
      }
    };
    for await (const _ of superResolve(engine, net, source())) break;
    expect(ended).toBe(true);
    expect(engine.memory.stats().live).toBe(live);
    expect(net.training).toBe(true);
  });

  it('refuses mixed sizes, other channels and windows that make no sense', async () => {
    await expect(resolve([...clip(1, 8, 8), ...clip(1, 8, 9)])).rejects.toThrow(ShapeError);
    await expect(resolve(clip(1, 8, 8, 3))).rejects.toThrow(/takes 1 planes/);
    await expect(resolve(clip(1, 8, 8), { keep: 6 })).rejects.toThrow(UsageError);
    await expect(resolve(clip(1, 8, 8), { tile: 0 })).rejects.toThrow(UsageError);
  });
});

describe('planTiles', () => {
  it.each([
    [100, 60, 5, 1, 1e6],
    [100, 60, 5, 1, 2000],
    [1, 1000, 7, 1, 300],
    [517, 3, 4, 1, 90],
    [64, 64, 10, 1, 441],
    [101, 59, 5, 8, 1800],
    [23, 90, 3, 4, 24 * 23],
  ])('covers %ix%i once, halo %i, grid %i, within %i pixels', (width, height, halo, grid, pixels) => {
    const seen = new Uint8Array(width * height);
    for (const tile of planTiles(width, height, { halo, grid }, pixels)!) {
      const region = regionOf(tile, width, height, { halo, grid });
      expect((region.x1 - region.x0) * (region.y1 - region.y0)).toBeLessThanOrEqual(pixels);
      expect([region.x0 % grid, region.y0 % grid, tile.x0 % grid, tile.y0 % grid]).toEqual([0, 0, 0, 0]);
      expect(region.x1 % grid === 0 || region.x1 === width).toBe(true);
      expect(region.y1 % grid === 0 || region.y1 === height).toBe(true);
      const { x0, y0, x1, y1 } = tile;
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) seen[y * width + x]++;
    }
    expect(seen.every((n) => n === 1)).toBe(true);
  });

  it('takes the picture whole where it fits, and says where nothing does', () => {
    const alone = { halo: 9, grid: 1 };
    expect(planTiles(30, 20, alone, 600)).toEqual([{ x0: 0, y0: 0, x1: 30, y1: 20 }]);
    expect(planTiles(31, 21, { halo: 9, grid: 8 }, 31 * 21)).toEqual([{ x0: 0, y0: 0, x1: 31, y1: 21 }]);
    expect(planTiles(64, 64, { halo: 10, grid: 1 }, 440)).toBeUndefined();
  });
});
