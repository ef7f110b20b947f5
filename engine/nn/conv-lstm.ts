import { concat } from '../ops/concat.ts';
import { lstm_cell } from '../ops/lstm_cell.ts';
import { pad } from '../ops/pad.ts';
import { slice } from '../ops/slice.ts';
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
 * nowcasting", eq. 3 without peepholes: [c', h'] = lstm_cell(conv([x, h]), c).
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
    const next = lstm_cell(gates, state?.c);
    scope.release(gates);
    const part = (at: number) => slice(next, { axis: 1, start: at * this.#hidden, end: (at + 1) * this.#hidden });
    return { c: scope.keep(part(0)), h: scope.keep(part(1)) };
  }
}
