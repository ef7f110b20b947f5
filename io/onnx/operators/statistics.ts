import { UsageError } from '../../../engine/errors.ts';
import { type PerAxis, perAxis } from '../../../engine/ops/conv.ts';
import { float, type Graph } from '../graph.ts';
import type { Emission, Emitter, Emitters, Operand } from './emitter.ts';
import { leakyRelu } from './pointwise.ts';

/**
 * The windows of a pool. Runtimes do not agree on how many there are with ceil_mode and padding, so where sizes are known the
 * padding behind makes their number.
 * @param x what is pooled, and by how much it has been padded before
 */
function windows({ attrs, known }: Emission, x: Operand, done: readonly number[] = []) {
  const axes = x.shape.length - 2;
  const list = (value: PerAxis) => perAxis('attribute', value, axes, 0, 0).slice(3 - axes);
  const { kernel_size, stride = kernel_size, padding, ceil_mode } = attrs;
  const [kernel, steps] = [list(kernel_size), list(stride)];
  const before = list(padding).map((n, i) => n - (done[i] ?? 0));
  const sizes = kernel.map((_, i) => x.dim(2 + i));
  const behind = before.map((n, i) => {
    const [size, count] = [sizes[i], known[2 + i]];
    if (!ceil_mode || typeof size !== 'number' || count === undefined) return n;
    return Math.max((count - 1) * steps[i] + kernel[i] - (size + 2 * (done[i] ?? 0)) - n, done[i] ? 0 : n);
  });
  const isFree = sizes.some((size) => typeof size !== 'number');
  if (ceil_mode && isFree && list(padding).some((n) => n > 0)) {
    throw new UsageError('a pool with padding and ceil_mode has no ONNX form for free sizes: fix them');
  }
  return { kernel_shape: kernel, strides: steps, pads: [...before, ...behind], ceil_mode: Number(ceil_mode && isFree) };
}

const WINDOW = ['kernel_size', 'stride', 'padding', 'ceil_mode'];

const maxPool: Emitter = {
  inputs: ['input'],
  attrs: WINDOW,
  emit: (call) => call.graph.op('MaxPool', [call.input('input').name], { ...windows(call, call.input('input')) }),
};

/** Padding that counts is laid around before; what only fills the last window up never does. */
const avgPool: Emitter = {
  inputs: ['input'],
  attrs: [...WINDOW, 'count_include_pad'],
  emit(call) {
    const { graph, attrs } = call;
    const x = call.input('input');
    const padding = perAxis('attribute', attrs.padding, 2, 0, 0).slice(1);
    const counts = attrs.count_include_pad && padding.some((n) => n > 0);
    const pads = graph.ints([0, 0, ...padding, 0, 0, ...padding]);
    const wide = counts ? graph.op('Pad', [x.name, pads]) : x.name;
    return graph.op('AveragePool', [wide], { ...windows(call, x, counts ? padding : []), count_include_pad: 0 });
  },
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
  attrs: ['training', 'momentum', 'eps', 'unbiased', 'negative_slope'],
  emit({ graph, attrs, input, optional, shape }) {
    if (attrs.training) throw new UsageError('batch_norm: a network to export must be in evaluation mode');
    const y = graph.op(
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
    return leakyRelu(graph, y, attrs.negative_slope);
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
