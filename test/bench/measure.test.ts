import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measureTogether, noise, recordNodes, runBackward } from '../../bench/measure.ts';
import { benchOps, cases } from '../../bench/ops.ts';
import { benchOverhead } from '../../bench/overhead.ts';
import { sampleWall, statisticsOf } from '../../bench/statistics.ts';
import { benchStep } from '../../bench/step.ts';
import type { Engine } from '../../engine/engine.ts';
import { ops } from '../../engine/ops/index.ts';
import { relu } from '../../engine/ops/unary.ts';
import { override } from '../../train/overrides.ts';
import { recipeNamed } from '../../train/recipes.ts';
import { testEngine } from '../ops/engine.ts';

const peak = { gflops: 10, readGbs: 5, copyGbs: 5 };

describe('statistics', () => {
  it('give median, quartiles and the confidence of the mean', () => {
    const { ms, quartiles, fastest, mean, margin, samples } = statisticsOf([1, 2, 3, 4, 10]);
    expect([ms, quartiles, fastest, mean, samples]).toEqual([3, [2, 4], 1, 4, 5]);
    expect(margin).toBeCloseTo((2.776 * Math.sqrt(12.5 / 5)) / 4, 9);
    expect(statisticsOf([7]).margin).toBe(0);
  });

  it('sample wall time, and pass failures on', async () => {
    const pause = () => new Promise((resolve) => setTimeout(resolve, 4));
    const { ms, samples, mean } = await sampleWall(pause, { least: 3, spend: 0 });
    expect(samples).toBeGreaterThanOrEqual(3);
    expect(Math.min(ms, mean)).toBeGreaterThan(3);
    await expect(sampleWall(() => Promise.reject(new Error('lost')), { least: 3, spend: 0 })).rejects.toThrow('lost');
  });
});

describe('measurements', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.destroy());

  it('let works take turns', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 4, 2, 2], noise(16));
    const order: string[] = [];
    const work = (name: string) => () => {
      using _inner = engine.scope();
      order.push(name);
      relu(x);
    };
    const timings = await measureTogether(engine, [work('a'), work('b')], { warmup: 1, spend: 0, least: 2 });
    expect(timings.length).toBe(2);
    if (engine.caps.timestamps) expect(order.join('')).toBe('ababab');
  });

  it('run backward as often as asked, as far as the leaves need', () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 4, 2, 2], noise(16));
    const nodes = recordNodes(engine, [x], () => relu(relu(x)));
    expect(nodes.length).toBe(2);
    const live = engine.memory.stats().liveBlocks;
    for (let i = 0; i < 2; i++) {
      using _inner = engine.scope();
      runBackward(nodes, x, [x]);
      expect(engine.memory.stats().liveBlocks).toBe(live + 2);
    }
  });

  it('keep what an op keeps for its gradients, and give it back', async () => {
    const live = engine.memory.stats().liveBlocks;
    const rows = await benchOps(engine, peak, { only: ['separable_conv3d'], quick: true });
    expect(rows.map(({ pass }) => pass)).toEqual(['forward', ...['input', 'weight_s', 'bias_s', 'weight_t', 'bias_t']]);
    expect(engine.memory.stats().liveBlocks).toBe(live);
  });

  it('ops: forward and every gradient, a case for each op', async () => {
    const rows = await benchOps(engine, peak, { only: ['warp', 'add'], quick: true });
    expect(rows.map(({ op, pass }) => `${op} ${pass}`)).toEqual([
      'warp forward',
      'warp image',
      'warp flow',
      'add forward',
    ]);
    for (const { margin } of rows) expect(margin).toBeGreaterThanOrEqual(0);
    expect(Object.keys(cases).sort()).toEqual(Object.keys(ops).sort());
  });

  it('overhead: recorded and replayed', async () => {
    const rows = await benchOverhead(engine, { dispatches: 20, sampling: { least: 3, spend: 0 } });
    expect(rows.map(({ what }) => what).slice(0, 2)).toEqual(['relu', 'relu, replayed']);
    for (const { recordUs, totalUs } of rows) expect(totalUs).toBeGreaterThan(recordUs);
  });

  it('step: memory is flat', async () => {
    const small = ['net.width=8', 'net.blocks=1', 'data.crop=32', 'data.batch=1'];
    const recipe = override(recipeNamed('fstrn-small'), small);
    const { liveBytes, peakBytes, samples } = await benchStep(engine, recipe, peak, { least: 3, spend: 0 });
    expect(liveBytes[1]).toBe(liveBytes[0]);
    expect(peakBytes).toBeGreaterThan(liveBytes[0]);
    expect(samples).toBeGreaterThanOrEqual(3);
  });
});
