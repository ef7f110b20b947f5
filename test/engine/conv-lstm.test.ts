import { expect, it } from 'vitest';
import { ConvLstm } from '../../engine/nn/conv-lstm.ts';
import { buildOn } from '../nets/against-pytorch.ts';
import { useEngine } from '../ops/walk.ts';

const engine = useEngine();

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

it('ConvLSTM: a cell of one number does what its formula says, step after step', async () => {
  const cell = new ConvLstm(buildOn(engine()), { in: 1, hidden: 1, kernel: [1, 1] });
  const weights = [0.5, -0.25, 0.75, 1, -1, 0.5, 0.125, 0.25]; // i, j, f, o, each of x and h
  const biases = [0.25, -0.5, 0, 0.125];
  engine().write(cell.gates.weight, weights);
  engine().write(cell.gates.bias!, biases);

  let [c, h] = [0, 0];
  const inputs = [0.5, -1, 2];
  for (const x of inputs) {
    const [i, j, f, o] = biases.map((bias, gate) => weights[2 * gate] * x + weights[2 * gate + 1] * h + bias);
    c = c * sigmoid(f + 1) + sigmoid(i) * Math.tanh(j);
    h = Math.tanh(c) * sigmoid(o);
  }
  {
    using _scope = engine().scope();
    const pictures = inputs.map((x) => engine().tensor([1, 1, 1, 1], [x]));
    expect(await cell.forward(...pictures).item()).toBeCloseTo(h, 6);
  }
  cell.dispose();
});
