import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import type { Build, StateDict } from '../../engine/nn/module.ts';
import { size } from '../../engine/tensor.ts';
import { Msrresnet, type MsrresnetConfig, entry as msrresnetEntry } from '../../nets/msrresnet.ts';
import type { Net, NetEntry } from '../../nets/net.ts';
import {
  discriminatorEntry,
  entry,
  Srgan,
  type SrganConfig,
  SrganDiscriminator,
  type SrganDiscriminatorConfig,
  srresnetDefaults,
  srresnetEntry,
} from '../../nets/srgan.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const width = 6;

describe('against PyTorch: output, every gradient, running statistics', () => {
  it('SRResNet in training', () =>
    againstPyTorch(
      engine,
      'srresnet',
      (build) => new Srgan(build, { width, blocks: 3, slopes: 'channel' }, srresnetDefaults),
    ));

  it.each([
    ['srgan', { scale: 4 }],
    ['srgan_norm', { scale: 2, joint: 'norm' }],
  ] as [string, Partial<SrganConfig>][])('%s', (name, config) =>
    againstPyTorch(engine, name, (build) => new Srgan(build, { width, blocks: 2, ...config })),
  );

  it.each([2, 3, 4] as const)('MSRResNet x%i', (scale) =>
    againstPyTorch(engine, `msrresnet_x${scale}`, (build) => new Msrresnet(build, { scale, width, blocks: 2 })),
  );

  it.each([
    ['srgan_discriminator', {}],
    ['srgan_discriminator_dense', { head: 'dense', size: 32 }],
    ['srgan_discriminator_eval', { width: 2 }],
  ] as [string, Partial<SrganDiscriminatorConfig>][])('%s', (name, config) =>
    againstPyTorch(engine, name, (build) => new SrganDiscriminator(build, { width: 3, ...config })),
  );
});

describe('what is published', () => {
  it.each([
    [1_549_462, {}, srresnetEntry],
    [1_550_659, { slopes: 'channel' }, srresnetEntry],
    [586_379, { scale: 2 }, entry],
    [734_092, {}, entry],
    [881_805, { scale: 8 }, entry],
    [734_219, { joint: 'norm' }, entry],
    [1_517_571, {}, msrresnetEntry],
    [5_215_425, {}, discriminatorEntry],
    [23_565_505, { head: 'dense' }, discriminatorEntry],
  ] as [number, object, NetEntry][])('%i parameters with %j', (count, config, of) => {
    const net = of.create(blankOn(engine), { ...of.defaults, ...config });
    expect(net.parameterCount()).toBe(count);
    net.dispose();
  });

  it.each([
    [2, 76, 587_659],
    [4, 79, 735_372],
    [8, 82, 883_085],
  ])('a file for x%i holds %i tensors, %i numbers', (scale, tensors, numbers) => {
    const net = entry.create(blankOn(engine), { ...entry.defaults, scale });
    const shapes = Array.from(net.namedTensors(), ([, { shape }]) => shape);
    expect(shapes).toHaveLength(tensors);
    expect(shapes.reduce((sum, shape) => sum + size(shape), 0)).toBe(numbers);
    net.dispose();
  });

  it('the tensors of x4, in their order', () => {
    const norm = (name: string) => ['weight', 'bias', 'running_mean', 'running_var'].map((n) => `${name}.${n}`);
    const conv = (name: string) => [`${name}.weight`, `${name}.bias`];
    const block = (b: number) => {
      const at = `block${b}`;
      return [
        ...conv(`${at}.conv1`),
        ...norm(`${at}.bn1`),
        `${at}.prelu.weight`,
        ...conv(`${at}.conv2`),
        ...norm(`${at}.bn2`),
      ];
    };
    const net = entry.create(blankOn(engine), { ...entry.defaults });
    expect(Array.from(net.namedTensors(), ([name]) => name)).toEqual([
      ...[...conv('block1.0'), 'block1.1.weight'],
      ...[2, 3, 4, 5, 6].flatMap(block),
      ...[...conv('block7.0'), 'block7.1.weight'],
      ...[0, 1].flatMap((i) => [...conv(`block8.${i}.conv`), `block8.${i}.prelu.weight`]),
      ...conv('block8.2'),
    ]);
    net.dispose();
  });

  it.each([
    [{ width, blocks: 3, scale: 2, slopes: 'channel' }, srresnetEntry],
    [{ width, scale: 8, channels: 1 }, entry],
    [{ width, joint: 'norm' }, entry],
    [{ width, blocks: 2, scale: 3 }, msrresnetEntry],
    [{ width, blocks: 2 }, msrresnetEntry],
    [{ width: 3 }, discriminatorEntry],
    [{ width: 3, head: 'dense', size: 32 }, discriminatorEntry],
  ] as [object, NetEntry][])('all settings but the output are in the tensors: %j', async (config, of) => {
    const { output, ...given } = { ...of.defaults, ...config } as Record<string, unknown>;
    const net = of.create(buildOn(engine), { ...given, ...(output ? { output } : {}) });
    const state: StateDict = await net.stateDict();
    expect(of.adopt!(state)).toEqual({ config: given, tensors: state });
    net.dispose();
  });
});

