import { lstmCases } from './lstm-cases.ts';
import { batchNormCases, instanceNormCases } from './norm-cases.ts';
import { type Attrs, large, type OpCase, one, type Rest } from './op-case.ts';

import { pooling } from './pooling-cases.ts';
import { resizeTf1 } from './resize-tf1-cases.ts';
import { separableConv3d } from './separable-cases.ts';
import { videoCases } from './video-cases.ts';

export * from './op-case.ts';

/** Bias unless attrs say { bias: false }. */
function conv(op: string, name: string, input: number[], weight: number[], attrs: Attrs = {}, rest: Rest = {}): OpCase {
  const { bias = true, ...others } = attrs;
  const transposed = op.startsWith('conv_transpose');
  const outputs = transposed ? weight[1] * ((attrs.groups as number) ?? 1) : weight[0];
  return { op, name, attrs: others, inputs: { input, weight, ...(bias ? { bias: [outputs] } : {}) }, ...rest };
}

const conv2d: OpCase[] = [
  conv('conv2d', 'one element', [1, 1, 1, 1], [1, 1, 1, 1]),
  conv('conv2d', '1x1 without bias', [2, 3, 4, 5], [6, 3, 1, 1], { bias: false }),
  conv('conv2d', '3x3 odd channels', [1, 3, 5, 7], [5, 3, 3, 3], { padding: 1 }),
  conv('conv2d', '3x3 no padding, batch', [3, 2, 6, 5], [7, 2, 3, 3], { bias: false }),
  conv('conv2d', '5x5 one channel in and out', [2, 1, 9, 8], [1, 1, 5, 5], { padding: 2 }),
  conv('conv2d', '9x9 as SRCNN', [1, 1, 11, 10], [6, 1, 9, 9], { padding: 4 }),
  conv('conv2d', '2x2 even kernel', [1, 5, 6, 7], [3, 5, 2, 2], { padding: 1 }),
  conv('conv2d', 'stride 2', [2, 6, 9, 8], [7, 6, 3, 3], { stride: 2, padding: 1 }),
  conv('conv2d', 'stride beyond kernel', [1, 3, 11, 10], [2, 3, 2, 2], { stride: 4 }),
  conv('conv2d', 'rows never read', [1, 2, 8, 6], [3, 2, 3, 3], { stride: 3 }),
  conv('conv2d', 'dilation 2', [1, 5, 8, 9], [6, 5, 3, 3], { dilation: 2, padding: 2 }),
  conv('conv2d', 'lists per axis', [2, 3, 10, 12], [5, 3, 3, 5], { stride: [2, 1], padding: [1, 3], dilation: [1, 2] }),
  conv('conv2d', 'row kernel', [1, 3, 4, 9], [4, 3, 1, 7], { padding: [0, 3] }),
  conv('conv2d', 'padding beyond kernel', [1, 2, 3, 4], [3, 2, 3, 3], { padding: 4 }),
  conv('conv2d', 'kernel beyond input', [1, 3, 2, 3], [2, 3, 5, 5], { padding: 2 }),
  conv('conv2d', 'one output position', [2, 3, 4, 5], [5, 3, 4, 5]),
  conv('conv2d', 'groups 2 of 3', [2, 6, 5, 6], [4, 3, 3, 3], { groups: 2, padding: 1 }),
  conv('conv2d', 'groups 2 of 6 to 5', [1, 12, 5, 4], [10, 6, 3, 3], { groups: 2, padding: 1, stride: 2 }),
  conv('conv2d', 'groups 4 of 16', [1, 64, 4, 5], [64, 16, 3, 3], { groups: 4, padding: 1 }),
  conv('conv2d', 'depthwise', [2, 5, 6, 7], [5, 1, 3, 3], { groups: 5, padding: 1 }),
  conv('conv2d', 'depthwise, two each', [1, 3, 6, 5], [6, 1, 3, 3], { groups: 3, padding: 1, dilation: 2 }),
  conv('conv2d', 'depthwise 64', [1, 64, 5, 5], [64, 1, 3, 3], { groups: 64, padding: 1 }),
  conv('conv2d', '64 to 64', [1, 64, 9, 8], [64, 64, 3, 3], { padding: 1 }),
  conv('conv2d', '64 to 256, 1x1', [1, 64, 5, 7], [256, 64, 1, 1]),
  conv('conv2d', '67 to 65', [1, 67, 5, 6], [65, 67, 3, 3], { padding: 1 }),
  conv('conv2d', '17 to 12', [2, 17, 5, 11], [12, 17, 3, 3], { padding: 1 }),
  conv('conv2d', '5 to 8, stride 2', [1, 5, 9, 13], [8, 5, 3, 3], { padding: 1, stride: 2 }),
  conv('conv2d', '1 to 8', [3, 1, 7, 9], [8, 1, 3, 3], { padding: 1 }),
  conv('conv2d', '1 to 67', [1, 1, 9, 11], [67, 1, 3, 3], { padding: 1 }),
  conv('conv2d', '64 to 3', [1, 64, 9, 17], [3, 64, 3, 3], { padding: 1 }),
  conv('conv2d', '32 to 3, 9x9', [1, 32, 7, 11], [3, 32, 9, 9], { padding: 4 }),
  conv('conv2d', '3 to 32, 5x5', [2, 3, 6, 9], [32, 3, 5, 5], { padding: [2, 1] }),
  conv('conv2d', 'over 256 positions', [1, 3, 17, 19], [7, 3, 3, 3], { padding: 1 }),
  conv('conv2d', '256x256, 3 to 4', [1, 3, 256, 256], [4, 3, 3, 3], { padding: 1 }, large),
  conv('conv2d', '256x256, 8 to 8', [1, 8, 256, 256], [8, 8, 3, 3], { padding: 1 }, large),
  // more than 65,535 rows or samples: each alone would be a grid too long for one dimension
  conv('conv2d', '70,000 rows', [1, 2, 70_000, 1], [5, 2, 3, 1], { padding: [1, 0] }, large),
  conv('conv2d', 'batch of 70,000', [70_000, 2, 1, 1], [5, 2, 1, 1], {}, large),
  conv('conv2d', '257x255, stride 2', [1, 5, 257, 255], [6, 5, 3, 3], { padding: 1, stride: 2 }, large),
];

