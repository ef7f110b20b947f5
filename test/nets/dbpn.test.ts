import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { Dbpn, type DbpnConfig, DbpnS, entry, entryS } from '../../nets/dbpn.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const small = { features: 6, width: 4 };

describe('DBPN against PyTorch', () => {
  it.each([
    ['dbpn_x2', { scale: 2, stages: 4 }],
    ['dbpn_x4', { scale: 4, stages: 3 }],
    ['dbpn_x8', { scale: 8, stages: 2, channels: 1 }],
  ] as [string, Partial<DbpnConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new Dbpn(build, { ...small, ...config })),
  );

  it('DBPN-S: output and every gradient', () => againstPyTorch(engine, 'dbpn_s', (build) => new DbpnS(build, small)));
});

describe('DBPN', () => {
  it.each([
    [2, 5_953_526],
    [4, 10_426_358],
    [8, 23_205_878],
  ] as const)('x%i has %i parameters', (scale, count) => {
    const net = new Dbpn(blankOn(engine), { scale });
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it.each([
    [2, 2_241_616],
    [4, 3_961_936],
    [8, 8_877_136],
  ] as const)('DBPN-S x%i has %i parameters', (scale, count) => {
    const net = new DbpnS(blankOn(engine), { scale });
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it.each([
    [2, 1],
    [4, 2],
    [4, 3],
    [8, 2],
  ] as const)('x%i in %i steps: a pixel reaches as far as it says, and memory returns', async (scale, stages) => {
    const before = engine.memory.stats().live;
    const net = new Dbpn(buildOn(engine), { ...small, scale, stages, channels: 1 });
    const reach = net.spatialReach;
    const [h, w] = [1, 2 * reach + 5];
    {
      using _scope = engine.scope();
      const x = engine
        .tensor(
          [1, 1, h, w],
          Float32Array.from({ length: w }, (_, i) => Math.sin(i)),
        )
        .track();
      using tape = engine.record();
      const y = net.forward(x);
      expect(y.shape).toEqual([1, 1, h * scale, w * scale]);
      const dy = new Float32Array(h * w * scale ** 2);
      const middle = Math.floor(w / 2);
      for (let i = 0; i < dy.length; i++) if (Math.floor((i % (w * scale)) / scale) === middle) dy[i] = 1;
      tape.backward(y, engine.tensor(y.shape, dy));
      const grad = await x.grad!.read();
      const far = [...grad.keys()].filter((i) => grad[i] !== 0).map((i) => Math.abs(i - middle));
      expect(Math.max(...far)).toBeLessThanOrEqual(reach);
      expect(Math.max(...far)).toBeGreaterThanOrEqual(reach - 1);
      x.setGrad(undefined);
    }
    for (const parameter of net.parameters()) parameter.setGrad(undefined);
    net.dispose();
    expect(engine.memory.stats().live).toBe(before);
  });

  it('settings come from the shapes of a file', async () => {
    const config = { channels: 1, scale: 2, features: 6, width: 4, stages: 4 };
    const net = entry.create(buildOn(engine), config);
    const state = await net.stateDict();
    expect([...state.keys()]).toContain('up3.conv.act.weight');
    expect(entry.adopt!(state)).toEqual({ config, tensors: state });
    net.dispose();
    const s = entryS.create(buildOn(engine), { ...small, scale: 8 });
    const stateS = await s.stateDict();
    expect(entryS.adopt!(stateS)).toEqual({ config: { ...small, scale: 8 }, tensors: stateS });
    s.dispose();
  });

  it.each([{ scale: 3 }, { stages: 0 }, { width: 1.5 }, { channels: '3' }])('refuses %j', (config) => {
    expect(() => new Dbpn(buildOn(engine), config as Partial<DbpnConfig>)).toThrow(UsageError);
  });
});
