import { add, mul } from '../ops/binary.ts';
import { concat } from '../ops/concat.ts';
import { pad } from '../ops/pad.ts';
import { slice } from '../ops/slice.ts';
import { sigmoid, tanh } from '../ops/unary.ts';
import type { Tensor } from '../tensor.ts';
import { truncatedNormal } from './init.ts';
import { Conv2d } from './layers.ts';
import { type Build, Module } from './module.ts';

/** What a cell remembers, both (N, hidden, H, W). */
export interface LstmState {
  readonly c: Tensor;
  readonly h: Tensor;
}

/**
 * A convolutional LSTM cell: Shi et al. 2015, "Convolutional LSTM network: a machine learning approach for precipitation
 * nowcasting", eq. 3 without peepholes, in the order of gates and with the forget bias of 1 of TensorFlow's cell:
 *   [i, j, f, o] = conv([x, h]),  c' = c·σ(f + 1) + σ(i)·tanh(j),  h' = tanh(c')·σ(o).
 */
export class ConvLstm extends Module {
  readonly gates: Conv2d;
  readonly #hidden: number;

  constructor(build: Build, options: { in: number; hidden: number; kernel: readonly number[] }) {
    super();
    const { hidden, kernel } = options;
    this.#hidden = hidden;
    this.gates = new Conv2d(build, {
      ...{ in: options.in + hidden, out: 4 * hidden, kernel },
      init: truncatedNormal(1e-3),
    });
  }

  /** The last h after pictures (N, C, H, W) one after the other, from a state of zeros. */
  forward(...pictures: Tensor[]): Tensor {
    using scope = pictures[0].engine.scope();
    const last = pictures.reduce<LstmState | undefined>((state, x) => this.step(x, state), undefined);
    return scope.keep(last!.h);
  }

  /** @param state zeros if not given */
  step(x: Tensor, state?: LstmState): LstmState {
    const { engine } = x;
    using scope = engine.scope();
    const seen = state ? concat(x, state.h, { axis: 1 }) : pad(x, { pad: [0, 0, 0, 0, 0, this.#hidden] });
    const gates = this.gates.forward(seen);
    scope.release(seen);
    const gate = (at: number) => slice(gates, { axis: 1, start: at * this.#hidden, end: (at + 1) * this.#hidden });
    const entering = mul(sigmoid(gate(0)), tanh(gate(1)));
    const c = state ? add(mul(state.c, sigmoid(add(gate(2), engine.one))), entering) : entering;
    const h = mul(tanh(c), sigmoid(gate(3)));
    return { c: scope.keep(c), h: scope.keep(h) };
  }
}