/** A fused convolution: which of slope (their number) and residual (y's shape) are there. */
function fusedConv(
  name: string,
  input: number[],
  weight: number[],
  attrs: Attrs,
  { slope, residual }: { slope?: number; residual?: number[] } = {},
  rest: Rest = {},
): OpCase {
  const plain = conv(`fused_conv${weight.length - 2}d`, name, input, weight, attrs, rest);
  const more = { ...(slope ? { slope: [slope] } : {}), ...(residual ? { residual } : {}) };
  return { ...plain, inputs: { ...plain.inputs, ...more } };
}

const fused: OpCase[] = [
  fusedConv('plain', [1, 3, 5, 7], [5, 3, 3, 3], { padding: 1 }),
  fusedConv('PReLU, odd channels', [2, 5, 6, 7], [7, 5, 3, 3], { padding: 1 }, { slope: 5 }),
  fusedConv('one slope, residual', [1, 8, 5, 6], [8, 8, 3, 3], { padding: 1 }, { slope: 1, residual: [1, 8, 5, 6] }),
  fusedConv('ReLU', [1, 6, 7, 5], [9, 6, 3, 3], { padding: 1, negative_slope: 0 }),
  fusedConv(
    'LeakyReLU after a residual',
    [1, 16, 5, 13],
    [16, 16, 3, 3],
    { padding: 1, negative_slope: 0.2 },
    { residual: [1, 16, 5, 13] },
  ),
  fusedConv('shuffle 2 of odd channels', [1, 6, 5, 7], [12, 6, 3, 3], { padding: 1, shuffle: 2 }),
  fusedConv(
    'shuffle 3, all at once',
    [2, 5, 4, 3],
    [45, 5, 1, 1],
    { shuffle: 3, negative_slope: 0.1 },
    { slope: 5, residual: [2, 5, 12, 9] },
  ),
  fusedConv('shuffle 4 to 16 channels', [1, 64, 5, 6], [256, 64, 1, 1], { shuffle: 4, bias: false }),
  fusedConv('64 to 3', [1, 64, 9, 17], [3, 64, 3, 3], { padding: 1 }, { slope: 64, residual: [1, 3, 9, 17] }),
  fusedConv('32 to 3, 5x5', [1, 32, 6, 9], [3, 32, 5, 5], { padding: 2 }, { slope: 1, residual: [1, 3, 6, 9] }),
  fusedConv(
    'groups',
    [1, 6, 5, 6],
    [4, 3, 3, 3],
    { groups: 2, padding: 1, negative_slope: 0 },
    { slope: 6, residual: [1, 4, 5, 6] },
  ),
  fusedConv('stride 2', [1, 16, 9, 8], [8, 16, 3, 3], { stride: 2, padding: 1, negative_slope: 0 }, { slope: 16 }),
  fusedConv('FSTRN block, spatial', [1, 16, 3, 6, 13], [16, 16, 1, 3, 3], { padding: [0, 1, 1] }, { slope: 16 }),
  fusedConv(
    'FSTRN block, temporal',
    [1, 16, 5, 3, 4],
    [16, 16, 3, 1, 1],
    { padding: [1, 0, 0] },
    { residual: [1, 16, 5, 3, 4] },
  ),
  fusedConv('FSTRN enlargement', [2, 12, 3, 4, 5], [48, 12, 1, 1, 1], { shuffle: 4, bias: false }),
  fusedConv(
    'large',
    [1, 8, 2, 96, 97],
    [8, 8, 1, 3, 3],
    { padding: [0, 1, 1], negative_slope: 0.2 },
    { slope: 8 },
    large,
  ),
];