describe('enlargement', () => {
  const small: [string, (build: Build) => Net][] = [
    ...([2, 4, 8] as const).map((scale): [string, (build: Build) => Net] => [
      `SRGAN x${scale}`,
      (build) => new Srgan(build, { width, blocks: 1, scale }).train(false),
    ]),
    ...([2, 3, 4] as const).map((scale): [string, (build: Build) => Net] => [
      `MSRResNet x${scale}`,
      (build) => new Msrresnet(build, { width, blocks: 1, scale } as Partial<MsrresnetConfig>),
    ]),
  ];
  it.each(small)('%s: a pixel reaches as far as it says, and memory returns', async (_, make) => {
    const before = engine.memory.stats().live;
    const net = make(buildOn(engine));
    const { scale } = net.config;
    const reach = net.spatialReach;
    const [h, w] = [3, 2 * reach + 5];
    const middle = Math.floor(w / 2);
    {
      using _scope = engine.scope();
      const values = Float32Array.from({ length: 3 * h * w }, (_, i) => 0.5 + 0.5 * Math.sin(i));
      const x = engine.tensor([1, 3, h, w], values).track();
      using tape = engine.record();
      const y = net.forward(x);
      expect(y.shape).toEqual([1, 3, h * scale, w * scale]);
      const dy = Float32Array.from({ length: size(y.shape) }, (_, i) =>
        Math.floor((i % (w * scale)) / scale) === middle ? 1 : 0,
      );
      tape.backward(y, engine.tensor(y.shape, dy));
      const grad = await x.grad!.read();
      const far = [...grad.keys()].filter((i) => grad[i] !== 0).map((i) => Math.abs((i % w) - middle));
      expect(Math.max(...far)).toBe(reach);
      x.setGrad(undefined);
    }
    for (const parameter of net.parameters()) parameter.setGrad(undefined);
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
  });
});

it.each([{ scale: 3 }, { blocks: -1 }, { joint: 'relu' }, { output: 'sigmoid' }, { slopes: 2 }])(
  'SRGAN refuses %j',
  (config) => {
    expect(() => new Srgan(blankOn(engine), config as Partial<SrganConfig>)).toThrow(UsageError);
  },
);

it('MSRResNet and the discriminator refuse what makes no network, and pictures of another size', () => {
  expect(() => new Msrresnet(blankOn(engine), { scale: 8 } as object)).toThrow(UsageError);
  expect(() => new SrganDiscriminator(blankOn(engine), { head: 'none' } as object)).toThrow(UsageError);
  using _scope = engine.scope();
  const net = new SrganDiscriminator(blankOn(engine), { width: 2, head: 'dense', size: 32 });
  expect(() => net.forward(engine.zeros([1, 3, 32, 33]))).toThrow(UsageError);
  net.dispose();
});
