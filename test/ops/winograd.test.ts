import { afterEach, describe, expect, it } from 'vitest';
import { knobs } from '../../engine/knobs.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import type { OpCase } from '../cases.ts';
import { Guard } from './guard.ts';
import { answer, questionOf, run } from './judge.ts';
import { expectRight, useEngine } from './walk.ts';

// Winograd's convolution is asked for by name: by itself it leaves small inputs and few channels to the direct kernels.

/**
 * Units of 2⁻²⁴·Σ|terms|. What is rounded are sums over a whole tile, of which parts cancel. Where padding leaves an output
 * one tap, its tile holds up to 4 times the terms in each axis: y₀ = d₂·g₂ comes of d₂·g₀ and twice d₂·(g₀ + g₁ + g₂)/2. With
 * a few channels this shows, in the corners; over many the roundings average out, and the usual 8 units hold.
 */
const TOLERANCE = 16;

const engine = useEngine();
afterEach(() => {
  knobs.kernel = {};
});

/** x, weight and bias of a convolution, in PyTorch's layout. */
const conv = (name: string, input: number[], weight: number[], attrs: object = {}): OpCase => ({
  op: `conv${weight.length - 2}d`,
  name: `winograd, ${name}`,
  inputs: { input, weight, bias: [weight[0]] },
  attrs: { padding: weight.slice(2).map((k) => (k - 1) / 2), ...attrs },
});

const everything: OpCase = {
  op: 'fused_conv2d',
  name: 'winograd, everything fused',
  inputs: { input: [1, 6, 7, 9], weight: [32, 6, 3, 3], bias: [32], slope: [6], residual: [1, 8, 14, 18] },
  attrs: { padding: 1, negative_slope: 0.2, shuffle: 2 },
};

// Kernels compile anew for their channels, so most cases share those of the first.
const cases: OpCase[] = [
  conv('odd sizes and channels', [2, 5, 7, 9], [6, 5, 3, 3]),
  conv('one pixel', [1, 5, 1, 1], [5, 5, 3, 3]),
  conv('no padding', [1, 8, 8, 6], [8, 8, 3, 3], { padding: 0 }),
  conv('single taps in the corners', [2, 2, 4, 5, 4], [3, 2, 3, 3, 3], { padding: 0 }),
  conv('padding beyond the filter', [1, 6, 5, 3], [5, 6, 3, 3], { padding: 3 }),
  conv('in several parts', [2, 17, 36, 100], [18, 17, 3, 3]),
  conv('three lanes of four', [1, 12, 9, 5], [11, 12, 3, 3]),
  conv('1x3x3', [2, 8, 3, 6, 11], [6, 8, 1, 3, 3]),
  conv('3x3x3', [1, 7, 4, 5, 18], [6, 7, 3, 3, 3]),
  conv('stride along depth', [1, 6, 5, 6, 6], [8, 6, 3, 3, 3], { stride: [2, 1, 1] }),
  everything,
  { ...everything, name: 'winograd, one slope', inputs: { ...everything.inputs, slope: [1] } },
  {
    op: 'conv_transpose2d',
    name: 'winograd, transposed',
    inputs: { input: [1, 5, 6, 7], weight: [5, 7, 3, 3], bias: [7] },
    attrs: { padding: 1 },
  },
  {
    op: 'conv_transpose2d',
    name: 'winograd, kernel of two strides',
    inputs: { input: [2, 5, 5, 7], weight: [5, 7, 8, 8], bias: [7] },
    attrs: { stride: 4, padding: 2 },
  },
  {
    op: 'conv_transpose2d',
    name: 'winograd, kernel of two strides, phases that differ',
    inputs: { input: [1, 9, 6, 3], weight: [9, 16, 6, 6] },
    attrs: { stride: 3, padding: 2, output_padding: 1 },
  },
];

/** More than a handful, as where it is chosen by itself. */
const manyChannels = ({ inputs }: OpCase): boolean => Math.min(...inputs.weight.slice(0, 2)) >= 8;

/** For GPUs; its geometry is that of the other. */
const tiledCases = ['odd sizes and channels', 'in several parts', '3x3x3', 'everything fused', 'kernel of two strides'];

describe('Winograd F(2x2, 3x3)', () => {
  for (const variant of ['winograd', 'winograd_tiled']) {
    for (const test of cases) {
      if (variant === 'winograd_tiled' && !tiledCases.includes(test.name.replace('winograd, ', ''))) continue;
      it(`${variant}: ${test.op}: ${test.name}`, async () => {
        knobs.kernel = { conv: variant, conv_dw: variant };
        const question = questionOf(test);
        using guard = new Guard(engine());
        const got = await run(engine(), question);
        expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
        expectRight(got, answer(question), question, manyChannels(test) ? 8 : TOLERANCE);
      });
    }
  }

  /** The kernels of a convolution of 3 x 3. */
  async function kernelsOf(channels: number, size: number, attrs: object = {}): Promise<string[]> {
    using _scope = engine().scope();
    const x = engine().zeros([1, channels, size, size]);
    const w = engine().zeros([channels, channels, 3, 3], 'filter');
    const times = await engine().profile(() => {
      conv2d(x, w, undefined, { padding: 1, ...attrs });
    });
    return times.map(({ label }) => label);
  }

  it('takes what it can do when it is asked for, and leaves the rest', async () => {
    knobs.kernel = { conv: 'winograd' };
    const able = engine().caps.subgroupSize[0] >= 8;
    const all = ['conv2d (winograd) filter', 'conv2d (winograd) input', 'conv2d (winograd)'];
    if (able) expect((await kernelsOf(8, 4)).sort()).toEqual(all.sort());
    for (const attrs of [{ stride: 2 }, { dilation: 2 }]) {
      const refused = await kernelsOf(8, 6, attrs);
      expect(refused.filter((label) => label.includes('winograd'))).toEqual([]);
    }
  });

  it('is left alone on small inputs and few channels where nobody asks, and taken on processors where it pays', async () => {
    const chosen = async (channels: number, size: number) =>
      (await kernelsOf(channels, size)).some((label) => label.includes('winograd'));
    expect(await chosen(64, 6)).toBe(false);
    expect(await chosen(8, 32)).toBe(false);
    const { fallback, subgroupSize } = engine().caps;
    if (fallback) expect(await chosen(64, 32)).toBe(subgroupSize[0] >= 8);
  });
});
