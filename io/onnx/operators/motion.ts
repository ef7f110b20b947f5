import type { Extent, Graph } from '../graph.ts';
import { DATA } from '../proto.ts';
import type { Size } from '../sizes.ts';
import type { Emitter, Emitters } from './emitter.ts';
import { pixelShuffle } from './shuffle.ts';

/** 0, 1, ... n - 1 as floats of this shape, of which one size is n. */
function range(graph: Graph, n: Extent, shape: readonly Extent[]): string {
  const whole = graph.op('Range', [graph.scalar(0), graph.scalar(n), graph.scalar(1)]);
  return graph.reshape(real(graph, whole), shape);
}

const real = (graph: Graph, x: string): string => graph.op('Cast', [x], { to: DATA.float });

/** A size as a float. */
const realSize = (graph: Graph, n: Extent): string =>
  typeof n === 'number' ? graph.number(n) : real(graph, graph.scalar(n));

/**
 * Warping is GridSample at p + flow(p), told as 2·(x + ½)/W - 1: pixel edges at -1 and 1 rather than centres of border pixels,
 * so that a picture of one column has coordinates too. What the border modes do is the same. GridSample's coordinates are
 * float32 over the whole width: places are off by up to W·10⁻⁷ pixels.
 */
const warp: Emitter = {
  inputs: ['image', 'flow'],
  attrs: ['padding_mode'],
  emit({ graph, attrs, input }) {
    const [image, flow] = [input('image'), input('flow')];
    const ways = graph.transpose(flow.name, [0, 2, 3, 1]);
    const places = [3, 2].map((axis, component) => {
      const n = image.dim(axis);
      const at = graph.op('Add', [
        graph.slice(ways, 3, component, component + 1),
        range(graph, n, axis === 3 ? [1, 1, n, 1] : [1, n, 1, 1]),
      ]);
      const pixels = graph.op('Div', [graph.number(2), realSize(graph, n)]);
      const scaled = graph.op('Mul', [graph.op('Add', [at, graph.number(0.5)]), pixels]);
      return graph.op('Sub', [scaled, graph.number(1)]);
    });
    return graph.op('GridSample', [image.name, graph.op('Concat', places, { axis: 3 })], {
      mode: 'bilinear',
      padding_mode: attrs.padding_mode,
      align_corners: 0,
    });
  },
};

const gridSample: Emitter = {
  inputs: ['image', 'grid'],
  attrs: ['padding_mode', 'align_corners'],
  emit: ({ graph, attrs, input }) =>
    graph.op('GridSample', [input('image').name, graph.transpose(input('grid').name, [0, 2, 3, 1])], {
      mode: 'bilinear',
      padding_mode: attrs.padding_mode,
      align_corners: Number(attrs.align_corners),
    }),
};

/** theta · (X, Y, 1)ᵀ, as a product of matrices over all positions. */
const affineGrid: Emitter = {
  inputs: ['theta'],
  attrs: ['size', 'align_corners'],
  sized: ['size'],
  emit({ graph, attrs, input }) {
    const [h, w] = (attrs.size as (number | Size)[]).map((n) => graph.size(n));
    const square = graph.vector([1, h, w]);
    const along = (n: Extent, shape: readonly Extent[]) => {
      const whole = real(graph, graph.vector([n]));
      const reach = attrs.align_corners
        ? graph.op('Max', [graph.op('Sub', [whole, graph.number(1)]), graph.number(1)])
        : whole;
      const twice = graph.op('Mul', [range(graph, n, shape), graph.number(2)]);
      const centred = graph.op('Sub', [twice, graph.op('Sub', [whole, graph.number(1)])]);
      return graph.op('Expand', [graph.op('Div', [centred, reach]), square]);
    };
    const ones = graph.op('Expand', [graph.number(1), square]);
    const rows = graph.op('Concat', [along(w, [1, 1, w]), along(h, [1, h, 1]), ones], { axis: 0 });
    const product = graph.op('MatMul', [input('theta').name, graph.op('Reshape', [rows, graph.ints([3, -1])])]);
    return graph.op('Reshape', [product, graph.vector([0, 0, h, w])]);
  },
};

