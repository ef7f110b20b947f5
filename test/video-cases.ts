import { type Attrs, large, type OpCase, type Range, type Rest } from './op-case.ts';

const flowRange = (reach: number, only: Range['only'] = 'fractions') => ({
  flow: { low: -reach, high: reach, only },
});
/** A picture and a flow of its size. */
const moving =
  (op: string) =>
  (name: string, image: number[], reach: number, attrs: Attrs = {}, rest: Rest = {}): OpCase => ({
    ...{ op, name, attrs, inputs: { image, flow: [image[0], 2, ...image.slice(2)] } },
    range: flowRange(reach),
    ...rest,
  });
const [warpCase, splatCase] = ['warp', 'splat'].map(moving);
const border = { padding_mode: 'border' };
const wholePixels = { kinks: true, range: flowRange(4, 'integers') } as const;

const warp: OpCase[] = [
  warpCase('one pixel', [1, 1, 1, 1], 1),
  warpCase('one pixel, border', [1, 2, 1, 1], 1, border),
  warpCase('small motion', [1, 3, 5, 7], 1),
  warpCase('batch, 5 channels', [3, 5, 4, 6], 2),
  warpCase('far outside', [2, 2, 5, 4], 9),
  warpCase('far outside, border', [2, 3, 5, 4], 9, border),
  warpCase('border', [2, 6, 6, 5], 2, border),
  warpCase('one row', [1, 7, 1, 9], 3),
  warpCase('whole pixels', [1, 3, 6, 5], 4, {}, wholePixels),
  warpCase('whole pixels, border', [1, 3, 6, 5], 4, border, wholePixels),
  warpCase('64 channels', [1, 64, 9, 8], 3),
  warpCase('256x256', [1, 3, 256, 256], 8, {}, large),
  warpCase('256x256, border', [1, 3, 256, 256], 8, border, large),
];

const splat: OpCase[] = [
  splatCase('one pixel', [1, 1, 1, 1], 1),
  splatCase('one pixel, four times', [1, 2, 1, 1], 1, { scale: 4 }),
  splatCase('small motion', [1, 3, 5, 7], 1),
  splatCase('luminance, four times', [2, 1, 5, 7], 2, { scale: 4 }),
  splatCase('three times', [1, 5, 4, 3], 2, { scale: 3 }),
  splatCase('far outside', [3, 2, 5, 4], 9, { scale: 2 }),
  splatCase('whole pixels', [1, 3, 6, 5], 4, {}, wholePixels),
  splatCase('whole pixels, four times', [1, 3, 6, 5], 4, { scale: 4 }, wholePixels),
  splatCase('64 channels', [1, 64, 9, 8], 3),
  splatCase('128x128 to 512x512', [1, 1, 128, 128], 8, { scale: 4 }, large),
];

const shuffled = (op: string, name: string, input: number[], factor: number, rest: Rest = {}): OpCase => ({
  ...{ op, name, attrs: { factor, order: 'dcr' }, inputs: { input } },
  ...rest,
});
const tensorflowOrder: OpCase[] = [
  shuffled('pixel_shuffle', "TensorFlow's order, colours", [2, 12, 3, 5], 2),
  shuffled('pixel_shuffle', "TensorFlow's order, factor 3, frames", [1, 45, 2, 4, 2], 3),
  shuffled('pixel_shuffle', "TensorFlow's order, quads", [2, 72, 3, 5], 3),
  shuffled('pixel_shuffle', "TensorFlow's order, quads, large", [1, 64, 64, 64], 4, large),
  shuffled('pixel_unshuffle', "TensorFlow's order, colours", [2, 3, 6, 10], 2),
  shuffled('pixel_unshuffle', "TensorFlow's order, frames", [1, 5, 3, 6, 9], 3),
  shuffled('pixel_unshuffle', "TensorFlow's order, quads", [1, 8, 8, 4], 2),
];

