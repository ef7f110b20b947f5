import { type Attrs, large, type OpCase, one, type Range, type Rest } from './op-case.ts';

const ties: Record<string, Range> = { input: { low: -1, high: 1, only: 'integers' } };

const windows: [name: string, input: number[], attrs: Attrs][] = [
  ['one element', [1, 1, 1, 1], { kernel_size: 1 }],
  ['2x2', [2, 3, 4, 6], { kernel_size: 2 }],
  ['2x2, odd size', [1, 5, 5, 7], { kernel_size: 2 }],
  ['2x2, odd size, ceil', [1, 5, 5, 7], { kernel_size: 2, ceil_mode: true }],
  ['3x3, stride 2, ceil', [2, 6, 8, 9], { kernel_size: 3, stride: 2, ceil_mode: true }],
  ['3x3, stride 2, padding', [1, 8, 7, 9], { kernel_size: 3, stride: 2, padding: 1 }],
  ['3x3, stride 2, padding, ceil', [1, 3, 6, 8], { kernel_size: 3, stride: 2, padding: 1, ceil_mode: true }],
  ['3x3, stride 1, padding', [1, 9, 5, 6], { kernel_size: 3, stride: 1, padding: 1 }],
  ['ceil without a window in the padding', [1, 2, 4, 5], { kernel_size: 2, stride: 3, padding: 1, ceil_mode: true }],
  ['lists per axis', [1, 5, 7, 10], { kernel_size: [2, 5], stride: [3, 2], padding: [1, 2] }],
  ['stride beyond kernel', [1, 3, 9, 8], { kernel_size: 2, stride: 4 }],
  ['whole picture', [2, 7, 5, 4], { kernel_size: [5, 4] }],
  ['64 channels', [1, 64, 6, 7], { kernel_size: 3, stride: 2 }],
];
const dilated: [name: string, input: number[], attrs: Attrs][] = [
  ['dilation 2', [2, 5, 7, 8], { kernel_size: 2, dilation: 2 }],
  ['dilation 3, stride 1, padding', [1, 3, 9, 11], { kernel_size: 3, stride: 1, padding: 1, dilation: 3 }],
  [
    'dilation per axis, ceil',
    [1, 6, 10, 9],
    { kernel_size: [3, 2], stride: 2, padding: 1, dilation: [2, 3], ceil_mode: true },
  ],
];
const pictures = ['max_pool2d', 'avg_pool2d'].flatMap((op) => [
  ...windows.map(([name, input, attrs]) => one(op, name, input, attrs)),
  one(op, '256x256', [1, 6, 256, 256], { kernel_size: 3, stride: 2, padding: 1 }, large),
]);

/** @param batch one number, or the sizes of all axes before the last */
function linear(
  name: string,
  batch: number | number[],
  inputs: number,
  outputs: number,
  bias = true,
  rest: Rest = {},
): OpCase {
  const shapes = { input: [batch, inputs].flat(), weight: [outputs, inputs], ...(bias && { bias: [outputs] }) };
  return { op: 'linear', name, inputs: shapes, ...rest };
}

const wide = { range: { input: { low: -30, high: 30 } } };
const negative = { range: { input: { low: -30, high: -20 } } };
const low = { range: { input: { low: -300, high: -200 } } };

const softmaxes: OpCase[] = [
  one('softmax', 'one element', [1, 1, 1, 1]),
  one('softmax', 'vector', [7], { dim: 0 }),
  one('softmax', 'classes', [3, 101], {}, wide),
  one('softmax', 'odd channels', [2, 5, 3, 4]),
  one('softmax', '64 channels, far below zero', [1, 64, 5, 7], { dim: 1 }, low),
  one('softmax', '27 channels of frames', [1, 27, 3, 4, 5], { dim: -4 }),
  one('softmax', 'more channels than a workgroup has', [2, 1030, 1, 2]),
  one('softmax', 'batch', [5, 3, 2, 4], { dim: 0 }, wide),
  one('softmax', 'frames', [1, 6, 5, 3, 4], { dim: 2 }),
  one('softmax', 'rows', [2, 3, 5, 4], { dim: 2 }, low),
  one('softmax', 'columns', [2, 8, 3, 7], { dim: -1 }),
  one('softmax', '256x256, channels', [1, 6, 256, 256], {}, large),
  one('softmax', '256x256, rows', [1, 3, 256, 256], { dim: 2 }, large),
];

