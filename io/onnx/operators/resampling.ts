import { type AxisMap, imresizeMap } from '../../../engine/axis-map.ts';
import { UsageError } from '../../../engine/errors.ts';
import { factors } from '../../../engine/kernels/axis.ts';
import { type Extent, float, type Graph } from '../graph.ts';
import type { Emitter, Emitters } from './emitter.ts';

/** float32 numbers that scale sizes and coordinates, one for each axis. */
const scales = (graph: Graph, list: readonly number[]): string =>
  graph.floats(`scales_${list.map((s) => Number(s.toPrecision(4))).join('_')}`, [list.length], Float32Array.from(list));

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
 * MATLAB's imresize, whose border rule (a mirror that repeats the edge) no operator of ONNX has. Where the size is known, the
 * two maps are matrices. Where it is free and the factor or its inverse is whole, all positions have the same weights: a
 * mirrored margin, and a convolution or its transpose.
 */
const imresize: Emitter = {
  inputs: ['input'],
  attrs: ['scale', 'antialias'],
  emit({ graph, attrs, input }) {
    const x = input('input');
    const dims = x.dims();
    const [sh, sw] = factors('imresize scale', attrs.scale, 2);
    const [h, w] = dims.slice(-2);
    if (typeof h === 'number' && typeof w === 'number') {
      const rows = matrix(graph, imresizeMap(h, sh, attrs.antialias), false);
      const columns = matrix(graph, imresizeMap(w, sw, attrs.antialias), true);
      return graph.op('MatMul', [graph.op('MatMul', [rows, x.name]), columns]);
    }
    const apart = planes(graph, x.name, dims);
    const [tall, height] = stretched(graph, apart.name, 2, h, sh, attrs.antialias);
    const [wide, width] = stretched(graph, tall, 3, w, sw, attrs.antialias);
    return apart.join(wide, [height, width]);
  },
};

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

/** One axis of (M, 1, H, W), any size of it, by a whole factor or the inverse of one. @returns the result and its size */
function stretched(graph: Graph, x: string, axis: 2 | 3, n: Extent, s: number, antialias: boolean): [string, Extent] {
  if (s === 1) return [x, n];
  const [up, down] = [Math.round(s), Math.round(1 / s)];
  const along = <T>(value: T, other: T): T[] => (axis === 2 ? [value, other] : [other, value]);
  const tag = `imresize_${up >= 1 ? up : `1_${down}`}${antialias ? '' : '_plain'}_${axis}`;
  if (Math.abs(s - up) < 1e-12) {
    const { taps, first } = interior(up, 1, up, antialias);
    const margin = Math.max(-first, taps[0].length + first - 1);
    // Output up·i + p gets taps[p][k] of input i + first + k: input i gives to outputs up·(i - first - k) + p.
    const length = taps[0].length * up;
    const kernel = Float32Array.from({ length }, (_, q) => taps[q % up][taps[0].length - 1 - Math.floor(q / up)]);
    const weight = graph.floats(tag, [1, 1, ...along(length, 1)], kernel);
    const large = graph.op('ConvTranspose', [mirrored(graph, x, axis, n, margin, margin), weight], {
      strides: along(up, 1),
    });
    const begin = (margin + taps[0].length - 1 + first) * up;
    const out = graph.calc('Mul', n, up);
    return [graph.slice(large, axis, begin, graph.calc('Add', out, begin)), out];
  }
  if (Math.abs(1 / s - down) < 1e-9) {
    const { taps, first } = interior(1 / down, down, 1, antialias);
    const weight = graph.floats(tag, [1, 1, ...along(taps[0].length, 1)], Float32Array.from(taps[0]));
    const margins = [-first, taps[0].length + first - 1];
    const small = graph.op('Conv', [mirrored(graph, x, axis, n, margins[0], margins[1]), weight], {
      strides: along(down, 1),
    });
    return [small, graph.calc('Div', graph.calc('Add', n, down - 1), down)];
  }
  throw new UsageError(`imresize by ${s} has no ONNX form for free sizes: fix them`);
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
