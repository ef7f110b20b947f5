import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { entry, pfnlVersion, Vespcn, type VespcnConfig } from '../../nets/vespcn.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';
import { reachOf } from './reach.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { layers: 3, width: 6, flowWidth: 6 };

describe('VESPCN', () => {
  it.each([
    ['vespcn', {}],
    ['vespcn_pfnl', { version: 'pfnl' }],
  ] as [string, Partial<VespcnConfig>][])('%s: output and every gradient, on an odd size', (name, config) =>
    againstPyTorch(engine, name, (build) => new Vespcn(build, { ...small, ...config })),
  );

  it.each([
    ['the paper', {}, 40_600],
    ['PFNL', pfnlVersion, 52_316 + 256],
  ])('has as many parameters beside its motion net as counted in %s', (_, config, count) => {
    const net = new Vespcn(buildOn(engine), config);
    expect(net.parameterCount() - net.flow.parameterCount()).toBe(count);
    if (count === 40_600) expect(net.parameterCount()).toBe(entry.published!.parameters);
    net.dispose();
  });

  it.each(['paper', 'pfnl'] as const)('%s: a pixel reaches no farther than it says', async (version) => {
    const net = new Vespcn(buildOn(engine), { ...small, layers: 4, version });

    expect(await reachOf(engine, net)).toBeLessThanOrEqual(net.spatialReach);
    net.dispose();
  });

  it('enlarges by three, and gives its memory back', async () => {
    const net = new Vespcn(buildOn(engine), { ...small, scale: 3 });
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 1, 3, 5, 7], new Float32Array(105).fill(0.5)));
      expect(y.shape).toEqual([1, 1, 1, 15, 21]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(live + 2 ** 16); // resize tables stay
    net.dispose();
  });

  it.each([{ channels: 3 }, { layers: 1 }, { scale: 0 }, { width: 0 }, { version: 'pfnl', scale: 2 }])(
    'refuses %j',
    (config) => {
      expect(() => new Vespcn(buildOn(engine), config as Partial<VespcnConfig>)).toThrow(UsageError);
    },
  );
});
