import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { KernelError } from '../../engine/errors.ts';
import { pickVariant } from '../../engine/knobs.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { fastest, tune } from '../../engine/tuner.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

describe('kernel variants', () => {
  it('follow the measured order where they can do the work', () => {
    const yes = () => true;
    const able = { strip: () => false, rows: yes, tiled: yes, direct: yes };
    expect(pickVariant('conv', able).name).toBe('rows');
    expect(pickVariant('conv', able, { conv: ['strip', 'tiled', 'rows'] }).name).toBe('tiled');
    const few = { ...able, tiled: () => false, rows: () => false };
    expect(pickVariant('conv', few, { conv: ['tiled', 'rows'] }).name).toBe('direct');
    expect(pickVariant('conv', able, { conv_dw: ['tiled'] }).name).toBe('rows');
  });

  it('are taken from the engine by the convolutions', async () => {
    const used = async (conv: string[]) => {
      engine.choices = { conv };
      using _scope = engine.scope();
      const x = engine.tensor([1, 8, 4, 4], new Float32Array(128));
      const w = engine.tensor([8, 8, 1, 1], new Float32Array(64), 'filter');
      const times = await engine.profile(() => {
        conv2d(x, w);
      });
      engine.choices = {};
      return times.map(({ label }) => label);
    };
    expect(await used(['direct'])).toEqual(['conv2d (direct)']);
    expect(await used(['tiled', 'rows'])).toEqual(['conv2d (tiled)']);
  });

  it('of a hardware adapter that nobody measured are those with tiles', async () => {
    const unknown = await testEngine();
    Object.assign(unknown.caps, { fallback: false, subgroupSize: [32, 32] });
    using _scope = unknown.scope();
    const x = unknown.zeros([1, 64, 8, 8]).track();
    const w = unknown.zeros([64, 64, 3, 3], 'filter').track();
    const times = await unknown.profile(() => {
      using tape = unknown.record();
      const y = conv2d(x, w, undefined, { padding: 1 });
      tape.backward(y, y);
    });
    const convolutions = times.map(({ label }) => label).filter((label) => label.startsWith('conv2d'));
    expect(convolutions).toEqual(['conv2d (tiled)', 'conv2d.dx (tiled)', 'conv2d.dw (tiled)']);
    unknown.destroy();
  });

  it('are measured on hardware, and as built in on the processor', async () => {
    const live = engine.memory.stats().live;
    const choices = await tune(engine);
    expect(engine.memory.stats().live).toBe(live);
    expect(engine.choices).toEqual({});
    if (engine.caps.fallback) expect(choices).toEqual({});
    else expect(choices.conv).toEqual(expect.arrayContaining(['direct', 'rows', 'strip', 'tiled', 'winograd_tiled']));
  });

  it('are left out where they compute something else, or are refused', async () => {
    const work = () => {
      const [variant] = engine.choices.any;
      if (variant === 'refused') engine.device.fail(new KernelError('no such instruction'));
      return engine.tensor([2], variant === 'wrong' ? [1, 2.0001] : [1, variant === 'near' ? 2.000001 : 2]);
    };
    const order = await fastest(engine, 'any', ['first', 'wrong', 'near', 'refused'], work, 'first');
    expect(order.sort()).toEqual(['first', 'near']);
    expect(engine.choices).toEqual({});
  });
});
