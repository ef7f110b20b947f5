import { aligned } from '../../../engine/kernels/broadcast.ts';
import { float, type Graph } from '../graph.ts';
import type { Emitter, Emitters, Operand } from './emitter.ts';

/** ONNX aligns slopes on the right: (C) becomes (C, 1, ...). */
export function prelu(graph: Graph, x: string, slope: Operand, rank: number): string {
  const [slopes] = slope.shape;
  return graph.op('PRelu', [x, slope.as(slopes === 1 ? [1] : [slopes, ...Array<number>(rank - 2).fill(1)])]);
}

/** x where x > 0, else slope·x; x itself for slope 1. */
export function leakyRelu(graph: Graph, x: string, slope: number): string {
  if (slope === 1) return x;
  return slope === 0 ? graph.op('Relu', [x]) : graph.op('LeakyRelu', [x], { alpha: float(slope) });
}

const unary = (type: string): Emitter => ({
  inputs: ['input'],
  attrs: [],
  emit: ({ graph, input }) => graph.op(type, [input('input').name]),
});

/** An operand at the result's rank: (C) stands on the channel axis. */
function placed(x: Operand, rank: number): string {
  const onChannels = x.shape.length === 1 && x.shape[0] > 1 && rank > 1;
  return onChannels ? x.as(aligned(x.shape, rank)) : x.name;
}

const binary = (type: string): Emitter => ({
  inputs: ['a', 'b'],
  attrs: ['alpha'],
  emit({ graph, attrs: { alpha = 1 }, input, shape }) {
    const [a, b] = [input('a'), input('b')].map((x) => placed(x, shape.length));
    return graph.op(type, [a, alpha === 1 ? b : graph.op('Mul', [b, graph.number(alpha)])]);
  },
});

const activation: Emitter = {
  inputs: ['input'],
  attrs: ['negative_slope'],
  emit: ({ graph, attrs, input }) => leakyRelu(graph, input('input').name, attrs.negative_slope),
};

const slopes: Emitter = {
  inputs: ['input', 'weight'],
  attrs: [],
  emit: ({ graph, input }) => prelu(graph, input('input').name, input('weight'), input('input').shape.length),
};

const clamp: Emitter = {
  inputs: ['input'],
  attrs: ['min', 'max'],
  emit({ graph, attrs: { min, max }, input }) {
    const bounds = [min, max].map((bound) => (bound === undefined ? undefined : graph.number(bound)));
    return graph.op('Clip', [input('input').name, ...bounds]);
  },
};

/** Gates [i, j, f, o] in the channels, as the op has them. */
const lstmCell: Emitter = {
  inputs: ['gates', 'cell'],
  attrs: ['forget_bias'],
  emit({ graph, attrs, input, optional }) {
    const gates = input('gates');
    const cell = optional('cell');
    const channels = gates.shape[1] / 4;
    const gate = (i: number) => graph.slice(gates.name, 1, i * channels, (i + 1) * channels);
    const sigmoid = (x: string) => graph.op('Sigmoid', [x]);
    const entering = graph.op('Mul', [sigmoid(gate(0)), graph.op('Tanh', [gate(1)])]);
    const kept = () => sigmoid(graph.op('Add', [gate(2), graph.number(attrs.forget_bias)]));
    const c = cell ? graph.op('Add', [graph.op('Mul', [cell.name, kept()]), entering]) : entering;
    const h = graph.op('Mul', [graph.op('Tanh', [c]), sigmoid(gate(3))]);
    return graph.op('Concat', [c, h], { axis: 1 });
  },
};

export const pointwise: Emitters = {
  relu: unary('Relu'),
  sigmoid: unary('Sigmoid'),
  tanh: unary('Tanh'),
  abs: unary('Abs'),
  sqrt: unary('Sqrt'),
  exp: unary('Exp'),
  log: unary('Log'),
  leaky_relu: activation,
  prelu: slopes,
  clamp,
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Mul'),
  div: binary('Div'),
  lstm_cell: lstmCell,
};
