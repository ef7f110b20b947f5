import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { slice } from '../../engine/ops/slice.ts';
import { entry, Frvsr, type FrvsrConfig } from '../../nets/frvsr.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn, wave } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { width: 6, blocks: 2, flowWidth: 2, velocity: 3 };

describe('FRVSR', () => {
  it.each([
    ['frvsr', {}],
    ['frvsr_goes_on', { scale: 2, blocks: 1 }],
    ['frvsr_bd', { version: 'bd' }],
    ['frvsr_bi', { version: 'bi' }],
  ] as [string, Partial<FrvsrConfig>][])(
    '%s: output and every gradient, through time and on an odd size',
    (name, config) => againstPyTorch(engine, name, (build) => new Frvsr(build, { ...small, ...config })),
  );

  it.each([
    [128, 3_309_187, 5_054_693],
    [64, 843_587, 2_589_093],
  ])('SRNet 10-%i has %i parameters, and %i with FNet', (width, srnet, all) => {
    const net = new Frvsr(buildOn(engine), { width });
    expect([net.srnet.parameterCount(), net.parameterCount()]).toEqual([srnet, all]);
    if (width === 128) expect(all).toBe(entry.published!.parameters);
    net.dispose();
  });

  it('goes on from a result as if it had never stopped, and gives its memory back', async () => {
    const net = new Frvsr(buildOn(engine), small);
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const x = engine.tensor([1, 3, 3, 9, 8], wave(648));
      const all = net.forward(x);
      expect(all.shape).toEqual([1, 3, 3, 36, 32]);
      const second = slice(all, { axis: 2, start: 1, end: 2 });
      const third = net.forward(slice(x, { axis: 2, start: 1 }), second);
      expect(await third.read()).toEqual(await slice(all, { axis: 2, start: 2 }).read());
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(live + 2 ** 16); // resize tables stay
    net.dispose();
  });

  it('learns settings from the shapes of a public file, and leaves its kernels aside', async () => {
    const config = { channels: 1, scale: 2, width: 4, blocks: 3, flowWidth: 2 };
    const net = entry.create(buildOn(engine), { ...config, version: 'bd' });
    const state = await net.stateDict();
    expect([...state.keys()]).toEqual(
      expect.arrayContaining([
        'fnet.encoder1.2.weight',
        'fnet.flow.0.bias',
        'srnet.resblocks.2.conv.2.weight',
        'srnet.conv_up.0.weight',
      ]),
    );
    expect(entry.adopt!(state)).toEqual({ config: { ...config, version: 'bi' }, tensors: state });
    const kernels = { shape: [4, 4], data: new Float32Array(16) };
    const published = new Map([...state, ['upsample_func.kernels', kernels], ['srnet.upsample_func.kernels', kernels]]);
    expect(entry.adopt!(published)).toEqual({ config: { ...config, version: 'bd' }, tensors: state });
    net.dispose();
  });

  it('refuses settings that make no network, and a result without a frame after it', () => {
    for (const config of [{ scale: 3 }, { velocity: 0 }, { version: 'tecogan' }, { width: 0 }]) {
      expect(() => new Frvsr(buildOn(engine), config as Partial<FrvsrConfig>)).toThrow(UsageError);
    }
    const net = new Frvsr(buildOn(engine), small);
    using _scope = engine.scope();
    expect(() => net.forward(engine.zeros([1, 3, 1, 8, 8]), engine.zeros([1, 3, 1, 32, 32]))).toThrow(ShapeError);
    net.dispose();
  });
});
