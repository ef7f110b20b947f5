import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { type Build, Noise } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import { inputShape, type Net } from '../../nets/net.ts';
import { bicubicUpscale, type Planes } from '../../train/degrade.ts';
import { type InferOptions, superResolve } from '../../train/infer.ts';
import { motionsFrom } from '../../train/motion.ts';
import { testEngine } from '../ops/engine.ts';
import { TinyCentre, TinyEnlarged, TinyImage, TinyRecurrent } from './tiny-nets.ts';

let engine: Engine;
let build: Build;
beforeAll(async () => {
  engine = await testEngine();
  build = { engine, random: new Random(5), noise: new Noise(5) };
});
afterAll(() => engine.destroy());

const [width, height] = [41, 29];

function clip(frames: number, channels = 1): Planes[] {
  const random = new Random(frames);
  return Array.from({ length: frames }, () => {
    return { width, height, data: Float32Array.from({ length: channels * width * height }, () => random.uniform()) };
  });
}

async function resolve(net: Net, frames: Iterable<Planes>, options?: InferOptions): Promise<Planes[]> {
  const out: Planes[] = [];
  for await (const frame of superResolve(engine, net, frames, options)) out.push(frame);
  return out;
}

/** Frames of one channel, whole, through the network itself. */
async function direct(net: Net, frames: readonly Planes[], ...more: readonly Planes[][]): Promise<Float32Array> {
  using _scope = engine.scope();
  const planes = (list: readonly Planes[]) => {
    const channels = list[0].data.length / (list[0].width * list[0].height);
    const n = list[0].width * list[0].height;
    return Array.from({ length: channels }, (_, c) => list.map(({ data }) => [...data.subarray(c * n, (c + 1) * n)]));
  };
  const [x, ...rest] = [frames, ...more].map((list) => {
    const values = planes(list).flat(2);
    const { width: w, height: h } = list[0];
    const channels = values.length / (list.length * w * h);
    const shape = list === frames ? inputShape(net, 1, list.length, h, w) : [1, channels, list.length, h, w];
    return engine.tensor(shape, values);
  });
  return net.forward(x, ...rest).read();
}

function expectNear(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < found.length; i++) worst = Math.max(worst, Math.abs(found[i] - expected[i]));
  expect(worst).toBeLessThan(1e-5);
}

/** Tiles of several sizes, and those that little memory leaves, give what the whole pictures do. */
async function expectTiledEqual(net: Net, frames: readonly Planes[]): Promise<void> {
  const whole = await resolve(net, frames);
  const memoryBytes = engine.memory.stats().live + 2 ** 17;
  for (const tiling of [{ tile: 7 }, { tile: 16 }, { memoryBytes }]) {
    const tiled = await resolve(net, frames, tiling);
    for (const [t, { data }] of tiled.entries()) expectNear(data, whole[t].data);
  }
}

describe('pictures', () => {
  it('go through together and come out one by one, in order', async () => {
    const net = new TinyImage(build);
    const frames = clip(19, 3);
    const out = await resolve(net, frames);
    expect(out.length).toBe(19);
    for (const t of [0, 7, 8, 18]) expectNear(out[t].data, await direct(net, [frames[t]]));
    await expectTiledEqual(net, clip(2, 3));
  });

  it('are enlarged on the host for networks that want them so, by any factor', async () => {
    const [frame] = clip(1);
    for (const scale of [2, 3]) {
      const net = new TinyEnlarged(build, scale);
      const [out] = await resolve(net, [frame]);
      expect([out.width, out.height]).toEqual([scale * width, scale * height]);
      expectNear(out.data, await direct(net, [bicubicUpscale(frame.data, width, height, scale)]));
    }
    await expectTiledEqual(new TinyEnlarged(build, 3), [frame]);
  });
});

describe('a window around each frame', () => {
  it.each(['repeat', 'black', 'middle'] as const)('with ends that are %s', async (ends) => {
    const net = new TinyCentre(build, { ends });
    const [a, b, c] = clip(3);
    const black = { ...a, data: new Float32Array(a.data.length) };
    const [before, after] = ends === 'black' ? [black, black] : [a, c];
    const out = await resolve(net, [a, b, c]);
    expect(out.length).toBe(3);
    expectNear(out[0].data, await direct(net, [before, a, b]));
    expectNear(out[1].data, await direct(net, [a, b, c]));
    expectNear(out[2].data, await direct(net, [b, c, after]));
    await expectTiledEqual(net, [a, b, c]);
  });

  it('with the middle frame in the place of two neighbours that are missing', async () => {
    const net = new TinyCentre(build, { ends: 'middle' });
    const [a] = clip(1);
    expectNear((await resolve(net, [a]))[0].data, await direct(net, [a, a, a]));
  });

  it('with motion of whole frames, cut as the frames are', async () => {
    const net = new TinyCentre(build, { ends: 'middle', motion: 'coarse2fine' });
    const [a, b] = clip(2);
    const out = await resolve(net, [a, b]);
    expectNear(out[0].data, await direct(net, [a, a, b], motionsFrom([a, a, b])));
    await expectTiledEqual(net, [a, b]);
  });
});

describe('recurrence', () => {
  it('in steps is the clip at once', async () => {
    const net = new TinyRecurrent(build);
    const frames = clip(4);
    const all = await direct(net, frames);
    const out = await resolve(net, frames);
    for (const [t, { data }] of out.entries()) expectNear(data, all.subarray(t * data.length, (t + 1) * data.length));
  });

  it('in tiles is the whole', async () => {
    await expectTiledEqual(new TinyRecurrent(build), clip(3));
  });

  it('begins anew where a shot does, if told', async () => {
    const net = new TinyRecurrent(build);
    const shade = (level: number): Planes => ({ width, height, data: new Float32Array(width * height).fill(level) });
    const frames = [...Array(6).fill(shade(0.2)), ...Array(3).fill(shade(0.9))];
    const out = await resolve(net, frames, { cuts: true });
    expect(out.length).toBe(9);
    const [first] = await resolve(net, [shade(0.9)]);
    expectNear(out[6].data, first.data);
    const through = await resolve(net, frames);
    expect(Math.abs(through[6].data[500] - first.data[500])).toBeGreaterThan(1e-3);
  });
});

it('refuses options that a form does not have', async () => {
  const frames = clip(1);
  await expect(resolve(new TinyCentre(build), frames, { window: 5 })).rejects.toThrow('this network sees 3 frames');
  await expect(resolve(new TinyRecurrent(build), frames, { keep: 2 })).rejects.toThrow('expected 1, got 2');
});