const sums: OpCase[] = [
  one('log_sum_exp', 'one element', [1, 1, 1, 1]),
  one('log_sum_exp', 'vector', [7]),
  one('log_sum_exp', 'all', [2, 3, 5, 7], {}, wide),
  one('log_sum_exp', 'all, far below zero', [1, 5, 9, 9], {}, negative),
  one('log_sum_exp', 'classes', [3, 101], { axes: 1 }, wide),
  one('log_sum_exp', 'channels', [2, 6, 3, 4], { axes: [1] }, negative),
  one('log_sum_exp', 'batch', [3, 5, 2, 4], { axes: 0 }),
  one('log_sum_exp', 'picture', [2, 7, 9, 8], { axes: [2, 3] }, wide),
  one('log_sum_exp', 'all but channels', [3, 5, 4, 6], { axes: [0, 2, 3] }, negative),
  one('log_sum_exp', 'channels and columns', [2, 3, 4, 5], { axes: [1, -1] }),
  one('log_sum_exp', 'frames', [2, 3, 5, 2, 3], { axes: [2] }),
  one('log_sum_exp', '256x256', [1, 3, 256, 256], {}, large),
];

/** Scores within a reach, and targets in 0..1. */
function entropy(op: string, name: string, shape: number[], reach: number, rest: Rest = {}): OpCase {
  const range = { input: { low: -reach, high: reach }, target: { low: 0, high: 1 } };
  return { op, name, inputs: { input: shape, target: shape }, range, ...rest };
}
const bce = (name: string, shape: number[], reach: number, rest?: Rest) =>
  entropy('bce_with_logits', name, shape, reach, rest);
const crossEntropy = (name: string, shape: number[], reach: number, rest?: Rest) =>
  entropy('cross_entropy', name, shape, reach, rest);

export const pooling: readonly OpCase[] = [
  ...pictures,
  ...dilated.map(([name, input, attrs]) => one('max_pool2d', name, input, attrs)),
  one('max_pool3d', 'dilation', [1, 5, 7, 6, 5], { kernel_size: 2, stride: [1, 2, 1], dilation: [3, 1, 2] }),
  one('max_pool2d', 'ties', [2, 5, 7, 6], { kernel_size: 3, stride: 2, padding: 1 }, { kinks: true, range: ties }),
  one('avg_pool2d', 'padding apart', [1, 5, 6, 7], {
    ...{ kernel_size: 3, stride: 2, padding: 1, ceil_mode: true, count_include_pad: false },
  }),
  one('max_pool3d', 'one element', [1, 1, 1, 1, 1], { kernel_size: 1 }),
  one('max_pool3d', 'frames', [2, 3, 11, 2, 3], { kernel_size: [5, 1, 1], stride: [2, 1, 1] }),
  one('max_pool3d', 'cubes, padding, ceil', [1, 5, 5, 6, 7], {
    kernel_size: 3,
    stride: 2,
    padding: 1,
    ceil_mode: true,
  }),
  one('max_pool3d', 'ties', [1, 6, 4, 5, 4], { kernel_size: 2, stride: 1 }, { kinks: true, range: ties }),
  one('max_pool3d', '5x100x100', [1, 4, 5, 100, 100], { kernel_size: 3, stride: [1, 2, 2], padding: 1 }, large),
  one('global_avg_pool', 'one element', [1, 1, 1, 1]),
  one('global_avg_pool', 'row', [2, 3, 7]),
  one('global_avg_pool', 'odd channels', [2, 5, 3, 7]),
  one('global_avg_pool', 'frames', [2, 6, 3, 4, 5]),
  one('global_avg_pool', '64 channels', [3, 64, 17, 16]),
  one('global_avg_pool', '256x256', [1, 7, 256, 256], {}, large),
  linear('one element', 1, 1, 1),
  linear('odd sizes', 3, 5, 7),
  linear('no bias', 2, 9, 6, false),
  linear('one sample, 64 to 10', 1, 64, 10),
  linear('batch of 67', 67, 12, 3),
  linear('one output', 5, 33, 1),
  linear('vector', [], 7, 5),
  linear('tokens', [2, 3], 5, 9),
  linear('rows of pictures', [2, 5, 3], 12, 6, false),
  linear('batch of 70,000', 70_000, 3, 5, true, large),
  linear('4096 to 1024', 2, 4096, 1024, true, large),
  one('reshape', 'one element to a scalar', [1, 1], { shape: [] }),
  one('reshape', 'flatten a picture', [2, 5, 3, 4], { shape: [2, -1] }),
  one('reshape', 'flatten frames', [2, 6, 2, 3, 2], { shape: [2, 72] }),
  one('reshape', 'flatten one position', [3, 7, 1, 1], { shape: [3, 7] }),
  one('reshape', 'matrix to picture', [2, 60], { shape: [2, 5, 3, 4] }),
  one('reshape', 'frames to batch', [2, 3, 4, 3, 5], { shape: [-1, 4, 3, 5] }),
  one('reshape', 'vector', [12], { shape: [1, 3, 2, 2] }),
  one('reshape', '256x256', [1, 6, 256, 256], { shape: [6, 16, 64, 64] }, large),
  one('frames_to_batch', 'one element', [1, 1, 1, 1, 1]),
  one('frames_to_batch', 'one frame', [2, 5, 1, 3, 2]),
  one('frames_to_batch', 'clips', [2, 3, 4, 2, 5]),
  one('frames_to_batch', '64 channels', [1, 64, 3, 2, 2]),
  one('batch_to_frames', 'one element', [1, 1, 1, 1], { frames: 1 }),
  one('batch_to_frames', 'one frame', [3, 5, 3, 2]),
  one('batch_to_frames', 'clips', [6, 3, 4, 5], { frames: 3 }),
  one('batch_to_frames', '64 channels', [4, 64, 3, 2], { frames: 4 }),
  ...softmaxes,
  ...sums,
  bce('one element', [1, 1, 1, 1], 1),
  bce('vector', [7], 4),
  bce('scores of patches', [3, 1, 5, 6], 4),
  bce('odd channels', [2, 5, 3, 4], 30),
  bce('frames', [1, 6, 3, 2, 4], 12),
  bce('256x256', [1, 3, 256, 256], 8, large),
  crossEntropy('one element', [1, 1], 1),
  crossEntropy('classes', [3, 101], 8),
  crossEntropy('odd classes of a picture', [2, 5, 3, 4], 4),
  crossEntropy('classes of frames', [1, 6, 3, 2, 4], 30),
  crossEntropy('256x256', [1, 3, 256, 256], 8, large),
];