const conv3d: OpCase[] = [
  conv('conv3d', 'one element', [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
  conv('conv3d', '3x3x3', [1, 3, 5, 4, 6], [5, 3, 3, 3, 3], { padding: 1 }),
  conv('conv3d', '3x3x3 no padding, no bias, batch', [2, 2, 4, 5, 4], [3, 2, 3, 3, 3], { bias: false }),
  conv('conv3d', 'spatial 1x3x3', [2, 6, 3, 5, 4], [6, 6, 1, 3, 3], { padding: [0, 1, 1] }),
  conv('conv3d', 'temporal 3x1x1', [2, 6, 5, 3, 4], [7, 6, 3, 1, 1], { padding: [1, 0, 0] }),
  conv('conv3d', '1x1x1', [1, 7, 3, 3, 2], [5, 7, 1, 1, 1]),
  conv('conv3d', 'one frame', [1, 3, 1, 5, 6], [4, 3, 3, 3, 3], { padding: 1 }),
  conv('conv3d', 'stride 2', [1, 3, 5, 6, 7], [4, 3, 3, 3, 3], { stride: 2, padding: 1 }),
  conv('conv3d', 'lists per axis', [1, 2, 6, 7, 9], [5, 2, 2, 3, 4], {
    stride: [1, 2, 3],
    padding: [1, 0, 2],
    dilation: [2, 1, 2],
  }),
  conv('conv3d', 'kernel beyond input', [1, 2, 2, 3, 2], [3, 2, 5, 5, 5], { padding: 2 }),
  conv('conv3d', 'groups 2 of 3', [1, 6, 3, 4, 5], [4, 3, 3, 3, 3], { groups: 2, padding: 1 }),
  conv('conv3d', 'depthwise', [2, 5, 4, 3, 5], [5, 1, 3, 3, 3], { groups: 5, padding: 1 }),
  conv('conv3d', '64 to 64', [1, 64, 2, 5, 4], [64, 64, 3, 3, 3], { padding: 1 }),
  conv('conv3d', '33 to 8', [1, 33, 3, 4, 7], [8, 33, 3, 1, 3], { padding: [1, 0, 1] }),
  conv('conv3d', '3 to 13', [2, 3, 3, 5, 7], [13, 3, 3, 3, 3], { padding: 1 }),
  conv('conv3d', '29 to 3', [2, 29, 3, 4, 7], [3, 29, 3, 3, 3], { padding: [1, 0, 2] }),
  conv('conv3d', '64 to 1', [1, 64, 3, 5, 7], [1, 64, 3, 3, 3], { padding: 1 }),
  conv('conv3d', 'over 256 positions', [1, 3, 5, 9, 8], [6, 3, 3, 3, 3], { padding: 1 }),
  conv('conv3d', '5x100x100, 4 to 5', [1, 4, 5, 100, 100], [5, 4, 3, 3, 3], { padding: 1 }, large),
  conv('conv3d', '5x100x100, 1x3x3', [1, 8, 5, 100, 100], [8, 8, 1, 3, 3], { padding: [0, 1, 1] }, large),
  conv('conv3d', '5x100x100, 3x1x1', [1, 8, 5, 100, 100], [8, 8, 3, 1, 1], { padding: [1, 0, 0] }, large),
];

const convTranspose: OpCase[] = [
  conv('conv_transpose2d', 'one element', [1, 1, 1, 1], [1, 1, 1, 1]),
  conv('conv_transpose2d', 'stride 1', [1, 3, 4, 5], [3, 5, 3, 3], { padding: 1 }),
  conv('conv_transpose2d', 'stride 2, output padding', [2, 5, 4, 3], [5, 3, 3, 3], {
    stride: 2,
    padding: 1,
    output_padding: 1,
  }),
  conv('conv_transpose2d', 'stride 2, last row and column dropped', [2, 5, 4, 3], [5, 7, 3, 3], {
    stride: 2,
    output_padding: -1,
  }),
  conv('conv_transpose2d', 'kernel of 2 strides, columns dropped', [1, 6, 3, 4], [6, 8, 6, 6], {
    stride: 3,
    padding: 1,
    output_padding: [1, -2],
  }),
  conv('conv_transpose2d', 'kernel = stride', [1, 6, 3, 4], [6, 7, 4, 4], { stride: 4, bias: false }),
  conv('conv_transpose2d', 'kernel = stride, batch, bias', [2, 9, 3, 5], [9, 5, 2, 2], { stride: 2 }),
  conv('conv_transpose2d', 'kernel = stride, cropped', [1, 5, 3, 4], [5, 6, 3, 3], { stride: 3, padding: 1 }),
  conv('conv_transpose2d', 'holes', [1, 3, 3, 4], [3, 2, 2, 2], { stride: 3, output_padding: 2 }),
  conv('conv_transpose2d', 'x2 projection of DBPN', [1, 7, 4, 5], [7, 5, 6, 6], { stride: 2, padding: 2 }),
  conv('conv_transpose2d', 'x4 projection of DBPN', [1, 5, 3, 3], [5, 5, 8, 8], { stride: 4, padding: 2 }),
  conv('conv_transpose2d', 'kernel of 2 strides, 32 to 32', [1, 32, 3, 5], [32, 32, 4, 4], { stride: 2, padding: 1 }),
  conv('conv_transpose2d', 'kernel of 2 strides, cropped by one', [2, 6, 4, 3], [6, 13, 6, 6], {
    stride: 3,
    padding: 3,
  }),
  conv('conv_transpose2d', 'kernel of 3 strides, more padding', [1, 5, 4, 5], [5, 7, 6, 6], { stride: 2, padding: 5 }),
  conv('conv_transpose2d', 'kernel of 2 strides, output padding', [1, 3, 4, 3], [3, 8, 6, 6], {
    stride: 3,
    padding: 2,
    output_padding: 1,
  }),
  conv('conv_transpose2d', 'dilation', [1, 3, 4, 5], [3, 4, 3, 3], { dilation: 2, padding: 1, output_padding: 1 }),
  conv('conv_transpose2d', 'lists per axis', [2, 2, 5, 4], [2, 3, 3, 5], {
    stride: [1, 3],
    padding: [0, 2],
    output_padding: [0, 1],
    dilation: [2, 1],
  }),
  conv('conv_transpose2d', 'groups 2 of 3 to 5', [1, 6, 4, 3], [6, 5, 3, 3], { groups: 2, stride: 2, padding: 1 }),
  conv('conv_transpose2d', 'depthwise', [2, 5, 3, 4], [5, 1, 4, 4], { groups: 5, stride: 2, padding: 1 }),
  conv('conv_transpose2d', 'padding crops', [1, 2, 4, 5], [2, 3, 3, 3], { padding: 2 }),
  conv('conv_transpose2d', '64 to 64', [1, 64, 4, 5], [64, 64, 4, 4], { stride: 2, padding: 1 }),
  conv('conv_transpose2d', '128x128 to 256x256', [1, 3, 128, 128], [3, 4, 4, 4], { stride: 2, padding: 1 }, large),
  conv('conv_transpose3d', 'one element', [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
  conv('conv_transpose3d', 'stride 1', [1, 3, 3, 4, 5], [3, 5, 3, 3, 3], { padding: 1 }),
  conv('conv_transpose3d', 'FSTRN, with holes', [1, 8, 5, 3, 4], [8, 2, 3, 3, 3], {
    stride: [1, 4, 4],
    padding: [1, 0, 0],
    output_padding: [0, 1, 1],
  }),
  conv('conv_transpose3d', 'FSTRN, kernel = stride', [1, 7, 5, 3, 2], [7, 6, 1, 4, 4], { stride: [1, 4, 4] }),
  conv('conv_transpose3d', 'lists per axis', [2, 2, 3, 4, 3], [2, 3, 2, 3, 1], {
    stride: [2, 1, 3],
    padding: [1, 0, 0],
    output_padding: [1, 0, 2],
    dilation: [1, 2, 1],
  }),
  conv('conv_transpose3d', 'groups 2', [1, 6, 2, 3, 3], [6, 3, 3, 3, 3], { groups: 2, stride: 2, bias: false }),
  conv(
    'conv_transpose3d',
    '5x25x25 to 5x100x100',
    [1, 8, 5, 25, 25],
    [8, 4, 3, 4, 4],
    { stride: [1, 4, 4], padding: [1, 0, 0] },
    large,
  ),
];

const shuffle: OpCase[] = [
  one('pixel_shuffle', 'factor 1', [1, 3, 2, 2], { factor: 1 }),
  one('pixel_shuffle', 'one pixel', [1, 4, 1, 1], { factor: 2 }),
  one('pixel_shuffle', 'factor 2', [2, 12, 3, 5], { factor: 2 }),
  one('pixel_shuffle', 'factor 3', [1, 45, 4, 2], { factor: 3 }),
  one('pixel_shuffle', 'factor 4, frames', [2, 32, 3, 2, 3], { factor: 4 }),
  one('pixel_shuffle', '64 channels out', [1, 256, 5, 7], { factor: 2 }),
  one('pixel_shuffle', '256x256', [1, 48, 64, 64], { factor: 4 }, large),
  one('pixel_unshuffle', 'one pixel', [1, 1, 2, 2], { factor: 2 }),
  one('pixel_unshuffle', 'factor 2', [2, 3, 6, 10], { factor: 2 }),
  one('pixel_unshuffle', 'factor 3', [1, 5, 6, 9], { factor: 3 }),
  one('pixel_unshuffle', 'factor 4, frames', [1, 2, 3, 8, 4], { factor: 4 }),
  one('pixel_unshuffle', '256x256', [1, 3, 256, 256], { factor: 4 }, large),
];

const resize: OpCase[] = [
  one('imresize', 'one pixel', [1, 1, 1, 1], { scale: 4 }),
  one('imresize', 'one quarter', [1, 3, 16, 20], { scale: 0.25 }),
  one('imresize', 'one quarter, sizes rounded up', [2, 1, 17, 19], { scale: 0.25 }),
  one('imresize', 'one quarter of less than the kernel', [1, 5, 3, 2], { scale: 0.25 }),
  one('imresize', 'half, frames', [1, 3, 2, 6, 9], { scale: 0.5 }),
  one('imresize', 'a third', [1, 2, 9, 12], { scale: 1 / 3 }),
  one('imresize', 'one quarter, no antialias', [1, 3, 13, 8], { scale: 0.25, antialias: false }),
  one('imresize', 'twice', [1, 6, 4, 5], { scale: 2 }),
  one('imresize', 'three times', [1, 1, 3, 5], { scale: 3 }),
  one('imresize', 'four times, frames', [2, 3, 2, 3, 4], { scale: 4 }),
  one('imresize', '1.5 times', [1, 2, 5, 6], { scale: 1.5 }),
  one('imresize', '256x256 to 64x64', [1, 3, 256, 256], { scale: 0.25 }, large),
  one('interpolate', 'one pixel', [1, 1, 1, 1], { scale_factor: 2 }),
  one('interpolate', 'nearest 2', [2, 3, 3, 4], { scale_factor: 2, mode: 'nearest' }),
  one('interpolate', 'nearest, list', [1, 5, 3, 4], { scale_factor: [2, 3] }),
  one('interpolate', 'nearest 0.5', [1, 3, 6, 5], { scale_factor: 0.5 }),
  one('interpolate', 'nearest 1.5', [1, 2, 5, 4], { scale_factor: 1.5 }),
  one('interpolate', 'nearest, frames', [1, 6, 3, 2, 4], { scale_factor: [1, 4, 4] }),
  one('interpolate', 'bilinear one pixel', [1, 3, 1, 1], { scale_factor: 4, mode: 'bilinear' }),
  one('interpolate', 'bilinear 4', [2, 3, 3, 5], { scale_factor: 4, mode: 'bilinear' }),
  one('interpolate', 'bilinear 0.5', [1, 5, 6, 7], { scale_factor: 0.5, mode: 'bilinear' }),
  one('interpolate', 'bilinear, list', [1, 2, 4, 3], { scale_factor: [1.5, 3], mode: 'bilinear' }),
  one('interpolate', 'bilinear, corners', [1, 6, 3, 5], { scale_factor: 2, mode: 'bilinear', align_corners: true }),
  one('interpolate', 'bilinear, corners, one row', [1, 3, 1, 4], {
    scale_factor: 3,
    mode: 'bilinear',
    align_corners: true,
  }),
  one('interpolate', 'trilinear per frame', [2, 1, 5, 3, 4], { scale_factor: [1, 4, 4], mode: 'trilinear' }),
  one('interpolate', 'trilinear 2', [1, 3, 2, 3, 2], { scale_factor: 2, mode: 'trilinear' }),
  one('interpolate', 'trilinear, corners', [1, 5, 3, 2, 3], {
    scale_factor: [2, 3, 2],
    mode: 'trilinear',
    align_corners: true,
  }),
  one('interpolate', 'bilinear to 256x256', [1, 3, 64, 64], { scale_factor: 4, mode: 'bilinear' }, large),
];

const shapes: [string, number[]][] = [
  ['one element', [1, 1, 1, 1]],
  ['vector', [7]],
  ['matrix', [3, 5]],
  ['rank 3', [2, 3, 7]],
  ['odd picture', [2, 3, 5, 7]],
  ['frames', [1, 6, 3, 4, 5]],
  ['64 channels', [2, 64, 3, 3]],
  ['over 256', [1, 1, 17, 16]],
];
const everyShape = (op: string, attrs?: Attrs, rest?: Rest) =>
  shapes.map(([name, shape]) => one(op, name, shape, attrs, rest));
const integers = (low: number, high: number) =>
  ({ kinks: true, range: { input: { low, high, only: 'integers' } } }) as const;
const positive: Rest = { range: { input: { low: 0.25, high: 4 } } };
const wide: Rest = { range: { input: { low: -30, high: 30 } } };

const activations: OpCase[] = [
  ...everyShape('relu'),
  one('relu', 'zeros', [2, 5, 3, 3], {}, integers(-1, 1)),
  // 4,202,500 quads of channels: more than 65,535 workgroups, whether of 64 invocations a quad or of 256 a number
  one('relu', 'over 65,535 workgroups', [1, 1, 2050, 2050], {}, large),
  ...everyShape('leaky_relu', { negative_slope: 0.2 }),
  one('leaky_relu', 'default slope', [2, 3, 3, 3]),
  one('leaky_relu', 'zeros', [2, 5, 3, 3], { negative_slope: 0.1 }, integers(-1, 1)),
  ...everyShape('sigmoid'),
  one('sigmoid', 'saturated', [1, 3, 5, 5], {}, wide),
  ...everyShape('tanh'),
  one('tanh', 'saturated', [1, 3, 5, 5], {}, wide),
  ...everyShape('abs'),
  one('abs', 'zeros', [2, 5, 3, 3], {}, integers(-1, 1)),
  ...everyShape('sqrt', {}, positive),
  ...everyShape('exp', {}, { range: { input: { low: -4, high: 4 } } }),
  ...everyShape('log', {}, positive),
  ...everyShape('clamp', { min: -0.3, max: 0.55 }),
  one('clamp', 'only min', [1, 3, 4, 5], { min: 0.25 }),
  one('clamp', 'only max', [1, 3, 4, 5], { max: -0.25 }),
  one('clamp', 'on the bounds', [2, 5, 3, 3], { min: -1, max: 1 }, integers(-2, 2)),
];

const preluCase = (name: string, input: number[], slopes: number, rest: Rest = {}): OpCase => ({
  op: 'prelu',
  name,
  inputs: { input, weight: [slopes] },
  ...rest,
});
const prelu: OpCase[] = [
  preluCase('one element', [1, 1, 1, 1], 1),
  preluCase('shared slope', [2, 5, 3, 4], 1),
  preluCase('slope per channel', [2, 5, 3, 4], 5),
  preluCase('frames, slope per channel', [2, 3, 3, 4, 2], 3),
  preluCase('frames, shared slope', [1, 6, 3, 4, 2], 1),
  preluCase('matrix', [4, 7], 7),
  preluCase('64 channels, over 256 positions', [1, 64, 17, 16], 64),
  preluCase('zeros', [1, 5, 4, 4], 5, integers(-1, 1)),
  preluCase('256x256', [1, 6, 256, 256], 6, large),
];

const pairs: [string, number[], number[]][] = [
  ['one element', [1, 1, 1, 1], [1, 1, 1, 1]],
  ['vectors', [7], [7]],
  ['same shape', [2, 3, 5, 7], [2, 3, 5, 7]],
  ['frames', [1, 6, 3, 4, 5], [1, 6, 3, 4, 5]],
  ['64 channels', [2, 64, 3, 3], [2, 64, 3, 3]],
  ['scalar right', [2, 5, 3, 4], []],
  ['scalar left', [1], [2, 5, 3, 4]],
  ['per channel', [2, 5, 3, 4], [5]],
  ['per channel, width as many', [2, 5, 3, 5], [5]],
  ['per channel left, frames', [3], [2, 3, 2, 3, 3]],
  ['per channel, matrix', [4, 6], [6]],
  ['ones but channels', [2, 5, 3, 4], [1, 5, 1, 1]],
  ['one channel right', [2, 5, 3, 4], [2, 1, 3, 4]],
  ['one channel left', [2, 1, 3, 4], [2, 7, 3, 4]],
  ['one sample', [3, 5, 2, 4], [1, 5, 2, 4]],
  ['one frame', [2, 3, 4, 3, 2], [2, 3, 1, 3, 2]],
  ['both repeat', [2, 5, 1, 4], [1, 5, 3, 1]],
  ['all ones', [2, 5, 3, 4], [1, 1, 1, 1]],
];
const binaryOps: OpCase[] = ['add', 'sub', 'mul', 'div'].flatMap((op) => [
  ...[...pairs, ['per channel, 256x256', [1, 5, 256, 256], [5]] as (typeof pairs)[number]].map(
    ([name, a, b]): OpCase => ({
      op,
      name,
      inputs: { a, b },
      ...(op === 'div' && { range: { b: { low: 0.5, high: 2 } } }),
      ...(name.includes('256x256') && large),
    }),
  ),
]);
const scaledSums: OpCase[] = pairs
  .filter(([name]) => /same shape|per channel$|one channel left/.test(name))
  .map(([name, a, b]) => ({ op: 'add', name: `${name}, alpha 0.2`, attrs: { alpha: 0.2 }, inputs: { a, b } }));

const concatCase = (name: string, a: number[], b: number[], axis: number, rest: Rest = {}): OpCase => ({
  op: 'concat',
  name,
  attrs: { axis },
  inputs: { a, b },
  ...rest,
});
const rearranging: OpCase[] = [
  concatCase('channels 3 + 4', [2, 3, 3, 4], [2, 4, 3, 4], 1),
  concatCase('channels 4 + 4', [1, 4, 3, 5], [1, 4, 3, 5], 1),
  concatCase('channels 1 + 1', [1, 1, 2, 2], [1, 1, 2, 2], 1),
  concatCase('channels 5 + 6, frames', [1, 5, 3, 2, 4], [1, 6, 3, 2, 4], 1),
  concatCase('channels 64 + 2', [1, 64, 3, 3], [1, 2, 3, 3], 1),
  concatCase('batch', [1, 3, 2, 4], [2, 3, 2, 4], 0),
  concatCase('rows', [2, 3, 1, 4], [2, 3, 3, 4], 2),
  concatCase('columns', [2, 3, 2, 4], [2, 3, 2, 1], -1),
  concatCase('frames', [1, 5, 2, 3, 4], [1, 5, 3, 3, 4], 2),
  concatCase('256x256', [1, 3, 256, 256], [1, 2, 256, 256], 1, large),
  one('slice', 'whole', [1, 3, 2, 4], { axis: 1 }),
  one('slice', 'one channel', [2, 5, 3, 4], { axis: 1, start: 2, end: 3 }),
  one('slice', 'channels across quads', [2, 11, 3, 2], { axis: 1, start: 3, end: 10 }),
  one('slice', 'batch', [4, 3, 2, 3], { axis: 0, start: 1, end: 3 }),
  one('slice', 'centre frame', [2, 3, 5, 3, 4], { axis: 2, start: 2, end: 3 }),
  one('slice', 'rows from the end', [1, 6, 7, 4], { axis: 2, start: -3 }),
  one('slice', 'columns', [1, 3, 4, 9], { axis: -1, start: 1, end: -2 }),
  one('pad', 'none', [1, 3, 2, 2], { pad: [0, 0] }),
  one('pad', 'zeros, width', [2, 3, 2, 4], { pad: [1, 2] }),
  one('pad', 'zeros, four sides', [2, 5, 3, 4], { pad: [1, 2, 3, 0], mode: 'zeros' }),
  one('pad', 'zeros, frames', [1, 2, 3, 2, 3], { pad: [1, 0, 0, 2, 2, 1] }),
  one('pad', 'zeros, channels', [1, 3, 2, 3], { pad: [0, 0, 0, 0, 2, 3] }),
  one('pad', 'replicate', [2, 3, 3, 4], { pad: [2, 1, 0, 3], mode: 'replicate' }),
  one('pad', 'replicate one pixel', [1, 5, 1, 1], { pad: [3, 2, 1, 1], mode: 'replicate' }),
  one('pad', 'replicate frames', [1, 3, 2, 3, 2], { pad: [0, 0, 1, 0, 2, 2], mode: 'replicate' }),
  one('pad', 'reflect', [2, 3, 4, 5], { pad: [4, 1, 0, 3], mode: 'reflect' }),
  one('pad', 'reflect frames', [1, 6, 3, 3, 4], { pad: [1, 2, 2, 0, 1, 2], mode: 'reflect' }),
];

const reductions: OpCase[] = ['sum', 'mean'].flatMap((op) => [
  one(op, 'one element', [1, 1, 1, 1]),
  one(op, 'vector', [7]),
  one(op, 'all', [2, 3, 5, 7]),
  one(op, 'all, frames', [2, 5, 3, 4, 2]),
  one(op, 'batch', [3, 5, 2, 4], { axes: [0] }),
  one(op, 'channels', [2, 6, 3, 4], { axes: 1 }),
  one(op, 'picture', [2, 7, 4, 5], { axes: [2, 3] }),
  one(op, 'columns', [2, 3, 4, 5], { axes: -1 }),
  one(op, 'all but channels', [3, 5, 4, 6], { axes: [0, 2, 3] }),
  one(op, 'frames', [2, 3, 5, 2, 3], { axes: [2] }),
  one(op, 'volume', [2, 3, 4, 3, 5], { axes: [2, 3, 4] }),
  one(op, 'matrix rows', [4, 6], { axes: [0] }),
  one(op, '64 channels', [1, 64, 9, 8], { axes: [0, 2, 3] }),
  one(op, 'a million', [1, 1, 1000, 1000], {}, large),
  one(op, 'a million, all but channels', [4, 16, 128, 128], { axes: [0, 2, 3] }, large),
]);

const lossAttrs: [op: string, attrs: Attrs[]][] = [
  ['l1_loss', [{}]],
  ['mse_loss', [{}]],
  ['charbonnier_loss', [{ eps: 0.1 }]],
  ['huber_loss', [{}, { delta: 0.3 }]],
];
function lossCase(op: string, name: string, shape: number[], attrs: Attrs, rest: Rest = {}): OpCase {
  return { op, name, attrs, inputs: { input: shape, target: shape }, ...rest };
}
const losses: OpCase[] = lossAttrs.flatMap(([op, choices]) =>
  choices.flatMap((attrs, i) => [
    ...shapes.map(([name, shape]) => lossCase(op, i ? `${name}, ${JSON.stringify(attrs)}` : name, shape, attrs)),
    lossCase(op, `256x256 ${JSON.stringify(attrs)}`, [1, 3, 256, 256], attrs, large),
  ]),
);
const ties: Rest = {
  kinks: true,
  range: { input: { low: -1, high: 1, only: 'integers' }, target: { low: -1, high: 1, only: 'integers' } },
};
losses.push(
  lossCase('l1_loss', 'ties', [1, 3, 4, 5], {}, ties),
  lossCase('huber_loss', 'on the bend', [1, 3, 4, 5], {}, ties),
  // with the usual ε the curvature near d = 0 is too sharp for differences, so keep d away from it
  lossCase('charbonnier_loss', 'default eps', [2, 3, 4, 5], {}, { range: { target: { low: 1.25, high: 2 } } }),
  lossCase('charbonnier_loss', 'ties', [1, 3, 4, 5], {}, ties),
);

export const cases: OpCase[] = [
  ...conv2d,
  ...conv3d,
  ...fused,
  ...convTranspose,
  ...separableConv3d,
  ...shuffle,
  ...resize,
  ...resizeTf1,
  ...activations,
  ...prelu,
  ...binaryOps,
  ...scaledSums,
  ...rearranging,
  ...pooling,
  ...reductions,
  ...losses,
  ...batchNormCases,
  ...instanceNormCases,
  ...videoCases,
  ...lstmCases,
];
