import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { type Build, type HostTensor, Noise } from '../../engine/nn/module.ts';
import { charbonnier_loss } from '../../engine/ops/losses.ts';
import { slice } from '../../engine/ops/slice.ts';
import { Random } from '../../engine/random.ts';
import { Fstrn, type FstrnConfig, variantA, variantB } from '../../nets/fstrn.ts';
import { countMacs } from '../../nets/net.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
let build: Build;
beforeAll(async () => {
  engine = await testEngine();
  build = { engine, random: new Random(1), noise: new Noise(2) };
});

const fixtures: [name: string, config: Partial<FstrnConfig>][] = [
  ['fstrn_default', {}],
  ['fstrn_a', { upsampler: 'holes' }],
  ['fstrn_a_leaky', variantA],
  ['fstrn_b', variantB],
];

describe('FSTRN against PyTorch', () => {
  it.each(fixtures)('%s: output, loss and every gradient', async (name, config) => {
    const { tensors, metadata } = readFixture(name);
    const net = new Fstrn(build, { ...config, width: 8, blocks: 2 }).train(false);
    const entries = Object.entries(tensors).filter(([key]) => /\.(weight|bias)$/.test(key) && !key.startsWith('grad.'));
    net.loadStateDict(
      new Map(entries.map(([key, t]): [string, HostTensor] => [key, { ...t, data: Float32Array.from(t.data) }])),
    );
    const host = async (t: { shape: readonly number[]; read(): Promise<Float32Array> }) => ({
      shape: t.shape,
      data: Float64Array.from(await t.read()),
    });

    using scope = engine.scope();
    const x = engine.tensor(tensors.x.shape, tensors.x.data).track();
    const target = engine.tensor(tensors.target.shape, tensors.target.data);
    using tape = engine.record();
    const y = net.forward(x);
    const centre = metadata.loss_frames === 'all' ? y : slice(y, { axis: 2, start: 2, end: 3 });
    const loss = charbonnier_loss(centre, target);
    tape.backward(loss);

    expect(relativeError(await host(y), tensors.y)).toBeLessThan(1e-5);
    expect(Math.abs((await loss.item()) / tensors.loss.data[0] - 1)).toBeLessThan(1e-5);
    const errors = { x: relativeError(await host(x.grad!), tensors['grad.x']) } as Record<string, number>;
    for (const [key, p] of net.namedParameters())
      errors[key] = relativeError(await host(p.grad!), tensors[`grad.${key}`]);
    for (const [key, error] of Object.entries(errors)) expect(error, key).toBeLessThan(1e-4);
    expect(Object.keys(errors)).toHaveLength(entries.length + 1);

    x.setGrad(undefined);
    net.dispose();
    scope[Symbol.dispose]();
  });
});

describe('FSTRN as the tables have it', () => {
  const counts: [string, Partial<FstrnConfig>, number][] = [
    ['variant A', variantA, 802_241],
    ['variant A with full 3D blocks', { ...variantA, block: 'full' }, 1_662_081],
    ['variant B, RGB', variantB, 433_097],
    ['variant B, luminance', { ...variantB, channels: 1 }, 426_183],
    ['ours: A with an enlargement of 64 to 16 by pixel shuffle', {}, 376_305],
  ];
  it.each(counts)('%s has %j: %i parameters', (_, config, count) => {
    const net = new Fstrn(build, config);
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it('costs 5.23 billion multiply-adds as variant A on 5x36x36', () => {
    const net = new Fstrn(build, variantA);
    const macs = countMacs(engine, () => net.forward(engine.zeros([1, 1, 5, 36, 36])));
    expect(macs).toBe(5 * 36 * 36 * (27 * 64 + 5 * 49_152 + 27 * 64 * 256 + 27 * 256 * 16 + 16 * 27 * 16));
    expect(macs / 1e9).toBeCloseTo(5.23, 2);
    net.dispose();
  });

  it.each([
    ['no LRL', { localResidual: false }],
    ['no CRL', { crossResidual: 'none' }],
    ['bicubic CRL', { crossResidual: 'bicubic' }],
    ['full blocks', { block: 'full' }],
    ['5 taps', { kernel: 5 }],
    ['x2', { scale: 2 }],
    ['RGB', { channels: 3 }],
  ] as [string, Partial<FstrnConfig>][])('%s: runs on an odd size, and gives its memory back', async (_, config) => {
    const before = engine.memory.stats().live;
    const net = new Fstrn(build, { width: 8, blocks: 1, ...config });
    const owned = engine.memory.stats().live;
    const { channels, scale } = net.config;
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, channels, 3, 5, 7], new Float32Array(channels * 105).fill(0.5)));
      expect(y.shape).toEqual([1, channels, 3, 5 * scale, 7 * scale]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(owned + 2 ** 16); // resize tables stay
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16);
  });

  it.each([
    { width: 6 },
    { kernel: 4 },
    { dropout: 1 },
    { blocks: -1 },
    { scale: 0 },
    { leaky: -0.1 },
    { block: 'ful' },
    { upsampler: 'nearest' },
    { crossResidual: true },
    { localResidual: 'no' },
  ])('refuses %j', (config) => {
    expect(() => new Fstrn(build, config as Partial<FstrnConfig>)).toThrow(UsageError);
  });
});
