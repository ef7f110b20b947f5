import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import type { StateDict } from '../../engine/nn/module.ts';
import { sum } from '../../engine/ops/sum.ts';
import type { NetEntry } from '../../nets/net.ts';
import { Vgg, vgg16Entry, vgg19Entry } from '../../nets/vgg.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn, wave } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
const picture = (h: number, w: number) => engine.tensor([1, 3, h, w], wave(3 * h * w));

describe('VGG against PyTorch: features and every gradient', () => {
  it('vgg16 through pool5, not normalised', () =>
    againstPyTorch(engine, 'vgg16', (build) => new Vgg(build, 'vgg16', { width: 2 })));
  it('vgg19 through conv5_4, normalised', () =>
    againstPyTorch(engine, 'vgg19', (build) => new Vgg(build, 'vgg19', { width: 2 })));
});

it.each([
  [14_714_688, vgg16Entry, [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]],
  [20_024_384, vgg19Entry, [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]],
] as [number, NetEntry, number[]][])('%i parameters, under the indices of torchvision', (count, entry, indices) => {
  const net = entry.create(blankOn(engine), entry.defaults);
  expect(net.parameterCount()).toBe(count);
  const names = indices.flatMap((i) => [`features.${i}.weight`, `features.${i}.bias`]);
  expect(Array.from(net.namedTensors(), ([name]) => name)).toEqual(names);
  net.dispose();
});

it('gives the features of several layers in one pass, before and after their ReLU, as each alone', async () => {
  const before = engine.memory.stats().live;
  const names = ['relu5_1', 'conv1_2', 'relu1_2', 'pool2', 'conv2_1', 'pool2'];
  const net = new Vgg(buildOn(engine), 'vgg16', { width: 2 });
  {
    using _scope = engine.scope();
    const x = picture(33, 35);
    const { live } = engine.memory.stats();
    const taps = net.taps(x, names);
    const alone = names.map((name) => net.taps(x, [name])[0]);
    for (const [i, name] of names.entries()) {
      const [one, other] = [await taps[i].read(), await alone[i].read()];
      const largest = one.reduce((most, v) => Math.max(most, Math.abs(v)));
      expect(Math.max(...one.map((v, k) => Math.abs(v - other[k]))) / largest, name).toBeLessThan(1e-5);
    }
    const [, conv, relu] = await Promise.all(taps.map((tap) => tap.read()));
    expect(conv.some((v) => v < 0)).toBe(true);
    expect(relu).toEqual(conv.map((v) => Math.max(v, 0)));
    expect(taps.map(({ shape }) => shape.slice(1))).toEqual([
      [16, 2, 2],
      [2, 33, 35],
      [2, 33, 35],
      [4, 8, 8],
      [4, 16, 17],
      [4, 8, 8],
    ]);
    for (const tensor of [...new Set(taps), ...alone]) engine.giveUp(tensor);
    expect(engine.memory.stats().live).toBe(live);
  }
  net.dispose();
  expect(engine.memory.stats().live).toBe(before);
});

it('frozen: the picture gets the same gradient, the parameters none', async () => {
  const net = new Vgg(buildOn(engine), 'vgg19', { width: 2, layer: 'conv3_2' });
  const gradients: Float32Array[] = [];
  for (const frozen of [false, true]) {
    if (frozen) net.freeze();
    using _scope = engine.scope();
    const x = picture(9, 12).track();
    using tape = engine.record();
    tape.backward(sum(net.forward(x)));
    gradients.push(await x.grad!.read());
    expect(net.parameters().some((parameter) => parameter.grad)).toBe(!frozen);
    for (const tensor of [x, ...net.parameters()]) tensor.setGrad(undefined);
  }
  expect(gradients[1]).toEqual(gradients[0]);
  expect(gradients[0].some((v) => v !== 0)).toBe(true);
  net.dispose();
});

it('a file of torchvision gives its features; the classifier goes', async () => {
  const net = vgg16Entry.create(buildOn(engine), { width: 2 });
  const state = await net.stateDict();
  const published: StateDict = new Map([...state, ['classifier.0.weight', { shape: [1], data: new Float32Array(1) }]]);
  expect(vgg16Entry.adopt!(published)).toEqual({ config: { width: 2 }, tensors: state });
  net.dispose();
});

it('refuses layers and settings that there are not', () => {
  for (const config of [{ layer: 'conv5_4' }, { width: 0 }, { normalisation: 'mean' }] as object[]) {
    expect(() => new Vgg(blankOn(engine), 'vgg16', config)).toThrow(UsageError);
  }
  using _scope = engine.scope();
  const net = new Vgg(blankOn(engine), 'vgg16', { width: 1 });
  expect(() => net.taps(picture(8, 8), ['relu1_1', 'relu6_1'])).toThrow('there is no layer relu6_1');
  net.dispose();
});
