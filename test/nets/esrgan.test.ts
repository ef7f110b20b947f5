import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { FormatError, UsageError } from '../../engine/errors.ts';
import type { StateDict } from '../../engine/nn/module.ts';
import {
  discriminatorEntry,
  Esrgan,
  type EsrganConfig,
  EsrganDiscriminator,
  entry,
  interpolateStates,
} from '../../nets/esrgan.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const small = { width: 4, growth: 4, blocks: 1 };

describe('ESRGAN against PyTorch', () => {
  it.each([
    ['esrgan_x4', { blocks: 2 }],
    ['esrgan_x2', { scale: 2 }],
    ['esrgan_x1', { scale: 1 }],
  ] as [string, Partial<EsrganConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new Esrgan(build, { ...small, ...config })),
  );

  it.each([
    ['esrgan_discriminator', 3],
    ['esrgan_discriminator_eval', 2],
  ])('%s: output, every gradient, running statistics', (name, width) =>
    againstPyTorch(engine, name, (build) => new EsrganDiscriminator(build, { width, size: 32 })),
  );
});

describe('ESRGAN', () => {
  it.each([
    ['generator', entry, 16_697_987],
    ['discriminator', discriminatorEntry, 14_499_401],
  ] as const)('%s: published parameters', (_, { create, defaults, published }, count) => {
    const net = create(blankOn(engine), defaults);
    expect(net.parameterCount()).toBe(count);
    expect(published?.parameters).toBe(count);
    net.dispose();
  });

  it.each([1, 2, 4] as const)('x%i: odd sizes, and memory returns', async (scale) => {
    const before = engine.memory.stats().live;
    const net = new Esrgan(buildOn(engine), { ...small, scale, channels: 1 });
    const owned = engine.memory.stats().live;
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 1, 5, 7], new Float32Array(35).fill(0.5)));
      expect(y.shape).toEqual([1, 1, 5 * scale, 7 * scale]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(owned + 2 ** 16); // resize tables stay
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16);
  });

  it.each([{ scale: 3 }, { blocks: 0 }, { growth: 1.5 }])('refuses %j', (config) => {
    expect(() => new Esrgan(buildOn(engine), config as Partial<EsrganConfig>)).toThrow(UsageError);
  });

  it('its discriminator refuses pictures of other sizes', () => {
    expect(() => new EsrganDiscriminator(buildOn(engine), { size: 100 })).toThrow(UsageError);
    const net = new EsrganDiscriminator(buildOn(engine), { width: 4, size: 32 });
    using _scope = engine.scope();
    expect(() => net.forward(engine.zeros([1, 3, 32, 64]))).toThrow('expected 32 x 32 pixels, got 32 x 64');
    net.dispose();
  });
});

describe('ESRGAN files', () => {
  const config = { ...small, blocks: 2, growth: 8, channels: 3 };
  const renamed = (state: StateDict, rename: (name: string) => string): StateDict =>
    new Map([...state].map(([name, tensor]) => [rename(name), tensor]));
  const newArch = (name: string) =>
    name
      .replace(/^body\.(\d+)\.rdb(\d)/, 'RRDB_trunk.$1.RDB$2')
      .replace('conv_body', 'trunk_conv')
      .replace(/^conv_up(\d)/, 'upconv$1')
      .replace('conv_hr', 'HRconv');
  const places: Record<string, string> = {
    conv_first: 'model.0',
    conv_body: 'model.1.sub.2',
    conv_up1: 'model.3',
    conv_up2: 'model.6',
    conv_hr: 'model.8',
    conv_last: 'model.10',
  };
  const oldArch = (name: string) =>
    name
      .replace(/^body\.(\d+)\.rdb(\d)\.conv(\d)/, 'model.1.sub.$1.RDB$2.conv$3.0')
      .replace(/^conv_\w+/, (layer) => places[layer]);

  it.each([1, 2, 4])('of three generations, at x%i: names and settings', async (scale) => {
    const net = entry.create(buildOn(engine), { ...config, scale });
    const state = await net.stateDict();
    net.dispose();
    expect([...renamed(state, oldArch).keys()]).toContain('model.1.sub.1.RDB3.conv5.0.weight');
    for (const file of [state, renamed(state, newArch), renamed(state, oldArch)]) {
      expect(entry.adopt!(file)).toEqual({ config: { ...config, scale }, tensors: state });
    }
  });

  it('of the discriminator: settings', async () => {
    const net = discriminatorEntry.create(buildOn(engine), { width: 4, size: 64, channels: 1 });
    const state = await net.stateDict();
    net.dispose();
    expect(discriminatorEntry.adopt!(state)).toEqual({ config: { width: 4, size: 64, channels: 1 }, tensors: state });
  });

  it('interpolate between two networks, tensor by tensor', () => {
    const state = (values: number[], name = 'a.weight'): StateDict =>
      new Map([[name, { shape: [values.length], data: Float32Array.from(values) }]]);
    const mixed = interpolateStates(state([0, 4]), state([1, 8]), 0.75);
    expect([...mixed.get('a.weight')!.data]).toEqual([0.75, 7]);
    for (const other of [state([1, 2], 'b.weight'), state([1, 2, 3])]) {
      expect(() => interpolateStates(state([0, 4]), other, 0.5)).toThrow(FormatError);
    }
  });
});
