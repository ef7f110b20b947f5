import wgsl from '../../shaders/lstm_cell.wgsl';
import { ShapeError, shapeText } from '../errors.ts';
import { type Constants, Kernel } from '../kernel.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { padded, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('lstm_cell', wgsl);

/** How gates (N, 4·C, ...) lie: by fours where that is possible. */
function plan(gates: Shape, forget: number, given: boolean): { constants: Constants; threads: number } {
  const channels = gates[1] / 4;
  const lanes = channels % 4 === 0 ? 4 : 1;
  const constants = {
    V: lanes === 4 ? ('vec4f' as const) : ('f32' as const),
    C: channels / lanes,
    CELL: padded(channels) / lanes,
    OUT: padded(2 * channels) / lanes,
    FORGET: forget,
    GIVEN: given,
  };
  return { constants, threads: size(gates) / 4 / lanes };
}

/**
 * The cell of a long short-term memory without peepholes, all behind the convolution or matrix that makes its gates:
 *   [i, j, f, o] = gates,  c' = cell·σ(f + forget_bias) + σ(i)·tanh(j),  h' = tanh(c')·σ(o).
 * Hochreiter, Schmidhuber 1997; Shi et al. 2015, "Convolutional LSTM network", eq. 3; the order of gates and the bias of 1 are
 * those of TensorFlow.
 * @param gates (N, 4·C, ...), two to five axes @param cell (N, C, ...), zeros if missing
 * @returns [c', h'], (N, 2·C, ...), which lie one behind the other in the channels
 * @throws {ShapeError} when the gates' channels are no multiple of four, or the cell does not fit
 */
export const lstm_cell = defineOp({
  name: 'lstm_cell',
  inputs: ['gates', 'cell?'],
  filters: [],
  attrs: { forget_bias: 1 },
  shape({ gates, cell }) {
    expectRank('lstm_cell gates', gates, 2, 3, 4, 5);
    const [n, channels, ...spatial] = gates;
    if (channels % 4 !== 0) {
      throw new ShapeError(`lstm_cell gates: expected four times the cell's channels, got shape ${shapeText(gates)}`);
    }
    if (cell) expectShape('lstm_cell cell', cell, [n, channels / 4, ...spatial]);
    return [n, channels / 2, ...spatial];
  },
  forward({ gates, cell }, { attrs, shape, run }) {
    const bind = { gates, cell: cell ?? gates };
    const how = plan(gates.shape, attrs.forget_bias, cell !== undefined);
    return run(kernel, 'step', { ...how, bind, out: shape, flops: 5 * size(gates.shape), label: 'lstm_cell' });
  },
  saves: ['gates', 'cell'],
  backward(dy, { gates, cell }, { attrs, run }) {
    const bind = { gates, cell: cell ?? gates, dy };
    const how = plan(gates.shape, attrs.forget_bias, cell !== undefined);
    const flops = 8 * size(gates.shape);
    const gradient = (of: 'gates' | 'cell', out: Shape) =>
      run(kernel, `${of}_gradient`, { ...how, bind, out, flops, label: `lstm_cell.d_${of}` });
    return { gates: () => gradient('gates', gates.shape), cell: () => gradient('cell', cell!.shape) };
  },
  flops: ({ gates }) => 5 * size(gates),
});
