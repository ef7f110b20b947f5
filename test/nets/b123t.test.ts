import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { B123t, type B123tConfig, entry } from '../../nets/b123t.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';
import { reachOf } from './reach.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { width: 6, narrow: 4 };

describe('B123+T', () => {
  it('gives output and every gradient as PyTorch does, on an odd size', () =>
    againstPyTorch(engine, 'b123t', (build) => new B123t(build, small)));

  it('has 88,770 parameters for motion, 263,856 in its branches and 18,051 that weigh them', () => {
    const net = new B123t(buildOn(engine));
    const branches = net.branches.reduce((sum, branch) => sum + branch.parameterCount(), 0);
    expect([net.flow.parameterCount(), branches, net.temporal.parameterCount()]).toEqual([88_770, 263_856, 18_051]);
    expect(net.parameterCount()).toBe(entry.published!.parameters);
    net.dispose();
  });

  it('lets a pixel reach no farther than it says', async () => {
    const net = new B123t(buildOn(engine), small);
    expect(await reachOf(engine, net)).toBeLessThanOrEqual(net.spatialReach);
    net.dispose();
  });

  it('enlarges three frames by three, and gives its memory back', async () => {
    const before = engine.memory.stats().live;
    const net = new B123t(buildOn(engine), { ...small, scale: 3, frames: 3 });
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 1, 3, 5, 3], new Float32Array(45).fill(0.5)));
      expect(y.shape).toEqual([1, 1, 1, 15, 9]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
  });

  it.each([{ channels: 3 }, { frames: 4 }, { width: 0 }, { scale: 1.5 }])('refuses %j', (config) => {
    expect(() => new B123t(buildOn(engine), config as Partial<B123tConfig>)).toThrow(UsageError);
  });
});
