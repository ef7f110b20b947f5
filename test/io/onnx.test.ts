import { describe, expect, it } from 'vitest';
import { type HostTensor, Noise, type StateDict } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { NDArray } from '../../engine/reference/array.ts';
import { exportOnnx, type OnnxModel, type OnnxOptions } from '../../io/onnx/export.ts';
import { decodeModel } from '../../io/onnx/proto.ts';
import { trace } from '../../io/onnx/trace.ts';
import { silentEngine } from '../../io/silent-engine.ts';
import { nets } from '../../nets/index.ts';
import { makeArray } from '../cases.ts';
import { relativeError } from '../fixtures/read.ts';
import { refer, runOnnx } from './onnx-runtime.ts';

type Small = Partial<OnnxOptions>;

/** Each network in small: what the layers do does not depend on their widths. */
const small: Readonly<Record<string, readonly Small[]>> = {
  dbpn: [{ config: { features: 8, width: 8, stages: 2 } }],
  'dbpn-s': [{ config: { features: 8, width: 8 } }],
  b123t: [{ config: { width: 8, narrow: 4 } }],
  'bn-inception': [{ config: { width: 4, classes: 5 } }],
  duf: [{ config: { layers: 16, growth: 4, width: 8, head: 16 } }],
  'duf-16': [{ config: { layers: 16, growth: 4, width: 8, head: 16, scale: 2 } }],
  'duf-28': [{ config: { layers: 28, growth: 4, width: 8, head: 16, scale: 3 } }],
  easyflow: [{ config: { width: 8 } }],
  esrgan: [{ config: { width: 8, blocks: 1, growth: 4 } }],
  'esrgan-discriminator': [{ config: { width: 4, size: 32 } }],
  'esrgan-slim': [{ config: { width: 8, blocks: 1 } }],
  frvsr: [
    { config: { width: 8, blocks: 1, flowWidth: 4 } },
    { config: { width: 8, blocks: 1, flowWidth: 4, version: 'bd' }, frames: 3 },
  ],
  fstrn: [
    { config: { width: 8, blocks: 2 } },
    { config: { width: 8, blocks: 1, crossResidual: 'bicubic', block: 'full', leaky: 0.2 } },
    { config: { width: 8, blocks: 1, upsampler: 'holes', slopes: 'shared' } },
    { config: { width: 8, blocks: 1, crossResidual: 'bicubic' }, size: [6, 7], frames: 3 },
  ],
  flownet2: [{ config: { width: 4, displacement: 4 } }],
  'flownet2-c': [{ config: { width: 4, displacement: 4 } }],
  'flownet2-s': [{ config: { width: 4 } }],
  'flownet2-sd': [{ config: { width: 4 } }],
  msrresnet: [{ config: { width: 8, blocks: 1 } }],
  rbpn: [{ config: { frames: 3, features: 8, width: 4, blocks: 1 } }],
  rcan: [{ config: { width: 16, groups: 1, blocks: 2, reduction: 4 } }],
  resnet50: [{ config: { width: 4, classes: 5 } }],
  spmc: [{ config: { width: 8, flowWidth: 8 } }],
  srgan: [{ config: { width: 8, blocks: 1 } }],
  'srgan-discriminator': [{ config: { width: 4 } }, { config: { width: 4, head: 'dense', size: 32 } }],
  srresnet: [{ config: { width: 8, blocks: 1 } }],
  'st-resnet': [{ config: { width: 4, classes: 5, pool: 2, motion: 6 } }],
  vdsr: [{ config: { width: 8, layers: 4 } }],
  vespcn: [{}, { config: { version: 'pfnl' } }],
  vgg16: [{ config: { width: 4, layer: 'relu3_3' } }],
  vgg19: [{ config: { width: 4, layer: 'conv4_4' } }],
};

/** Sizes of axes that are free: an odd one, and one that strides and pools divide. */
const sizes: readonly Readonly<Record<string, number>>[] = [
  { n: 1, t: 3, h: 13, w: 10 },
  { n: 2, t: 2, h: 16, w: 9 },
];

/** An axis of an input as the model names it: 3, h, 4h. */
function sizeOf(axis: number | string, at: Readonly<Record<string, number>>): number {
  if (typeof axis === 'number') return axis;
  const [, times, name] = /^(\d*)([nthw])$/.exec(axis)!;
  return Number(times || 1) * at[name];
}

/** Parameters that are not zero or one, as they are after training; variances stay above zero. */
const trained = (dict: StateDict): StateDict =>
  new Map(
    Array.from(dict, ([name, { shape, data }]): [string, HostTensor] => {
      if (shape.length !== 1) return [name, { shape, data }];
      return [name, { shape, data: Float32Array.from(makeArray(shape, name, { low: 0.05, high: 0.4 }).data) }];
    }),
  );

const seeded = { random: new Random(3), noise: new Noise(3) };

/** The same network by the float64 references. */
async function referred(name: string, { config = {} }: Small, state: StateDict, inputs: readonly NDArray[]) {
  const silent = await silentEngine();
  const net = nets[name].create({ engine: silent.engine, ...seeded }, config).train(false);
  net.loadStateDict(state);
  const shapes = inputs.map(({ shape }) => shape);
  return refer(
    trace(silent, shapes, (...tensors) => net.forward(...tensors)),
    inputs,
  );
}

async function firstState(name: string, { config = {} }: Small): Promise<StateDict> {
  const { engine, valuesOf } = await silentEngine();
  const net = nets[name].create({ engine, ...seeded }, config);
  return new Map(Array.from(net.namedTensors(), ([path, x]) => [path, { shape: x.shape, data: valuesOf(x)! }]));
}

const inputsFor = ({ inputs }: OnnxModel, at: Readonly<Record<string, number>>): [string, NDArray][] =>
  inputs.map(({ name, shape }) => {
    const there = shape.map((axis) => sizeOf(axis, at));
    return [name, makeArray(there, `${name} ${there}`, { low: 0, high: 1 })];
  });

/** Parameters stand in the file as they are, bit for bit; those that the network does not read are left out. */
function expectSameParameters({ bytes }: OnnxModel, state: StateDict): void {
  const { initializer } = decodeModel(bytes).graph;
  const found = initializer.filter(({ name }) => state.has(name));
  expect(found.length).toBeGreaterThan(0);
  for (const { name, rawData } of found) {
    const { buffer, byteOffset, byteLength } = state.get(name)!.data;
    expect(Buffer.from(rawData).equals(Buffer.from(buffer, byteOffset, byteLength)), name).toBe(true);
  }
}

const all = Object.entries(small).flatMap(([name, list]) =>
  list.map((options): [string, string, Small] => [name, JSON.stringify(options), options]),
);

it('knows every network', () => {
  expect(Object.keys(nets).filter((name) => !(name in small))).toEqual([]);
});

describe.each(all)('%s %s', (name, _, options) => {
  it('gives in ONNX Runtime what it gives here', async () => {
    const state = trained(await firstState(name, options));
    const model = await exportOnnx({ version: '0', ...options, net: name, tensors: state });
    expectSameParameters(model, state);
    for (const at of model.free.length > 0 ? sizes : sizes.slice(0, 1)) {
      const inputs = inputsFor(model, at);
      const y = await runOnnx(model.bytes, Object.fromEntries(inputs));
      const given = inputs.map(([, x]) => x);
      expect(relativeError(y, await referred(name, options, state, given)), JSON.stringify(at)).toBeLessThan(1e-4);
    }
  });
});
