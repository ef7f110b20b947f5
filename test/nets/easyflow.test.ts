import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { UsageError } from '../../engine/errors.ts';
import { EasyFlow, entry } from '../../nets/easyflow.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, buildOn } from './against-pytorch.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

describe('the motion net of VESPCN and SPMC', () => {
  it('gives the flow and every gradient as PyTorch does, on a size that four does not divide', () =>
    againstPyTorch(engine, 'easyflow', (build) => new EasyFlow(build, { width: 6 })));

  it('has 33,008 parameters for the coarse flow and 20,384 for the fine one', () => {
    const net = new EasyFlow(buildOn(engine));
    const count = (stage: string) =>
      [...net.namedParameters()].reduce(
        (sum, [name, p]) => sum + (name.startsWith(stage) ? p.shape.reduce((a, b) => a * b, 1) : 0),
        0,
      );
    expect([count('c'), count('s')]).toEqual([33_008, 20_384]);
    expect(net.parameterCount()).toBe(entry.published!.parameters);
    net.dispose();
  });

  it('refuses a width of none', () => {
    expect(() => new EasyFlow(buildOn(engine), { width: 0 })).toThrow(UsageError);
  });
});
