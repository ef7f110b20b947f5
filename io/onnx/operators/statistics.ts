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
  const { kernel_size, stride = kernel_size, padding, dilation = 1, ceil_mode } = attrs;
  const [kernel, steps, dilations] = [list(kernel_size), list(stride), list(dilation)];
  const before = list(padding).map((n, i) => n - (done[i] ?? 0));
  const sizes = kernel.map((_, i) => x.dim(2 + i));
  const behind = before.map((n, i) => {
    const [size, count] = [sizes[i], known[2 + i]];
    if (!ceil_mode || typeof size !== 'number' || count === undefined) return n;
    const extent = dilations[i] * (kernel[i] - 1) + 1;
    return Math.max((count - 1) * steps[i] + extent - (size + 2 * (done[i] ?? 0)) - n, done[i] ? 0 : n);
  });
  const isFree = sizes.some((size) => typeof size !== 'number');
  if (ceil_mode && isFree && list(padding).some((n) => n > 0)) {
    throw new UsageError('a pool with padding and ceil_mode has no ONNX form for free sizes: fix them');
  }
  return {
    ...{ kernel_shape: kernel, strides: steps, pads: [...before, ...behind], ceil_mode: Number(ceil_mode && isFree) },
    ...(dilations.some((d) => d > 1) && { dilations }),
  };
}

const WINDOW = ['kernel_size', 'stride', 'padding', 'ceil_mode'];

const LOWEST = -3.4e38;

/** Runtimes refuse a padding that reaches the kernel's size, dilated or not: it is laid around before. */
const maxPool: Emitter = {
  inputs: ['input'],
  attrs: [...WINDOW, 'dilation'],
  emit(call) {
    const { graph } = call;
    const x = call.input('input');
    const { pads, ...window } = windows(call, x);
    if (!window.dilations) return graph.op('MaxPool', [x.name], { ...window, pads });
    const middle = pads.length / 2;
    const [before, behind] = [pads.slice(0, middle), pads.slice(middle)];
    const wide = graph.op('Pad', [x.name, graph.ints([0, 0, ...before, 0, 0, ...behind]), graph.number(LOWEST)]);
    return graph.op('MaxPool', [wide], window);
  },
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
  attrs: ['dim'],
  emit: ({ graph, attrs, input }) => graph.op('Softmax', [input('input').name], { axis: attrs.dim }),
};

/** A vector of the channels, or the same number for all of them. */
const perChannel = (graph: Graph, x: Operand | undefined, channels: number, value: number): string =>
  x?.name ?? graph.floats(`all_${value}`, [channels], new Float32Array(channels).fill(value));

const affine = ({ graph, optional, shape }: Emission): string[] => [
  perChannel(graph, optional('weight'), shape[1], 1),
  perChannel(graph, optional('bias'), shape[1], 0),
];

/** A normalisation by statistics that are given. */
function byRunning(call: Emission): string {
  const { graph, attrs, input } = call;
  const running = [input('running_mean').name, input('running_var').name];
  const x = input('input').name;
  return graph.op('BatchNormalization', [x, ...affine(call), ...running], { epsilon: float(attrs.eps) });
}

const batchNorm: Emitter = {
  inputs: ['input', 'weight', 'bias', 'running_mean', 'running_var'],
  attrs: ['training', 'momentum', 'eps', 'unbiased', 'negative_slope'],
  emit(call) {
    const { graph, attrs } = call;
    if (attrs.training) throw new UsageError('batch_norm: a network to export must be in evaluation mode');
    return leakyRelu(graph, byRunning(call), attrs.negative_slope);
  },
};

const instanceNorm: Emitter = {
  inputs: ['input', 'weight', 'bias', 'running_mean', 'running_var'],
  attrs: ['use_input_stats', 'momentum', 'eps'],
  emit(call) {
    const { graph, attrs, input } = call;
    if (!attrs.use_input_stats) return byRunning(call);
    return graph.op('InstanceNormalization', [input('input').name, ...affine(call)], { epsilon: float(attrs.eps) });
  },
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
