import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { slice } from '../../engine/ops/slice.ts';
import { Resnet50, type Resnet50Config, entry as resnet50 } from '../../nets/resnet50.ts';
import { fromStreams, StResnet, type StResnetConfig, entry as stResnet } from '../../nets/st-resnet.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const filled = (...shape: number[]) =>
  engine.tensor(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
  );

describe('ResNet-50', () => {
  it.each([
    ['resnet50', { classes: 5 }],
    ['resnet50_train', { classes: 4 }],
  ])('%s: output, every gradient, running statistics', (name, config) =>
    againstPyTorch(engine, name, (build) => new Resnet50(build, { width: 2, ...config }), 2e-4),
  );

  it.each([
    ['frames', {}, 23_714_981],
    ['flow with convolutions over time', { channels: 20, classes: 51, temporal: true }, 23_665_843 + 5_570_560],
  ] as [string, Partial<Resnet50Config>, number][])('%s: has as many parameters as counted', (name, config, count) => {
    const net = new Resnet50(blankOn(engine), config);
    expect(net.parameterCount()).toBe(count);
    if (name === 'frames') expect(count).toBe(resnet50.published!.parameters);
    net.dispose();
  });

  it('takes clips as the mean over their frames', async () => {
    const net = new Resnet50(buildOn(engine), { width: 2 }).train(false);
    using _scope = engine.scope();
    const picture = filled(1, 3, 21, 17);
    const clip = engine.view(engine.tensor([2, 3, 21, 17], [...(await picture.read()), ...(await picture.read())]), [
      ...[1, 3, 2, 21, 17],
    ]);
    const [one, two] = [await net.forward(picture).read(), await net.forward(clip).read()];
    for (const [i, score] of one.entries()) expect(two[i]).toBeCloseTo(score, 5);
    net.dispose();
  });

  it('tells its settings from the shapes of its tensors', async () => {
    const settings = { width: 2, channels: 7, classes: 3, temporal: true };
    const net = new Resnet50(buildOn(engine), settings);
    expect(resnet50.adopt!(await net.stateDict()).config).toEqual(settings);
    net.dispose();
  });

  it.each([{ width: 0 }, { classes: 1.5 }, { temporal: 'yes' }, { dropout: 1 }])('refuses %j', (config) => {
    expect(() => new Resnet50(buildOn(engine), config as Partial<Resnet50Config>)).toThrow(UsageError);
  });
});

describe('ST-ResNet', () => {
  it.each([
    ['st_resnet', { classes: 4 }],
    ['st_mulnet', { classes: 3, fusion: 'multiply', pool: 1 }],
  ] as [string, Partial<StResnetConfig>][])('%s: output and every gradient', (name, config) =>
    againstPyTorch(engine, name, (build) => new StResnet(build, { width: 1, motion: 4, ...config }), 2e-4),
  );

  it('gives its memory back; too few frames for the pool are refused', async () => {
    const net = new StResnet(buildOn(engine), { width: 2, dropout: 0.8 }).train(false);
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const y = net.forward(filled(1, 3, 5, 9, 11), filled(1, 20, 5, 9, 11));
      expect(y.shape).toEqual([1, 101]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
      expect(() => net.forward(filled(1, 3, 4, 9, 11), filled(1, 20, 4, 9, 11))).toThrow(ShapeError);
    }
    expect(engine.memory.stats().live).toBe(live);
    net.dispose();
  });

  it('starts from two base streams, whose scores for still clips it keeps away from the ends', async () => {
    const base = (channels: number) => new Resnet50(buildOn(engine), { width: 2, channels }).train(false);
    const [spatial, temporal] = [base(3), base(20)];
    const net = new StResnet(buildOn(engine), { width: 2, pool: 1 }).train(false);
    const tensors = fromStreams(await spatial.stateDict(), await temporal.stateDict());
    net.loadStateDict(tensors);
    expect(stResnet.adopt!(tensors)).toEqual({ config: { width: 2, classes: 101, motion: 20 }, tensors });

    using _scope = engine.scope();
    const flow = filled(1, 20, 9, 11);
    const values = await flow.read();
    // of 25 frames the middle ones see no end: four convolutions over time on each side reach 8 frames
    const frames = 25;
    const still = Float32Array.from({ length: values.length * frames }, (_, i) => {
      const [channel, pixel] = [Math.floor(i / (frames * 99)), i % 99];
      return values[channel * 99 + pixel];
    });
    const middle = slice(net.temporal.features(engine.tensor([1, 20, frames, 9, 11], still)), {
      ...{ axis: 2, start: 8, end: 17 },
    });
    const [want, got] = [await temporal.forward(flow).read(), await net.temporal.scores(middle).read()];
    for (const [i, score] of want.entries()) expect(got[i]).toBeCloseTo(score, 4);
    for (const one of [spatial, temporal, net]) one.dispose();
  });

  it.each([{ width: 0 }, { fusion: 'mean' }, { pool: 0 }, { dropout: -1 }])('refuses %j', (config) => {
    expect(() => new StResnet(buildOn(engine), config as Partial<StResnetConfig>)).toThrow(UsageError);
  });
});
