import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { Random } from '../../engine/random.ts';
import { srNets } from '../../nets/index.ts';
import type { Planes } from '../../train/degrade.ts';
import { type InferOptions, superResolve } from '../../train/infer.ts';
import { buildOn } from '../nets/against-pytorch.ts';
import { testEngine } from '../ops/engine.ts';
import { smallSettings } from './small-nets.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const [TILE, height] = [17, 29];

/** Smooth waves that move a little, with some noise. */
function clip(channels: number, width: number): Planes[] {
  const random = new Random(7);
  return [0, 1, 2].map((t) => {
    const data = Float32Array.from({ length: channels * width * height }, (_, i) => {
      const [x, y] = [(i % width) + t, Math.floor(i / width)];
      return 0.5 + 0.3 * Math.sin(x / 3) * Math.cos(y / 4) + 0.1 * random.uniform();
    });
    return { width, height, data };
  });
}

describe('every network on frames of an odd size', () => {
  test.each(Object.keys(srNets))('%s: sizes, tiles, memory', async (name) => {
    expect(Object.keys(smallSettings)).toContain(name);
    const net = srNets[name].create(buildOn(engine), smallSettings[name]);
    const { channels, scale } = net.config;
    const width = TILE + net.spatialReach + 19; // so that not every tile sees all
    const resolve = async (options: InferOptions) => {
      const out: Planes[] = [];
      for await (const frame of superResolve(engine, net, clip(channels, width), options)) out.push(frame);
      return out;
    };
    const live = () => engine.memory.stats().live;
    const before = live();
    const whole = await resolve({});
    const size = { width: scale * width, height: scale * height };
    expect(whole.map((frame) => ({ width: frame.width, height: frame.height }))).toEqual(Array(3).fill(size));
    for (const { data } of whole) {
      expect(data.length).toBe(channels * size.width * size.height);
      expect(data.every(Number.isFinite)).toBe(true);
    }
    const tiled = await resolve({ tile: TILE });
    const worst = Math.max(
      ...tiled.map(({ data }, t) => data.reduce((most, v, i) => Math.max(most, Math.abs(v - whole[t].data[i])), 0)),
    );
    expect(worst).toBeLessThan(net.exact ? 2e-5 : 0.2);
    expect(live()).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
    net.dispose();
  });
});
