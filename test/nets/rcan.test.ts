import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import type { StateDict } from '../../engine/nn/module.ts';
import { entry, Rcan, type RcanConfig } from '../../nets/rcan.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const small = { width: 8, reduction: 4, groups: 1, blocks: 1 };

describe('RCAN against PyTorch', () => {
  it.each([
    ['rcan_x2', { scale: 2, groups: 2, blocks: 2 }],
    ['rcan_x3', { scale: 3 }],
    ['rcan_x4', { scale: 4, blocks: 3 }],
    ['rcan_x8', { scale: 8, width: 4, reduction: 2 }],
  ] as [string, Partial<RcanConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new Rcan(build, { ...small, ...config })),
  );
});

describe('RCAN', () => {
  it.each([
    [{ scale: 2 }, 15_444_643],
    [{ scale: 3 }, 15_629_283],
    [{ scale: 4 }, 15_592_355],
    [{ scale: 8 }, 15_740_067],
    [{ blocks: 16 }, 12_614_915],
  ] as [Partial<RcanConfig>, number][])('with %j has %i parameters', (config, count) => {
    const net = new Rcan(blankOn(engine), config);
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it.each([2, 3, 4, 8] as const)('x%i: odd sizes, and memory returns', async (scale) => {
    const before = engine.memory.stats().live;
    const net = new Rcan(buildOn(engine), { ...small, scale });
    const owned = engine.memory.stats().live;
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 3, 3, 5], new Float32Array(45).fill(0.5)));
      expect(y.shape).toEqual([1, 3, 3 * scale, 5 * scale]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBe(owned);
    net.dispose();
    expect(engine.memory.stats().live).toBe(before);
  });

  it.each([2, 3, 8] as const)('x%i: the files of BasicSR and of the authors', async (scale) => {
    const config = { ...small, channels: 3, scale, groups: 2, blocks: 3 };
    const net = entry.create(buildOn(engine), config);
    const state = await net.stateDict();
    net.dispose();
    const official = (name: string) =>
      name
        .replace('conv_first', 'head.0')
        .replace(/residual_group\.(\d+)\.rcab/, 'body.$1.body')
        .replace('attention.1', 'conv_du.0')
        .replace('attention.3', 'conv_du.2')
        .replace(/^(body\.\d+)\.conv\./, '$1.body.3.')
        .replace('conv_after_body', 'body.2')
        .replace('upsample', 'tail.0')
        .replace('conv_last', 'tail.1');
    const file: StateDict = new Map([...state].map(([name, tensor]) => [official(name), tensor]));
    for (const shift of ['sub_mean', 'add_mean']) {
      file.set(`${shift}.weight`, { shape: [3, 3, 1, 1], data: new Float32Array(9) });
      file.set(`${shift}.bias`, { shape: [3], data: new Float32Array(3) });
    }
    expect([...file.keys()]).toContain('body.1.body.2.body.3.conv_du.2.bias');
    for (const published of [state, file]) expect(entry.adopt!(published)).toEqual({ config, tensors: state });
  });

  it.each([{ scale: 5 }, { channels: 1 }, { reduction: 7 }, { groups: 0 }])('refuses %j', (config) => {
    expect(() => new Rcan(buildOn(engine), config as unknown as Partial<RcanConfig>)).toThrow(UsageError);
  });
});
