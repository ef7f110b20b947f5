import { readFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { readWeights } from '../../io/checkpoint.ts';
import { countMacs } from '../../nets/net.ts';
import { entry, RdnSlim, type RdnSlimConfig } from '../../nets/rdn-slim.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';

const model = (scale: number) => `node_modules/@upscalerjs/esrgan-slim/models/x${scale}/model.json`;
/** RGB of one of the package's pictures, one channel after the other, 0..255. */
function picture(name: string): { width: number; height: number; data: Float32Array } {
  const { width, height, data } = PNG.sync.read(readFileSync(`node_modules/@upscalerjs/esrgan-slim/assets/${name}`));
  const plane = width * height;
  return {
    width,
    height,
    data: Float32Array.from({ length: 3 * plane }, (_, i) => data[4 * (i % plane) + Math.floor(i / plane)]),
  };
}

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

it('is what PyTorch makes of it: output and every gradient', async () => {
  await againstPyTorch(engine, 'rdn_slim', (build) => new RdnSlim(build, { scale: 2, width: 8, layers: 2 }));
});

describe('the public models', () => {
  const { tensors } = readFixture('rdn_slim_public');

  it.each([2, 3, 4, 8])('x%i: the settings are told, a picture becomes what PyTorch makes of it', async (scale) => {
    const before = engine.memory.stats().live;
    const weights = await readWeights(model(scale), 'esrgan-slim');
    expect(weights.config).toEqual({ ...entry.defaults, scale });
    const net = entry.create(buildOn(engine), weights.config).train(false);
    net.loadStateDict(weights.tensors);
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor(tensors.x.shape, tensors.x.data));
      const got = { shape: y.shape, data: Float64Array.from(await y.read()) };
      expect(relativeError(got, tensors[`y${scale}`])).toBeLessThan(2e-5);
    }
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
  });

  it("x2: the package's own picture, as TensorFlow.js enlarged it, but for rounding", async () => {
    const [small, large] = ['fixture.png', 'samples/2x/result.png'].map((name) => picture(name));
    const weights = await readWeights(model(2), 'esrgan-slim');
    const net = entry.create(buildOn(engine), weights.config).train(false);
    net.loadStateDict(weights.tensors);
    using _scope = engine.scope();
    const x = small.data.map((v) => v / 255);
    const y = await net.forward(engine.tensor([1, 3, small.height, small.width], x)).read();
    const off = large.data.map((v, i) => Math.abs(v - Math.round(Math.min(Math.max(255 * y[i], 0), 255))));
    expect(off.reduce((most, d) => Math.max(most, d))).toBeLessThanOrEqual(1);
    expect(off.filter((d) => d > 0).length / off.length).toBeLessThan(1e-3);
    net.dispose();
  });

  it('have as many parameters as their tables say: 222,075 at x2, 233,451 at x4', () => {
    const counts = [2, 4].map((scale) => {
      const net = new RdnSlim(buildOn(engine), { scale });
      const count = net.parameterCount();
      net.dispose();
      return count;
    });
    expect(counts).toEqual([222_075, 233_451]);
    expect(counts[1]).toBe(entry.published?.parameters);
  });
});

it('sees as far as its reach, and no farther', async () => {
  const net = new RdnSlim(buildOn(engine), { scale: 2, width: 8 });
  const size = 2 * net.spatialReach + 3;
  using _scope = engine.scope();
  const [flat, dot] = [new Float32Array(3 * size * size).fill(0.5), new Float32Array(3 * size * size).fill(0.5)];
  dot[0] = 1;
  const at = async (data: Float32Array) => (await net.forward(engine.tensor([1, 3, size, size], data)).read())!;
  const [a, b] = [await at(flat), await at(dot)];
  const changed = Array.from(a, (v, i) => (v === b[i] ? -1 : Math.floor((i % (2 * size)) / 2)));
  expect(Math.max(...changed)).toBeLessThanOrEqual(net.spatialReach);
  expect(countMacs(engine, () => net.forward(engine.zeros([1, 3, 8, 8])))).toBeGreaterThan(0);
  net.dispose();
});

it.each([{ width: 0 }, { scale: 1.5 }, { blocks: 0 }, { growth: -1 }, { layers: Number.NaN }])(
  'refuses %j',
  (config) => {
    expect(() => new RdnSlim(buildOn(engine), config as Partial<RdnSlimConfig>)).toThrow(UsageError);
  },
);
