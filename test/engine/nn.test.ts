import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { heNormal, icnr, truncatedNormal, xavierUniform } from '../../engine/nn/init.ts';
import { Conv2d } from '../../engine/nn/layers.ts';
import { type Build, chain, Noise } from '../../engine/nn/module.ts';
import { Ema } from '../../engine/optim/ema.ts';
import { Random } from '../../engine/random.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
let build: Build;
beforeAll(async () => {
  engine = await testEngine();
  build = { engine, random: new Random(1), noise: new Noise(2) };
});
afterAll(() => engine.destroy());

describe('initialisers', () => {
  const shape = [64, 32, 3, 3];
  const values = (init: typeof xavierUniform) => init(shape, new Random(5));
  const deviation = (x: Float32Array) => Math.sqrt(x.reduce((s, v) => s + v * v, 0) / x.length);
  const largest = (x: Float32Array) => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

  it('have the spread of their papers', () => {
    const bound = Math.sqrt(6 / (9 * (32 + 64)));
    expect(largest(values(xavierUniform))).toBeLessThanOrEqual(bound);
    expect(deviation(values(xavierUniform)) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
    expect(deviation(values(heNormal())) / Math.sqrt(2 / (9 * 32))).toBeCloseTo(1, 1);
    expect(deviation(values(heNormal(1))) / Math.sqrt(1 / (9 * 32))).toBeCloseTo(1, 1);
    expect(largest(values(truncatedNormal(0.02)))).toBeLessThanOrEqual(0.04);
    expect(deviation(values(truncatedNormal(0.02))) / 0.02).toBeCloseTo(0.88, 1); // of a normal cut at two deviations
  });

  it('ICNR starts the channels that pixel shuffle lays side by side alike, and others apart', () => {
    const each = 32 * 9;
    const filters = Array.from({ length: 64 }, (_, o) =>
      values(icnr(2, xavierUniform)).subarray(o * each, (o + 1) * each),
    );
    for (const [o, filter] of filters.entries()) expect(filter).toEqual(filters[o - (o % 4)]);
    expect(filters[0]).not.toEqual(filters[4]);
  });
});

describe('a convolution layer', () => {
  it('keeps the size unless told, and gives all its memory back', async () => {
    const { live } = engine.memory.stats();
    const layers = [
      new Conv2d(build, { in: 3, out: 6, kernel: [3, 5] }),
      new Conv2d(build, { in: 6, out: 4, kernel: [3, 3], dilation: 2, groups: 2, bias: false }),
      new Conv2d(build, { in: 4, out: 5, kernel: [3, 3], stride: 2, padding: 0 }),
    ];
    expect(layers.map((layer) => layer.parameterCount())).toEqual([3 * 6 * 15 + 6, 3 * 4 * 9, 4 * 5 * 9 + 5]);
    {
      using _scope = engine.scope();
      const x = engine.zeros([2, 3, 7, 9]);
      const held = engine.memory.stats().liveBlocks;
      const shapes = layers.map((_, i) => chain(x, layers.slice(0, i + 1)).shape);
      expect(shapes).toEqual([
        [2, 6, 7, 9],
        [2, 4, 7, 9],
        [2, 5, 3, 4],
      ]);
      expect(engine.memory.stats().liveBlocks - held, 'what is between the layers is given up').toBe(3);
    }
    for (const layer of layers) layer.dispose();
    expect(engine.memory.stats().live).toBe(live);
  });
});

describe('the moving average of weights', () => {
  it('follows its formula, warms up, and exchanges without loss of a bit', async () => {
    const layer = new Conv2d(build, { in: 1, out: 1, kernel: [1, 1] });
    const ema = new Ema(layer, 0.5);
    const average = async () => (await ema.stateDict()).get('weight')!.data[0];
    const start = (await layer.weight.read())[0];
    expect(await average()).toBe(start);
    let want = start;
    for (const [t, w] of [4, -8, 2].entries()) {
      engine.write(layer.weight, [w]);
      ema.update();
      const decay = Math.min(0.5, (2 + t) / (11 + t));
      want = decay * want + (1 - decay) * w;
      expect(await average()).toBeCloseTo(want, 5);
    }
    const [kept, weight] = [await average(), (await layer.weight.read())[0]];
    ema.swap();
    expect([(await layer.weight.read())[0], await average()]).toEqual([kept, weight]);
    ema.swap();
    const saved = await ema.stateDict();
    ema.update();
    ema.loadStateDict(saved, 3);
    expect(ema.steps).toBe(3);
    expect([(await layer.weight.read())[0], await average()]).toEqual([weight, kept]);
    ema.dispose();
    layer.dispose();
  });
});
