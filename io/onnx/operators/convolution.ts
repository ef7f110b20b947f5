import { type PerAxis, perAxis } from '../../../engine/ops/conv.ts';
import { float, type Graph } from '../graph.ts';
import type { Emission, Emitter, Emitters, Operand } from './emitter.ts';
import { leakyRelu, prelu } from './pointwise.ts';
import { pixelShuffle } from './shuffle.ts';

/** What an attribute, which its op has checked, says of each axis. */
const list = (value: PerAxis, axes: number): number[] =>
  perAxis('attribute', value, axes, Number.NEGATIVE_INFINITY, 0).slice(3 - axes);

/** Begin of all axes, then end. */
const both = (padding: readonly number[]): number[] => [...padding, ...padding];

function conv(graph: Graph, x: string, weight: Operand, bias: Operand | undefined, attrs: Emission['attrs']): string {
  const axes = weight.shape.length - 2;
  return graph.op('Conv', [x, weight.name, bias?.name], {
    kernel_shape: weight.shape.slice(2),
    strides: list(attrs.stride, axes),
    pads: both(list(attrs.padding, axes)),
    dilations: list(attrs.dilation, axes),
    group: attrs.groups,
  });
}

const plain: Emitter = {
  inputs: ['input', 'weight', 'bias'],
  attrs: ['stride', 'padding', 'dilation', 'groups'],
  emit: ({ graph, attrs, input, optional }) =>
    conv(graph, input('input').name, input('weight'), optional('bias'), attrs),
};

const transposed: Emitter = {
  inputs: ['input', 'weight', 'bias'],
  attrs: ['stride', 'padding', 'output_padding', 'dilation', 'groups'],
  emit({ graph, attrs, input, optional }) {
    const weight = input('weight');
    const axes = weight.shape.length - 2;
    // Runtimes refuse an output padding that reaches the stride; less padding at the end is the same.
    const padding = list(attrs.padding, axes);
    const more = list(attrs.output_padding, axes);
    return graph.op('ConvTranspose', [input('input').name, weight.name, optional('bias')?.name], {
      kernel_shape: weight.shape.slice(2),
      strides: list(attrs.stride, axes),
      pads: [...padding, ...padding.map((n, i) => Math.max(n - more[i], 0))],
      output_padding: padding.map((n, i) => Math.max(more[i] - n, 0)),
      dilations: list(attrs.dilation, axes),
      group: attrs.groups,
    });
  },
};

/** What stands around a convolution, one node after the other. */
const fused: Emitter = {
  inputs: ['input', 'weight', 'bias', 'slope', 'residual'],
  attrs: ['stride', 'padding', 'dilation', 'groups', 'negative_slope', 'shuffle'],
  emit({ graph, attrs, input, optional, known }) {
    const [x, slope, residual] = [input('input'), optional('slope'), optional('residual')];
    const activated = slope ? prelu(graph, x.name, slope, x.shape.length) : x.name;
    const deep = conv(graph, activated, input('weight'), optional('bias'), attrs);
    const wide = pixelShuffle(graph, deep, known, { factor: attrs.shuffle });
    const sum = residual ? graph.op('Add', [wide, residual.name]) : wide;
    return leakyRelu(graph, sum, attrs.negative_slope);
  },
};

const separable: Emitter = {
  inputs: ['input', 'weight_s', 'bias_s', 'weight_t', 'bias_t', 'slope', 'residual'],
  attrs: ['recompute'],
  emit({ graph, input, optional }) {
    const [x, slope, residual] = [input('input'), optional('slope'), optional('residual')];
    const [spatial, temporal] = [input('weight_s'), input('weight_t')];
    const same = (padding: readonly number[]) => ({ stride: 1, padding, dilation: 1, groups: 1 });
    const half = (temporal.shape[2] - 1) / 2;
    const activated = slope ? prelu(graph, x.name, slope, x.shape.length) : x.name;
    const middle = conv(graph, activated, spatial, optional('bias_s'), same([0, half, half]));
    const y = conv(graph, middle, temporal, optional('bias_t'), same([half, 0, 0]));
    return residual ? graph.op('Add', [y, residual.name]) : y;
  },
};

const linear: Emitter = {
  inputs: ['input', 'weight', 'bias'],
  attrs: [],
  emit({ graph, input, optional }) {
    const [x, weight, bias] = [input('input'), input('weight'), optional('bias')];
    if (x.shape.length === 2) {
      return graph.op('Gemm', [x.name, weight.name, bias?.name], { transB: 1, alpha: float(1), beta: float(1) });
    }
    const product = graph.op('MatMul', [x.name, graph.op('Transpose', [weight.name], { perm: [1, 0] })]);
    return bias ? graph.op('Add', [product, bias.name]) : product;
  },
};

export const convolutions: Emitters = {
  conv2d: plain,
  conv3d: plain,
  conv_transpose2d: transposed,
  conv_transpose3d: transposed,
  fused_conv2d: fused,
  fused_conv3d: fused,
  separable_conv3d: separable,
  linear,
};
