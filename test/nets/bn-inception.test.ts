import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import type { HostTensor } from '../../engine/nn/module.ts';
import { BnInception, type BnInceptionConfig, entry, forChannels } from '../../nets/bn-inception.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn, wave } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { width: 2, dropout: 0, normalisation: 'none' } as const;

describe('BN-Inception', () => {
  it.each([
    ['bn_inception', { classes: 5 }],
    ['bn_inception_flow', { classes: 3, channels: 10 }],
    ['bn_inception_train', { classes: 4 }],
  ] as [string, Partial<BnInceptionConfig>][])('%s: output, every gradient, running statistics', (name, config) =>
    againstPyTorch(engine, name, (build) => new BnInception(build, { ...small, ...config }), 2e-4),
  );

  it.each([
    ['RGB, 101 classes', {}, 10_373_765],
    ['flow, 51 classes', { channels: 10, classes: 51 }, 10_344_467],
  ] as [string, Partial<BnInceptionConfig>, number][])(
    '%s: has as many parameters as published',
    (name, config, count) => {
      const net = new BnInception(blankOn(engine), config);
      expect(net.parameterCount()).toBe(count);
      if (name === 'RGB, 101 classes') expect(count).toBe(entry.published!.parameters);
      net.dispose();
    },
  );

  it('takes any size, and gives its memory back', async () => {
    const net = new BnInception(buildOn(engine), small).train(false);
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 3, 2, 33, 41], new Float32Array(6 * 33 * 41).fill(0.5)));
      expect(y.shape).toEqual([1, 101]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(live + 2 ** 16); // tables of the padding stay
    net.dispose();
  });

  it.each([
    [3, 'pytorch', [128, 117, 104]],
    [3, 'caffe', [123, 117, 104]],
    [10, 'pytorch', new Array(10).fill(128)],
  ] as const)(
    'makes of %i channels in 0..1 what the weights of the %s code want',
    async (channels, normalisation, means) => {
      const [net, bare] = [{ normalisation }, {}].map((config) =>
        new BnInception(buildOn(engine), { ...small, channels, classes: 5, ...config }).train(false),
      );
      using _scope = engine.scope();
      const pixels = 32 * 32;
      const pictures = wave(channels * pixels);
      const wanted = Float32Array.from({ length: channels * pixels }, (_, i) => {
        const [c, pixel] = [Math.floor(i / pixels), i % pixels];
        const source = channels === 3 ? 2 - c : c;
        return 255 * pictures[source * pixels + pixel] - means[source];
      });
      const shape = [1, channels, 32, 32];
      const got = await net.forward(engine.tensor(shape, pictures)).read();
      const want = await bare.forward(engine.tensor(shape, wanted)).read();
      const largest = Math.max(...want.map(Math.abs));
      for (const [i, score] of want.entries()) expect(Math.abs(got[i] - score) / largest).toBeLessThan(1e-4);
      for (const one of [net, bare]) one.dispose();
    },
  );

  it('takes differences of frames as they are, and nothing else', async () => {
    expect(() => new BnInception(blankOn(engine), { width: 2, channels: 15 })).toThrow('expected none, got pytorch');
    const net = new BnInception(blankOn(engine), { ...small, channels: 15 });
    const config = { width: 2, classes: 101, channels: 15, normalisation: 'none' };
    expect(entry.adopt!(await net.stateDict()).config).toEqual(config);
    net.dispose();
  });

  it('partial batch norm: all norms but the first stay as they are', () => {
    const net = new BnInception(buildOn(engine), small).freezeNorms();
    const trained = [...net.namedParameters()].filter(([name, p]) => /_bn\./.test(name) && p.tracked);
    expect(trained.map(([name]) => name)).toEqual(['conv1_7x7_s2_bn.weight', 'conv1_7x7_s2_bn.bias']);
    net.dispose();
  });

  it.each([
    ['its own', (name: string) => name],
    ['tsn-pytorch', (name: string) => (name.startsWith('new_fc') ? name : `base_model.${name}`)],
    ['the zoo of TSN', (name: string) => name.replace('new_fc', 'fc')],
    ['Cadene', (name: string) => name.replace('new_fc', 'last_linear')],
  ])('adopts files with the names of %s', async (from, rename) => {
    const net = new BnInception(buildOn(engine), { ...small, classes: 7, channels: 10 });
    const own = await net.stateDict();
    const published = new Map(
      [...own].map(([name, tensor]): [string, HostTensor] => {
        const apart = from === 'Cadene' && name.includes('_bn.');
        return [rename(name), apart ? { ...tensor, shape: [1, ...tensor.shape] } : tensor];
      }),
    );
    const { config, tensors } = entry.adopt!(published);
    expect(config).toEqual({ width: 2, classes: 7, channels: 10 });
    expect(tensors).toEqual(own);
    net.dispose();
  });

  it('starts on flow from the mean of the filters for colours', async () => {
    const net = new BnInception(buildOn(engine), small);
    const own = await net.stateDict();
    const flow = new BnInception(buildOn(engine), { ...small, channels: 10 });
    flow.loadStateDict(forChannels(own, 10));
    const [colours, fields] = [own, await flow.stateDict()].map((dict) => dict.get('conv1_7x7_s2.weight')!.data);
    for (const tap of [0, 48]) {
      const mean = (colours[tap] + colours[49 + tap] + colours[98 + tap]) / 3;
      for (const field of [0, 9]) expect(fields[49 * field + tap]).toBeCloseTo(mean, 6);
    }
    for (const one of [net, flow]) one.dispose();
  });

  it.each([{ width: 3 }, { width: 0 }, { classes: 0 }, { channels: 0 }, { dropout: 1 }, { normalisation: 'bgr' }])(
    'refuses %j',
    (config) => {
      expect(() => new BnInception(buildOn(engine), config as Partial<BnInceptionConfig>)).toThrow(UsageError);
    },
  );
});
