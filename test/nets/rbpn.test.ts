import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { entry, Rbpn, type RbpnConfig } from '../../nets/rbpn.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn, wave } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { features: 6, width: 4, blocks: 2 };

describe('RBPN', () => {
  it.each([
    ['rbpn_x4', { frames: 3 }],
    ['rbpn_x2', { frames: 4, scale: 2, residual: true }],
  ] as [string, Partial<RbpnConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new Rbpn(build, { ...small, ...config }), 2e-4),
  );

  it('rbpn_x4: the same with its blocks computed again', () =>
    againstPyTorch(
      engine,
      'rbpn_x4',
      (build) => {
        const net = new Rbpn(build, { ...small, frames: 3 });
        net.checkpointBlocks();
        return net;
      },
      2e-4,
    ));

  it.each([
    [2, 7, 10_134_119],
    [4, 7, 12_771_943],
    [8, 7, 20_308_583],
    [4, 11, 12_778_855],
  ] as const)('x%i of %i frames has %i parameters', (scale, frames, count) => {
    const net = new Rbpn(blankOn(engine), { scale, frames });
    expect(net.parameterCount()).toBe(count);
    if (scale === 4 && frames === 7) expect(count).toBe(entry.published!.parameters);
    net.dispose();
  });

  it('x8 of two frames: runs on an odd size, and gives its memory back', async () => {
    const before = engine.memory.stats().live;
    const net = new Rbpn(buildOn(engine), { ...small, scale: 8, frames: 2, blocks: 1 });
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 3, 2, 1, 3], wave(18)), engine.tensor([1, 2, 1, 1, 3], wave(6)));
      expect(y.shape).toEqual([1, 3, 1, 8, 24]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    net.dispose();
    expect(engine.memory.stats().live).toBe(before);
  });

  it('learns its settings from the shapes of a public file', async () => {
    const config = { channels: 1, scale: 8, frames: 5, features: 6, width: 4, blocks: 3 };
    const net = entry.create(buildOn(engine), config);
    const state = await net.stateDict();
    expect([...state.keys()]).toEqual(
      expect.arrayContaining([
        ...['feat0.act.weight', 'DBPN.down1.down_conv2.deconv.weight', 'DBPN.output.conv.bias'],
        ...['res_feat1.3.deconv.weight', 'res_feat1.0.act.weight', 'res_feat3.3.conv.bias', 'output.conv.weight'],
      ]),
    );
    expect(entry.adopt!(state)).toEqual({ config, tensors: state });
    net.dispose();
  });

  it.each([{ scale: 3 }, { frames: 1 }, { blocks: -1 }, { width: 0 }, { residual: 'yes' }])('refuses %j', (config) => {
    expect(() => new Rbpn(buildOn(engine), config as Partial<RbpnConfig>)).toThrow(UsageError);
  });
});
