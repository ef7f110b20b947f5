import { afterEach, describe, expect, it } from 'vitest';
import { knobs } from '../../engine/knobs.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { pixel_shuffle } from '../../engine/ops/pixel_shuffle.ts';
import { cases, type OpCase } from '../cases.ts';
import { testEngine } from './engine.ts';
import { Guard } from './guard.ts';
import { answer, questionOf, run } from './judge.ts';
import { expectRight, useEngine } from './walk.ts';

// Kernels that this adapter would not choose by itself, forced where they can do the work. Every one compiles anew for its
// channels, seconds each on a processor, so a few cases stand for all: odd channels, strides, holes, wide to narrow.

const engine = useEngine();
afterEach(() => {
  knobs.kernel = {};
});

const convolutions = new Set([
  'conv2d: 3x3 odd channels',
  'conv2d: lists per axis',
  'conv2d: 64 to 3',
  'conv3d: 3x3x3',
  'conv3d: stride 2',
  'fused_conv2d: PReLU, odd channels',
  'fused_conv2d: one slope, residual',
  'fused_conv2d: shuffle 3, all at once',
  'conv_transpose2d: holes',
  'conv_transpose2d: lists per axis',
  'conv_transpose2d: kernel of 2 strides, 32 to 32',
  'conv_transpose2d: kernel of 2 strides, output padding',
  'conv_transpose3d: FSTRN, with holes',
]);
const isConvolution = (test: OpCase) => convolutions.has(`${test.op}: ${test.name}`);
const isShuffle = (test: OpCase) => test.op.startsWith('pixel_') && !test.large;

it('tiles are smaller where workgroup memory is no more than what all devices have', async () => {
  const small = await testEngine({ maxComputeWorkgroupStorageSize: 16_384 });
  knobs.kernel = { conv: 'tiled' };
  for (const outputs of [5, 17]) {
    using _scope = small.scope();
    const x = small.tensor([1, 17, 6, 9], new Float32Array(17 * 54).fill(1));
    const w = small.tensor([outputs, 17, 1, 1], new Float32Array(outputs * 17).fill(1), 'filter');
    expect((await conv2d(x, w).read()).every((v) => v === 17)).toBe(true);
  }
  small.destroy();
});

it('a variant that does not exist is refused', () => {
  using _scope = engine().scope();
  knobs.kernel = { pixel_shuffle: 'odd' };
  expect(() => pixel_shuffle(engine().zeros([1, 4, 1, 1]), { factor: 2 })).toThrow(
    'KERNEL=pixel_shuffle:odd: expected one of even, quads, any',
  );
});

const variants: [kernel: Record<string, string>, chosen: (test: OpCase) => boolean][] = [
  [{ conv: 'direct', conv_dw: 'direct' }, isConvolution],
  [{ conv: 'rows', conv_dw: 'rows' }, isConvolution],
  [{ conv: 'subgroup', conv_dw: 'subgroup' }, isConvolution],
  [{ conv: 'tiled', conv_dw: 'tiled' }, isConvolution],
  [{ pixel_shuffle: 'any' }, isShuffle],
];

for (const [kernel, chosen] of variants) {
  describe(JSON.stringify(kernel), () => {
    for (const test of cases.filter(chosen)) {
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