const filtered = (name: string, image: number[], attrs: { scale: number; kernel: number }, rest: Rest = {}) =>
  [false, true].map((softmax): OpCase => {
    const filters = [image[0], (attrs.scale * attrs.kernel) ** 2, ...image.slice(2)];
    const named = softmax ? `${name}, softmax` : name;
    return { op: 'dynamic_filter', name: named, attrs: { ...attrs, softmax }, inputs: { image, filters }, ...rest };
  });
const dynamicFilter: OpCase[] = [
  ...filtered('one pixel', [1, 1, 1, 1], { scale: 1, kernel: 1 }),
  ...filtered('x4 of 5x5 taps', [1, 3, 4, 5], { scale: 4, kernel: 5 }),
  ...filtered('x3 of 5x5 taps', [2, 3, 3, 4], { scale: 3, kernel: 5 }),
  ...filtered('x2 of 3x3 taps, six channels', [1, 6, 4, 3], { scale: 2, kernel: 3 }),
  ...filtered('same size', [1, 5, 5, 4], { scale: 1, kernel: 3 }),
  ...filtered('x2 of 48x48', [1, 3, 48, 48], { scale: 2, kernel: 5 }, large),
];

const sampled = (name: string, image: number[], size: number[], attrs: Attrs = {}, rest: Rest = {}): OpCase => ({
  ...{ op: 'grid_sample', name, attrs, inputs: { image, grid: [image[0], 2, ...size] } },
  range: { grid: { low: -1.3, high: 1.3 } },
  ...rest,
});
const corners = { align_corners: true };
const centres = { kinks: true, range: { grid: { low: -1, high: 1, only: 'integers' } } } as const;
const affine = (name: string, samples: number, size: number[], attrs: Attrs = {}, rest: Rest = {}): OpCase => ({
  ...{ op: 'affine_grid', name, attrs: { size, ...attrs }, inputs: { theta: [samples, 2, 3] } },
  ...rest,
});
const transformer: OpCase[] = [
  sampled('one pixel', [1, 1, 1, 1], [1, 1]),
  sampled('one pixel, corners', [1, 2, 1, 1], [2, 3], corners),
  sampled('another size', [2, 3, 5, 4], [3, 6]),
  sampled('corners', [1, 5, 4, 5], [5, 4], corners),
  sampled('border', [2, 1, 4, 3], [4, 5], border),
  sampled('border, corners', [1, 6, 3, 5], [3, 4], { ...border, ...corners }),
  sampled('centre and corners', [1, 3, 5, 5], [4, 4], corners, centres),
  sampled('64 channels', [1, 64, 5, 6], [4, 5]),
  sampled('a hundred images to 40x40', [100, 3, 6, 5], [40, 40], {}, large),
  affine('one pixel', 1, [1, 1]),
  affine('one pixel, corners', 2, [1, 1], corners),
  affine('odd size', 3, [5, 7]),
  affine('corners', 2, [4, 3], corners),
  affine('256x256', 2, [256, 256], {}, large),
];

const correlated = (
  name: string,
  shape: number[],
  max_displacement: number,
  stride2: number,
  rest: Rest = {},
): OpCase => ({
  ...{ op: 'correlation', name, attrs: { max_displacement, stride2 }, inputs: { a: shape, b: shape } },
  ...rest,
});
const correlation: OpCase[] = [
  correlated('one pixel', [1, 1, 1, 1], 0, 1),
  correlated('every pixel', [2, 3, 5, 7], 2, 1),
  correlated('every second', [1, 5, 6, 9], 4, 2),
  correlated('every third, cut', [1, 4, 7, 11], 7, 3),
  correlated('nine along a row', [1, 6, 4, 17], 4, 1),
  correlated('beyond the picture', [1, 2, 3, 4], 5, 1),
  correlated('FlowNetC', [1, 32, 12, 16], 20, 2, large),
];

export const videoCases: readonly OpCase[] = [
  ...warp,
  ...splat,
  ...tensorflowOrder,
  ...dynamicFilter,
  ...transformer,
  ...correlation,
];
