import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { entry, Spmc, type SpmcConfig } from '../../nets/spmc.ts';
import { makeArray } from '../cases.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';
import { reachOf } from './reach.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { width: 4, flowWidth: 4 };

describe('SPMC', () => {
  it.each([
    ['spmc_x4', {}],
    ['spmc_x2', { scale: 2, frames: 5 }],
  ])('%s: output and every gradient, on an odd size', (name, config) =>
    againstPyTorch(engine, name, (build) => new Spmc(build, { ...small, ...config })),
  );

  it.each([3, 5, 7])('has as many parameters as counted, with %i frames', (frames) => {
    const net = new Spmc(buildOn(engine), { frames });
    expect(net.parameterCount()).toBe(entry.published!.parameters);
    expect(net.lstm.parameterCount()).toBe(1_180_160);
    expect(net.parameterCount() - net.flow.parameterCount()).toBe(1_668_769);
    net.dispose();
  });

  it('ends with the last of its estimates, and gives its memory back', async () => {
    const net = new Spmc(buildOn(engine), { ...small, scale: 3 });
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const x = engine.tensor([1, 1, 3, 5, 7], makeArray([105], 'x', { low: 0, high: 1 }).data);
      const [last, all] = [net.forward(x), net.estimates(x)];
      expect(last.shape).toEqual([1, 1, 1, 15, 21]);
      expect(all.shape).toEqual([1, 1, 3, 15, 21]);
      expect((await all.read()).slice(-315)).toEqual(await last.read());
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(live + 2 ** 16); // resize tables stay
    net.dispose();
  });

  it('reaches no farther than it says', async () => {
    const net = new Spmc(buildOn(engine), { ...small, scale: 2 });
    expect(await reachOf(engine, net)).toBeLessThanOrEqual(net.spatialReach);
    net.dispose();
  });

  it('refuses other numbers of frames', () => {
    using _scope = engine.scope();
    const net = new Spmc(buildOn(engine), small);
    expect(() => net.forward(engine.zeros([1, 1, 5, 4, 4]))).toThrow(ShapeError);
    net.dispose();
  });

  it.each([{ channels: 3 }, { frames: 4 }, { scale: 1.5 }, { width: 0 }, { flowWidth: 0 }])('refuses %j', (config) => {
    expect(() => new Spmc(buildOn(engine), config as Partial<SpmcConfig>)).toThrow(UsageError);
  });
});
