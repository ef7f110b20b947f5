import { type AxisMap, imresizeMap } from '../../../engine/axis-map.ts';
import { UsageError } from '../../../engine/errors.ts';
import { factors } from '../../../engine/kernels/axis.ts';
import { type Extent, float, type Graph } from '../graph.ts';
import type { Emitter, Emitters } from './emitter.ts';

/** float32 numbers that scale sizes and coordinates, one for each axis. */
const scales = (graph: Graph, list: readonly number[]): string =>
  graph.floats(`scales_${list.join('_')}`, [list.length], Float32Array.from(list));

const interpolate: Emitter = {
  inputs: ['input'],
  attrs: ['scale_factor', 'mode', 'align_corners'],
  emit({ graph, attrs, input }) {
    const x = input('input');
    const given = factors('interpolate scale_factor', attrs.scale_factor, x.shape.length - 2);
    const nearest = attrs.mode === 'nearest';
    return graph.op('Resize', [x.name, undefined, scales(graph, [1, 1, ...given])], {
      mode: nearest ? 'nearest' : 'linear',
      coordinate_transformation_mode: nearest ? 'asymmetric' : attrs.align_corners ? 'align_corners' : 'half_pixel',
      nearest_mode: nearest ? 'floor' : undefined,
    });
  },
};

/** TensorFlow 1 looks at u = j / factor and holds indices within the picture: both exist in ONNX, by frames as well. */
const resizeTf1: Emitter = {
  inputs: ['input'],
  attrs: ['factor', 'mode'],
  emit({ graph, attrs: { factor, mode }, input }) {
    const x = input('input');
    const apart = planes(graph, x.name, x.dims());
    const wide = graph.op('Resize', [apart.name, undefined, scales(graph, [1, 1, factor, factor])], {
      mode: mode === 'bilinear' ? 'linear' : 'cubic',
      coordinate_transformation_mode: 'asymmetric',
      cubic_coeff_a: mode === 'bilinear' ? undefined : float(-0.75),
    });
    const [h, w] = x.dims().slice(-2);
    return apart.join(wide, [graph.calc('Mul', h, factor), graph.calc('Mul', w, factor)]);
  },
};

/** All channels and frames as samples of one channel, (M, 1, H, W), and the way back. */
function planes(graph: Graph, x: string, dims: readonly Extent[]) {
  return {
    name: graph.reshape(x, [-1, 1, ...dims.slice(-2)]),
    join: (y: string, [h, w]: readonly Extent[]): string => graph.reshape(y, [...dims.slice(0, -2), h, w]),
  };
}

/**
 * MATLAB's imresize, whose border rule (a mirror that repeats the edge) no operator of ONNX has. Where the factor or its inverse
 * is whole, all positions have the same weights: a mirrored margin, and a convolution or its transpose, for any size. By other
 * factors a size that is known becomes a product with a matrix.
 */
const imresize: Emitter = {
  inputs: ['input'],
  attrs: ['scale', 'antialias'],
  emit({ graph, attrs, input }) {
    const x = input('input');
    const dims = x.dims();
    const [sh, sw] = factors('imresize scale', attrs.scale, 2);
    const [h, w] = dims.slice(-2);
    const apart = planes(graph, x.name, dims);
    const [tall, height] = resized(graph, apart.name, 2, h, sh, attrs.antialias);
    const [wide, width] = resized(graph, tall, 3, w, sw, attrs.antialias);
    return apart.join(wide, [height, width]);
  },
};

/** One axis of (M, 1, H, W). @returns the result and its size */
function resized(graph: Graph, x: string, axis: 2 | 3, n: Extent, s: number, antialias: boolean): [string, Extent] {
  if (s === 1) return [x, n];
  const [up, down] = [Math.round(s), Math.round(1 / s)];
  if (Math.abs(s - up) < 1e-12) return enlarged(graph, x, axis, n, up, antialias);
  if (Math.abs(1 / s - down) < 1e-9) return reduced(graph, x, axis, n, down, antialias);
  if (typeof n !== 'number') throw new UsageError(`imresize by ${s} has no ONNX form for free sizes: fix them`);
  const map = imresizeMap(n, s, antialias);
  const weights = matrix(graph, map, axis === 3);
  return [graph.op('MatMul', axis === 3 ? [x, weights] : [weights, x]), map.outputs];
}

