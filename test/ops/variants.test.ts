import { afterEach, describe, expect, it } from 'vitest';
import { knobs } from '../../engine/knobs.ts';
import { size } from '../../engine/tensor.ts';
import { cases, type OpCase } from '../cases.ts';
import { Guard } from './guard.ts';
import { answer, questionOf, run } from './judge.ts';
import { expectRight, useEngine } from './walk.ts';

// Every variant of a kernel family, forced where it can do the work, on cases small enough to compile and run quickly.

const engine = useEngine();
afterEach(() => {
  knobs.kernel = {};
});

const convolutions = /^(conv2d|conv3d|conv_transpose2d|conv_transpose3d|separable_conv3d)$/;
const variants: [kernel: Record<string, string>, ops: RegExp][] = [
  [{ conv: 'direct', conv_dw: 'direct' }, convolutions],
  [{ conv: 'rows', conv_dw: 'rows' }, convolutions],
  [{ conv: 'tiled', conv_dw: 'tiled' }, convolutions],
  [{ pixel_shuffle: 'any' }, /^pixel_/],
];

const elements = ({ inputs }: OpCase) => Object.values(inputs).reduce((sum, shape) => sum + size(shape), 0);

for (const [kernel, names] of variants) {
  describe(JSON.stringify(kernel), () => {
    for (const test of cases.filter((c) => names.test(c.op) && !c.large && elements(c) < 20_000)) {
      it(`${test.op}: ${test.name}`, async () => {
        knobs.kernel = kernel;
        const question = questionOf(test);
        using guard = new Guard(engine());
        const got = await run(engine(), question);
        expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
        expectRight(got, answer(question), question);
      });
    }
  });
}
