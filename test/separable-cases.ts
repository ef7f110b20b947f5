import type { OpCase } from './op-case.ts';

/** A separable convolution: which of biases, slope (their number) and residual are there. */
function separable(
  name: string,
  input: number[],
  outputs: number,
  k: number,
  { bias = true, slope = 0, residual = false, attrs = {} } = {},
  rest: Pick<OpCase, 'large'> = {},
): OpCase {
  const inputs = {
    ...{ input, weight_s: [outputs, input[1], 1, k, k], weight_t: [outputs, outputs, k, 1, 1] },
    ...(bias && { bias_s: [outputs], bias_t: [outputs] }),
    ...(slope && { slope: [slope] }),
    ...(residual && { residual: [input[0], outputs, ...input.slice(2)] }),
  };
  return { op: 'separable_conv3d', name, attrs, inputs, ...rest };
}

const block = (slope: number) => ({ slope, residual: true });
export const separableConv3d: readonly OpCase[] = [
  separable('one element', [1, 1, 1, 1, 1], 1, 3),
  separable('odd channels', [2, 3, 5, 4, 6], 5, 3),
  separable('without bias', [1, 6, 4, 3, 5], 6, 3, { bias: false }),
  separable('k = 1', [1, 2, 3, 4, 2], 3, 1),
  separable('k = 5, fewer frames', [1, 3, 2, 6, 5], 2, 5),
  separable('k = 5, 17 to 12', [1, 17, 5, 3, 7], 12, 5, { slope: 17 }),
  separable('k = 7', [1, 4, 5, 5, 9], 8, 7, block(1)),
  separable('block, one frame', [1, 8, 1, 5, 7], 8, 3, block(8)),
  separable('block, two frames', [2, 8, 2, 5, 13], 8, 3, block(8)),
  separable('block, five frames, one slope', [1, 12, 5, 6, 25], 12, 3, block(1)),
  separable('block, m computed again', [1, 8, 3, 6, 11], 8, 3, { ...block(8), attrs: { recompute: true } }),
  separable('block, 5 to 29', [1, 5, 3, 4, 9], 29, 3, block(5)),
  separable('64 to 64', [1, 64, 3, 4, 5], 64, 3, block(64)),
  separable('5x100x100', [1, 8, 5, 100, 100], 8, 3, {}, { large: true }),
  separable('256x256', [1, 4, 1, 256, 256], 4, 3, block(4), { large: true }),
];