/** The four parts of every pixel are added to the large picture at once. */
const splat: Emitter = {
  inputs: ['image', 'flow'],
  attrs: ['scale'],
  emit({ graph, attrs: { scale }, input }) {
    const [image, flow] = [input('image'), input('flow')];
    const [n, c, h, w] = image.dims();
    const one = graph.number(1);
    const [x, y] = [w, h].map((size, component) => {
      // The whole and the rest of a way stay apart, as far from the origin digits of the rest would go.
      const way = graph.slice(flow.name, 1, component, component + 1);
      const whole = graph.op('Floor', [way]);
      const rest = graph.op('Mul', [graph.op('Sub', [way, whole]), graph.number(scale)]);
      const more = graph.op('Floor', [rest]);
      const from = range(graph, size, component === 0 ? [1, 1, 1, size] : [1, 1, size, 1]);
      const start = graph.op('Mul', [graph.op('Add', [whole, from]), graph.number(scale)]);
      const first = graph.op('Add', [start, more]);
      const share = graph.op('Sub', [rest, more]);
      const last = graph.op('Sub', [realSize(graph, graph.calc('Mul', size, scale)), one]);
      const held = (at: string) =>
        graph.op('Cast', [graph.op('Min', [graph.op('Max', [at, graph.number(0)]), last])], { to: DATA.int64 });
      return [
        { at: held(first), weight: graph.op('Sub', [one, share]) },
        { at: held(graph.op('Add', [first, one])), weight: share },
      ];
    });
    const [height, width] = [graph.calc('Mul', h, scale), graph.calc('Mul', w, scale)];
    const flat = (value: string, channels: Extent) => graph.op('Reshape', [value, graph.vector([n, channels, -1])]);
    const parts = y.flatMap((row) =>
      x.map((column) => {
        const place = graph.op('Add', [graph.op('Mul', [row.at, graph.vector([width])]), column.at]);
        const weight = graph.op('Mul', [row.weight, column.weight]);
        return { place: flat(place, 1), value: flat(graph.op('Mul', [image.name, weight]), c) };
      }),
    );
    const all = (what: 'place' | 'value') =>
      graph.op(
        'Concat',
        parts.map((part) => part[what]),
        { axis: 2 },
      );
    const values = all('value');
    const places = graph.op('Expand', [all('place'), graph.op('Shape', [values])]);
    const empty = graph.op('Expand', [graph.number(0), graph.vector([n, c, graph.calc('Mul', height, width)])]);
    const sums = graph.op('ScatterElements', [empty, places, values], { axis: 2, reduction: 'add' });
    return graph.op('Reshape', [sums, graph.vector([n, c, height, width])]);
  },
};

/** Neighbours of each pixel by a convolution that copies them, times the filters, summed over taps. */
const dynamicFilter: Emitter = {
  inputs: ['image', 'filters'],
  attrs: ['scale', 'kernel', 'softmax'],
  emit({ graph, attrs: { scale, kernel, softmax }, input, known }) {
    const [image, filters] = [input('image'), input('filters')];
    const [n, c, h, w] = image.dims();
    const taps = kernel ** 2;
    const copies = Float32Array.from({ length: taps ** 2 }, (_, i) => Number(i % (taps + 1) === 0));
    const copy = graph.floats(`neighbours_${kernel}`, [taps, 1, kernel, kernel], copies);
    const half = (kernel - 1) / 2;
    const planes = graph.reshape(image.name, [-1, 1, h, w]);
    const around = graph.op('Conv', [planes, copy], { pads: [half, half, half, half] });
    const weights = graph.op('Reshape', [filters.name, graph.vector([n, 1, taps, scale ** 2, h, w])]);
    const products = graph.op('Mul', [
      graph.op('Reshape', [around, graph.vector([n, c, taps, 1, h, w])]),
      softmax ? graph.op('Softmax', [weights], { axis: 2 }) : weights,
    ]);
    const sums = graph.op('ReduceSum', [products, graph.ints([2])], { keepdims: 0 });
    const deep = graph.op('Reshape', [sums, graph.vector([n, graph.calc('Mul', c, scale ** 2), h, w])]);
    return pixelShuffle(graph, deep, known, { factor: scale });
  },
};

/** Row by row of displacements: the row's neighbours by a convolution that copies them, times a, the mean over channels. */
const correlation: Emitter = {
  inputs: ['a', 'b'],
  attrs: ['max_displacement', 'stride2'],
  emit({ graph, attrs: { max_displacement, stride2 }, input }) {
    const [a, b] = [input('a'), input('b')];
    const [n, c, h, w] = a.dims();
    const reach = Math.floor(max_displacement / stride2);
    const [along, margin] = [2 * reach + 1, reach * stride2];
    const copies = Float32Array.from({ length: along ** 2 }, (_, i) => Number(i % (along + 1) === 0));
    const copy = graph.floats(`row_${along}`, [along, 1, 1, along], copies);
    const wide = graph.op('Pad', [b.name, graph.ints([0, 0, margin, margin, 0, 0, margin, margin])]);
    const first = graph.op('Unsqueeze', [a.name, graph.ints([2])]);
    const rows = Array.from({ length: along }, (_, v) => {
      const shifted = graph.slice(wide, 2, v * stride2, graph.calc('Add', h, v * stride2));
      const planes = graph.reshape(shifted, [-1, 1, h, graph.calc('Add', w, 2 * margin)]);
      const around = graph.op('Conv', [planes, copy], { dilations: [1, stride2] });
      const second = graph.op('Reshape', [around, graph.vector([n, c, along, h, w])]);
      return graph.op('ReduceMean', [graph.op('Mul', [first, second]), graph.ints([1])], { keepdims: 0 });
    });
    return rows.length === 1 ? rows[0] : graph.op('Concat', rows, { axis: 1 });
  },
};

export const motion: Emitters = {
  correlation,
  warp,
  grid_sample: gridSample,
  affine_grid: affineGrid,
  splat,
  dynamic_filter: dynamicFilter,
};
