import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { knobs } from '../../engine/knobs.ts';
import { sizeClass } from '../../engine/memory.ts';
import { separable_conv3d } from '../../engine/ops/separable_conv3d.ts';
import { cases, type OpCase } from '../cases.ts';
import { Guard } from './guard.ts';
import { answer, questionOf, run, upload } from './judge.ts';
import { expectRight, useEngine, walk } from './walk.ts';

walk('separable');

const engine = useEngine();
afterEach(() => {
  knobs.kernel = {};
});

const named = (name: string): OpCase => cases.find((c) => c.op === 'separable_conv3d' && c.name === name)!;

describe('one factor after the other', () => {
  for (const name of ['odd channels', 'block, two frames', 'block, m computed again', 'k = 5, 17 to 12']) {
    it(name, async () => {
      knobs.kernel = { separable: 'split' };
      const question = questionOf(named(name));
      using guard = new Guard(engine());
      const got = await run(engine(), question);
      expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
      expectRight(got, answer(question), question);
    });
  }
});

/** Dispatches of a forward pass, by label. */
async function labels(engine: Engine, test: OpCase): Promise<string[]> {
  using _scope = engine.scope();
  const inputs = upload(engine, test.op, questionOf(test).inputs);
  const times = await engine.profile(() => {
    (separable_conv3d as (...inputs: unknown[]) => unknown)(...inputs);
    return engine.finish();
  });
  return times.map(({ label }) => label);
}

it('both factors are one dispatch where a subgroup holds all channels and the frames of the filter', async ({
  skip,
}) => {
  const { subgroupSize, timestamps } = engine().caps;
  skip(!timestamps || subgroupSize.some((lanes) => lanes !== 8), 'needs timestamps and subgroups of eight lanes');
  expect(await labels(engine(), named('block, two frames'))).toEqual([
    'separable_conv3d.biases',
    'separable_conv3d (fused)',
  ]);
  expect((await labels(engine(), named('64 to 64'))).length).toBeGreaterThan(1);
  expect((await labels(engine(), named('k = 7'))).length).toBeGreaterThan(1);
});

it('the tape keeps what lies between the factors, or with recompute does not', () => {
  const shape = [1, 8, 5, 24, 24];
  const live = (recompute: boolean) => {
    using _scope = engine().scope();
    const x = engine().zeros(shape);
    const [ws, wt] = [engine().zeros([8, 8, 1, 3, 3], 'filter'), engine().zeros([8, 8, 3, 1, 1], 'filter')];
    for (const leaf of [x, ws, wt]) leaf.track();
    using _tape = engine().record();
    separable_conv3d(x, ws, undefined, wt, undefined, undefined, undefined, { recompute });
    return engine().memory.stats().live;
  };
  expect(live(false) - live(true)).toBe(sizeClass(8 * 5 * 24 * 24 * 4));
});
