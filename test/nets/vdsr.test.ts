import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { entry, Vdsr, type VdsrConfig } from '../../nets/vdsr.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

describe('VDSR against PyTorch', () => {
  it.each([
    ['vdsr', { width: 4 }],
    ['vdsr_bias', { width: 4, layers: 5, channels: 3, bias: true }],
  ] as [string, Partial<VdsrConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new Vdsr(build, config)),
  );
});

describe('VDSR', () => {
  it.each([
    [false, 664_704],
    [true, 665_921],
  ])('with biases %s has %i parameters', (bias, count) => {
    const net = new Vdsr(buildOn(engine), { bias });
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it('draws weights for the values that leave: 0.0589 between, 0.471 for the last', async () => {
    const net = new Vdsr(buildOn(engine), { layers: 3 });
    for (const [conv, std] of [
      [net.input, 0.0589],
      [net.residual_layer[0].conv, 0.0589],
      [net.output, 0.471],
    ] as const) {
      const values = await conv.weight.read();
      const measured = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
      expect(Math.abs(measured / std - 1)).toBeLessThan(0.1);
    }
    net.dispose();
  });

  it.each([2, 3, 4])(
    'keeps an enlarged size at x%i, whose weights are the same, and gives its memory back',
    async (scale) => {
      const before = engine.memory.stats().live;
      const net = entry.create(buildOn(engine), { width: 4, layers: 4, scale });
      const state = await net.stateDict();
      expect(entry.adopt!(state).config).toEqual({ channels: 1, width: 4, layers: 4, bias: false });
      expect([...state.keys()]).toEqual([
        ...[0, 1].map((k) => `residual_layer.${k}.conv.weight`),
        'input.weight',
        'output.weight',
      ]);
      {
        using _scope = engine.scope();
        const y = net.forward(engine.tensor([1, 1, 5, 7], new Float32Array(35).fill(0.5)));
        expect(y.shape).toEqual([1, 1, 5, 7]);
        expect((await y.read()).every(Number.isFinite)).toBe(true);
      }
      net.dispose();
      expect(engine.memory.stats().live).toBe(before);
    },
  );

  it.each([{ layers: 1 }, { scale: 0 }, { bias: 'no' }, { width: -4 }])('refuses %j', (config) => {
    expect(() => new Vdsr(buildOn(engine), config as Partial<VdsrConfig>)).toThrow(UsageError);
  });
});
