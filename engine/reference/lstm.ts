import { type NDArray, type Reference, zeros } from './array.ts';

interface LstmAttrs {
  forget_bias?: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The gates of every cell, open as far as they are, the cell before, and where the four values and those of [c', h'] stand. */
type Visit = (
  cell: { i: number; j: number; f: number; o: number; c: number },
  at: number[],
  to: number[],
  k: number,
) => void;
function forEachCell({ gates, cell }: Record<string, NDArray>, { forget_bias = 1 }: LstmAttrs, visit: Visit): void {
  const [batch, all, ...spatial] = gates.shape;
  const plane = spatial.reduce((a, b) => a * b, 1);
  const each = (all / 4) * plane; // of a sample
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < each; p++) {
      const at = [0, 1, 2, 3].map((gate) => (4 * n + gate) * each + p);
      const to = [0, 1].map((part) => (2 * n + part) * each + p);
      const [i, j, f, o] = at.map((k) => gates.data[k]);
      const k = n * each + p;
      const open = { i: sigmoid(i), j: Math.tanh(j), f: sigmoid(f + forget_bias), o: sigmoid(o) };
      visit({ ...open, c: cell?.data[k] ?? 0 }, at, to, k);
    }
}

/** [c', h'] with c' = c·σ(f + bias) + σ(i)·tanh(j), h' = tanh(c')·σ(o), from gates [i, j, f, o]. */
export const lstmCell: Reference<LstmAttrs> = {
  forward(inputs, attrs) {
    const [n, all, ...spatial] = inputs.gates.shape;
    const y = zeros([n, all / 2, ...spatial]);
    forEachCell(inputs, attrs, ({ i, j, f, o, c }, _, [state, hidden]) => {
      y.data[state] = c * f + i * j;
      y.data[hidden] = Math.tanh(y.data[state]) * o;
    });
    return y;
  },
  backward(dy, inputs, attrs) {
    const dGates = zeros(inputs.gates.shape);
    const dCell = inputs.cell && zeros(inputs.cell.shape);
    forEachCell(inputs, attrs, ({ i, j, f, o, c }, at, [state, hidden], k) => {
      const held = Math.tanh(c * f + i * j);
      const dh = dy.data[hidden];
      const dc = dy.data[state] + dh * o * (1 - held ** 2);
      const slopes = [dc * j * i * (1 - i), dc * i * (1 - j ** 2), dc * c * f * (1 - f), dh * held * o * (1 - o)];
      for (const [gate, slope] of slopes.entries()) dGates.data[at[gate]] = slope;
      if (dCell) dCell.data[k] = dc * f;
    });
    return { gates: dGates, ...(dCell && { cell: dCell }) };
  },
};