const refused = (op: string, name: string, input: number[], attrs: Attrs = {}): OpCase => one(op, name, input, attrs);

export const refusedPooling: readonly OpCase[] = [
  ...['max_pool2d', 'avg_pool2d'].flatMap((op) => [
    refused(op, 'no kernel', [1, 3, 4, 5]),
    refused(op, 'kernel 0', [1, 3, 4, 5], { kernel_size: 0 }),
    refused(op, 'stride 0', [1, 3, 4, 5], { kernel_size: 2, stride: 0 }),
    refused(op, 'padding beyond half of the kernel', [1, 3, 4, 5], { kernel_size: 3, padding: 2 }),
    refused(op, 'kernel beyond the padded input', [1, 3, 2, 5], { kernel_size: 5, padding: 1 }),
    refused(op, 'frames', [1, 3, 2, 4, 5], { kernel_size: 2 }),
  ]),
  refused('max_pool3d', 'picture', [1, 3, 4, 5], { kernel_size: 2 }),
  refused('max_pool3d', 'more taps than are counted', [1, 3, 20, 20, 20], { kernel_size: 20 }),
  refused('max_pool2d', 'dilation 0', [1, 3, 4, 5], { kernel_size: 2, dilation: 0 }),
  refused('max_pool2d', 'dilation beyond the input', [1, 3, 4, 5], { kernel_size: 3, dilation: 2 }),
  refused('max_pool2d', 'taps in the padding alone', [1, 3, 2, 2], { kernel_size: 2, padding: 1, dilation: 3 }),
  refused('global_avg_pool', 'matrix', [3, 4]),
  { op: 'linear', name: 'sizes differ', inputs: { input: [2, 3], weight: [4, 5] } },
  { op: 'linear', name: 'picture', inputs: { input: [2, 3, 1, 1], weight: [4, 3] } },
  { op: 'linear', name: 'bias of another length', inputs: { input: [2, 3], weight: [4, 3], bias: [3] } },
  refused('reshape', 'other number of elements', [2, 3, 4], { shape: [5, 5] }),
  refused('reshape', 'two sizes left', [2, 3, 4], { shape: [-1, -1] }),
  refused('frames_to_batch', 'pictures', [2, 3, 4, 5]),
  refused('batch_to_frames', 'no whole clips', [7, 3, 4, 5], { frames: 3 }),
  refused('softmax', 'no such axis', [2, 3, 4], { dim: 3 }),
  refused('log_sum_exp', 'an axis twice', [2, 3, 4], { axes: [0, -3] }),
  { op: 'cross_entropy', name: 'numbers of classes', inputs: { input: [2, 3], target: [2, 1] } },
  { op: 'cross_entropy', name: 'vector', inputs: { input: [3], target: [3] } },
  { op: 'bce_with_logits', name: 'shapes differ', inputs: { input: [2, 3], target: [2, 1] } },
  refused('reshape', 'nothing left over', [2, 3, 4], { shape: [5, -1] }),
];
