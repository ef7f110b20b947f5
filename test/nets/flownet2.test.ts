import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import type { Module } from '../../engine/nn/module.ts';
import { entry, entryC, entryS, entrySD, Flownet2, Flownet2Part, type Part } from '../../nets/flownet2.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn, wave } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const small = { width: 1, displacement: 2 };

it('FlowNet 2.0 against PyTorch: the flow and every gradient', () =>
  againstPyTorch(engine, 'flownet2', (build) => new Flownet2(build, small), 2e-4));

it.each(['c', 's', 'sd'] as Part[])('FlowNet2-%s by itself: the flow and every gradient', (part) =>
  againstPyTorch(engine, `flownet2_${part}`, (build) => new Flownet2Part(build, part, small), 2e-4),
);

it.each([
  ['c', entryC, { width: 2, displacement: 4 }],
  ['s', entryS, { width: 2 }],
  ['sd', entrySD, { width: 2 }],
] as const)('FlowNet2-%s: parameters as published, under names without a prefix', async (_, part, config) => {
  const full = part.create(blankOn(engine), part.defaults);
  expect(full.parameterCount()).toBe(part.published!.parameters);
  full.dispose();
  const before = engine.memory.stats().live;
  const net = part.create(blankOn(engine), config);
  const state = await net.stateDict();
  expect([...state.keys()]).toEqual(expect.arrayContaining(['conv1.0.weight', 'predict_flow2.bias']));
  expect(part.adopt!(state)).toEqual({ config, tensors: state });
  net.dispose();
  expect(engine.memory.stats().live).toBe(before);
});

it('has as many parameters as published, part by part', () => {
  const net = new Flownet2(blankOn(engine));
  expect(net.parameterCount()).toBe(162_518_834);
  const parts = { flownetc: 39_175_298, flownets_1: 38_695_322, flownets_d: 45_371_666, flownetfusion: 581_226 };
  for (const [name, count] of Object.entries(parts)) {
    expect((net as unknown as Record<string, Module>)[name].parameterCount(), name).toBe(count);
  }
  const names = Array.from(net.namedTensors(), ([name]) => name);
  for (const name of [
    'flownetc.conv1.0.weight',
    'flownetc.conv_redir.0.bias',
    'flownets_2.predict_flow6.weight',
    'flownets_d.inter_conv5.0.weight',
    'flownetfusion.upsampled_flow2_to_1.bias',
  ]) {
    expect(names).toContain(name);
  }
  expect(names).not.toContain('flownets_1.upsampled_flow6_to_5.bias');
  net.dispose();
});

describe('FlowNet 2.0', () => {
  it.each([
    [1, 64, 64],
    [2, 5, 7],
    [1, 65, 20],
  ])('%i pairs of %i x %i: a flow of that size, and memory returns', async (n, h, w) => {
    const before = engine.memory.stats().live;
    const net = new Flownet2(buildOn(engine), small);
    const owned = engine.memory.stats().live;
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([n, 3, 2, h, w], wave(6 * n * h * w)));
      expect(y.shape).toEqual([n, 2, h, w]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(owned + 2 ** 16); // resize tables stay
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16);
  });

  it('gradients are finite where both pictures are the same and no flow is there', async () => {
    using _scope = engine.scope();
    const net = new Flownet2(blankOn(engine), small);
    const x = engine.zeros([1, 3, 2, 8, 8]).track();
    using tape = engine.record();
    const y = net.forward(x);
    tape.backward(y, engine.tensor(y.shape, new Float32Array(128).fill(1)));
    for (const tensor of [x, ...net.parameters()]) {
      expect((await tensor.grad!.read()).every(Number.isFinite)).toBe(true);
      tensor.setGrad(undefined);
    }
    net.dispose();
  });

  it('settings come from the shapes of a file', async () => {
    const net = entry.create(buildOn(engine), { width: 2, displacement: 4 });
    const state = await net.stateDict();
    expect(entry.adopt!(state)).toEqual({ config: { width: 2, displacement: 4 }, tensors: state });
    net.dispose();
  });

  it.each([{ width: 0 }, { displacement: 1.5 }])('refuses %j', (config) => {
    expect(() => new Flownet2(blankOn(engine), config)).toThrow(UsageError);
  });
});
