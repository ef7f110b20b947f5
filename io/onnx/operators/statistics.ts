import { UsageError } from '../../../engine/errors.ts';
import { type PerAxis, perAxis } from '../../../engine/ops/conv.ts';
import { float, type Graph } from '../graph.ts';
import type { Emission, Emitter, Emitters, Operand } from './emitter.ts';

function windows({ kernel_size, stride = kernel_size, padding, ceil_mode }: Emission['attrs'], axes: number) {
  const list = (value: PerAxis) => perAxis('attribute', value, axes, 0, 0).slice(3 - axes);
  const pads = list(padding);
  return {
    kernel_shape: list(kernel_size),
    strides: list(stride),
    pads: [...pads, ...pads],
    ceil_mode: Number(ceil_mode),
  };
}

const WINDOW = ['kernel_size', 'stride', 'padding', 'ceil_mode'];

const maxPool: Emitter = {
  inputs: ['input'],
  attrs: WINDOW,
  emit: ({ graph, attrs, input, shape }) =>
    graph.op('MaxPool', [input('input').name], windows(attrs, shape.length - 2)),
};

const avgPool: Emitter = {
  inputs: ['input'],
  attrs: [...WINDOW, 'count_include_pad'],
  emit: ({ graph, attrs, input, shape }) =>
    graph.op('AveragePool', [input('input').name], {
      ...windows(attrs, shape.length - 2),
      count_include_pad: Number(attrs.count_include_pad),
    }),
};

const globalPool: Emitter = {
  inputs: ['input'],
  attrs: [],
  emit: ({ graph, input }) => graph.op('GlobalAveragePool', [input('input').name]),
};

const softmax: Emitter = {
  inputs: ['input'],
  attrs: ['axis'],
  emit: ({ graph, attrs, input }) => graph.op('Softmax', [input('input').name], { axis: attrs.axis }),
};

/** A vector of the channels, or the same number for all of them. */
const perChannel = (graph: Graph, x: Operand | undefined, channels: number, value: number): string =>
  x?.name ?? graph.floats(`all_${value}`, [channels], new Float32Array(channels).fill(value));

const batchNorm: Emitter = {
  inputs: ['input', 'weight', 'bias', 'running_mean', 'running_var'],
  attrs: ['training', 'momentum', 'eps', 'unbiased'],
  emit({ graph, attrs, input, optional, shape }) {
    if (attrs.training) throw new UsageError('batch_norm: a network to export must be in evaluation mode');
    return graph.op(
      'BatchNormalization',
      [
        input('input').name,
        perChannel(graph, optional('weight'), shape[1], 1),
        perChannel(graph, optional('bias'), shape[1], 0),
        input('running_mean').name,
        input('running_var').name,
      ],
      { epsilon: float(attrs.eps) },
    );
  },
};

const instanceNorm: Emitter = {
  inputs: ['input', 'weight', 'bias'],
  attrs: ['eps'],
  emit: ({ graph, attrs, input, optional, shape }) =>
    graph.op(
      'InstanceNormalization',
      [
        input('input').name,
        perChannel(graph, optional('weight'), shape[1], 1),
        perChannel(graph, optional('bias'), shape[1], 0),
      ],
      { epsilon: float(attrs.eps) },
    ),
};

const reduction = (type: string): Emitter => ({
  inputs: ['input'],
  attrs: ['axes'],
  emit({ graph, attrs: { axes }, input }) {
    const x = input('input');
    const gone = axes === undefined ? x.shape.map((_, axis) => axis) : [axes].flat();
    return graph.op(type, [x.name, graph.ints(gone)], { keepdims: 0 });
  },
});

export const statistics: Emitters = {
  max_pool2d: maxPool,
  max_pool3d: maxPool,
  avg_pool2d: avgPool,
  global_avg_pool: globalPool,
  softmax,
  batch_norm: batchNorm,
  instance_norm: instanceNorm,
  sum: reduction('ReduceSum'),
  mean: reduction('ReduceMean'),
  log_sum_exp: reduction('ReduceLogSumExp'),
};