function matrix(graph: Graph, { inputs, outputs, start, index, weight }: AxisMap, transposed: boolean): string {
  const data = new Float32Array(inputs * outputs);
  for (let j = 0; j < outputs; j++) {
    for (let k = start[j]; k < start[j + 1]; k++) {
      data[transposed ? index[k] * outputs + j : j * inputs + index[k]] = weight[k];
    }
  }
  const dims = transposed ? [inputs, outputs] : [outputs, inputs];
  return graph.floats(`imresize_${inputs}_to_${outputs}${transposed ? '_columns' : ''}`, dims, data);
}

const along = <T>(axis: 2 | 3, value: T, other: T): T[] => (axis === 2 ? [value, other] : [other, value]);

/**
 * Output r·i + p is the sum of taps[p][k] · x[i + first + k]: so input i gives to outputs r·(i - first - k) + p, which is a
 * transposed convolution.
 */
function enlarged(graph: Graph, x: string, axis: 2 | 3, n: Extent, r: number, antialias: boolean): [string, Extent] {
  const { taps, first } = interior(r, 1, r, antialias);
  const count = taps[0].length;
  const margin = Math.max(-first, count + first - 1);
  const kernel = Float32Array.from({ length: count * r }, (_, q) => taps[q % r][count - 1 - Math.floor(q / r)]);
  const weight = graph.floats(`imresize_${r}_${axis}`, [1, 1, ...along(axis, count * r, 1)], kernel);
  const wide = mirrored(graph, x, axis, n, margin, margin);
  const large = graph.op('ConvTranspose', [wide, weight], { strides: along(axis, r, 1) });
  const begin = (margin + count - 1 + first) * r;
  const out = graph.calc('Mul', n, r);
  return [graph.slice(large, axis, begin, graph.calc('Add', out, begin)), out];
}

function reduced(graph: Graph, x: string, axis: 2 | 3, n: Extent, q: number, antialias: boolean): [string, Extent] {
  const { taps, first } = interior(1 / q, q, 1, antialias);
  const count = taps[0].length;
  const name = `imresize_1_${q}${antialias ? '' : '_plain'}_${axis}`;
  const weight = graph.floats(name, [1, 1, ...along(axis, count, 1)], Float32Array.from(taps[0]));
  const wide = mirrored(graph, x, axis, n, -first, count + first - 1);
  const small = graph.op('Conv', [wide, weight], { strides: along(axis, q, 1) });
  return [small, graph.calc('Div', graph.calc('Add', n, q - 1), q)];
}

/**
 * Weights far from any border: of `phases` neighbouring outputs, on inputs counted from the one that they stand on.
 * @param step inputs from one group of outputs to the next
 */
function interior(s: number, step: number, phases: number, antialias: boolean) {
  const groups = 9;
  const map = imresizeMap(groups * step, s, antialias);
  const middle = (groups - 1) / 2;
  const rows = Array.from({ length: phases }, (_, p) => {
    const j = middle * phases + p;
    const entries = Array.from({ length: map.start[j + 1] - map.start[j] }, (_, k): [number, number] => {
      return [map.index[map.start[j] + k] - middle * step, map.weight[map.start[j] + k]];
    });
    return new Map(entries);
  });
  const offsets = rows.flatMap((row) => [...row.keys()]);
  const [first, last] = [Math.min(...offsets), Math.max(...offsets)];
  const taps = rows.map((row) => Array.from({ length: last - first + 1 }, (_, k) => row.get(first + k) ?? 0));
  return { taps, first };
}

/** An axis with margins that mirror it, the edge repeated, as often as it takes: m = i mod 2n, then min(m, 2n - 1 - m). */
function mirrored(graph: Graph, x: string, axis: number, n: Extent, before: number, after: number): string {
  const twice = graph.calc('Mul', n, 2);
  const range = graph.op('Range', [graph.scalar(-before), graph.scalar(graph.calc('Add', n, after)), graph.scalar(1)]);
  const m = graph.op('Mod', [range, graph.vector([twice])]);
  const back = graph.op('Sub', [graph.vector([graph.calc('Sub', twice, 1)]), m]);
  return graph.op('Gather', [x, graph.op('Min', [m, back])], { axis });
}

export const resampling: Emitters = { interpolate, resize_tf1: resizeTf1, imresize };
