import { large, type OpCase, type Rest } from './op-case.ts';

const positive = { low: 0.25, high: 2 };
/** As behind a convolution with a large bias, which running statistics cancel. */
const raised: Rest = {
  range: { input: { low: 9, high: 11 }, running_mean: { low: 9, high: 11 }, running_var: positive },
};

/** Evaluation unless attrs say { training: true }; which of the vectors are there. */
function batchNorm(
  name: string,
  input: number[],
  attrs: Record<string, unknown> = {},
  {
    affine = true,
    running = !attrs.training,
    range = {},
    ...rest
  }: Rest & { affine?: boolean; running?: boolean } = {},
): OpCase {
  const vector = [input[1]];
  const inputs = {
    input,
    ...(affine && { weight: vector, bias: vector }),
    ...(running && { running_mean: vector, running_var: vector }),
  };
  return { op: 'batch_norm', name, attrs, inputs, range: { running_var: positive, ...range }, ...rest };
}

const training = { training: true };
export const batchNormCases: readonly OpCase[] = [
  batchNorm('one element', [1, 1, 1, 1]),
  batchNorm('matrix', [5, 7]),
  batchNorm('rows', [2, 6, 9]),
  batchNorm('odd picture', [2, 3, 5, 7]),
  batchNorm('without weight and bias', [2, 5, 3, 4], {}, { affine: false }),
  batchNorm('large means', [1, 5, 6, 7], {}, raised),
  batchNorm('frames, eps of TensorFlow', [1, 6, 3, 4, 5], { eps: 1e-3 }),
  batchNorm('64 channels', [2, 64, 9, 8]),
  batchNorm('ReLU', [2, 5, 3, 7], { negative_slope: 0 }),
  batchNorm('leaky ReLU, large means', [1, 5, 6, 7], { negative_slope: 0.2 }, raised),
  batchNorm('leaky ReLU, without weight and bias', [2, 6, 3, 4, 5], { negative_slope: 0.1 }, { affine: false }),
  batchNorm('256x256', [1, 6, 256, 256], {}, large),
  batchNorm('training, two values', [2, 3], { ...training, eps: 0.1 }),
  batchNorm('training, matrix', [6, 5], training),
  batchNorm('training, rows', [2, 6, 9], training),
  batchNorm('training, odd picture', [2, 3, 5, 7], training),
  batchNorm('training, running statistics', [2, 5, 4, 3], { ...training, momentum: 0.3 }, { running: true }),
  batchNorm('training, without weight and bias', [3, 5, 3, 4], training, { affine: false }),
  batchNorm('training, large means', [2, 5, 9, 11], training, raised),
  batchNorm('training, frames', [2, 6, 3, 4, 5], { ...training, eps: 1e-3, unbiased: false }),
  batchNorm('training, 64 channels', [2, 64, 9, 8], training),
  batchNorm('training, ReLU, running statistics', [2, 5, 4, 3], { ...training, negative_slope: 0 }, { running: true }),
  batchNorm('training, leaky ReLU', [2, 6, 9, 11], { ...training, negative_slope: 0.2 }),
  batchNorm(
    'training, ReLU, without weight and bias',
    [3, 5, 3, 4],
    { ...training, negative_slope: 0 },
    { affine: false },
  ),
  batchNorm('training, over 4096 strips', [1, 1, 520, 512], training, { ...large, ...raised }),
  batchNorm('training, 256x256, batch', [2, 5, 256, 256], training, large),
];

function instanceNorm(
  name: string,
  input: number[],
  {
    affine = true,
    running = false,
    range = {},
    large,
    ...attrs
  }: Rest & { affine?: boolean; running?: boolean; eps?: number; use_input_stats?: boolean; momentum?: number } = {},
): OpCase {
  const vector = [input[1]];
  const inputs = {
    input,
    ...(affine && { weight: vector, bias: vector }),
    ...(running && { running_mean: vector, running_var: vector }),
  };
  return { op: 'instance_norm', name, attrs, inputs, range: { running_var: positive, ...range }, large };
}

export const instanceNormCases: readonly OpCase[] = [
  instanceNorm('two positions', [1, 1, 2], { eps: 0.1 }),
  instanceNorm('rows', [3, 6, 9]),
  instanceNorm('odd picture', [2, 3, 5, 7]),
  instanceNorm('without weight and bias', [3, 5, 3, 4], { affine: false }),
  instanceNorm('large means', [2, 5, 9, 11], raised),
  instanceNorm('frames, large eps', [2, 6, 3, 4, 5], { eps: 0.1 }),
  instanceNorm('64 channels', [2, 64, 9, 8]),
  instanceNorm('running statistics that move', [3, 5, 4, 3], { running: true, momentum: 0.3 }),
  instanceNorm('running statistics', [2, 6, 3, 4, 5], { running: true, use_input_stats: false }),
  instanceNorm('running statistics, one position', [2, 5, 1], { affine: false, running: true, use_input_stats: false }),
  instanceNorm('256x256, batch', [2, 5, 256, 256], large),
];
