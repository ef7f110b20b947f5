/** A learning rate over time. `rate` is asked before each step; schedules that watch the loss are told it. */
export interface Schedule {
  rate(step: number): number;
  observe?(loss: number): void;
  /** Plain numbers that a checkpoint keeps. */
  state?(): Record<string, number>;
  restore?(state: Record<string, number>): void;
}

export const constantRate = (lr: number): Schedule => ({ rate: () => lr });

/** Multiplied by `factor` at each of the given steps. */
export const stepRate = (lr: number, steps: readonly number[], factor: number): Schedule => ({
  rate: (step) => lr * factor ** steps.filter((s) => step >= s).length,
});

/**
 * Half a cosine from lr to `last` over `steps`, after a linear warm-up. Loshchilov, Hutter 2017, eq. 5.
 * @param period if given, it begins anew after every so many steps: warm restarts
 */
export const cosineRate = (lr: number, steps: number, last = 0, warmup = 0, period = 0): Schedule => ({
  rate(step) {
    if (step < warmup) return (lr * (step + 1)) / warmup;
    const length = period || Math.max(1, steps - warmup);
    const t = period ? ((step - warmup) % length) / length : Math.min(1, (step - warmup) / length);
    return last + 0.5 * (lr - last) * (1 + Math.cos(Math.PI * t));
  },
});

/** From lr to `last` within `steps`, and then no further: last + (lr - last)·(1 - t)^power. TensorFlow's polynomial_decay. */
export const polynomialRate = (lr: number, steps: number, last: number, power: number): Schedule => ({
  rate: (step) => last + (lr - last) * (1 - Math.min(1, step / steps)) ** power,
});

/** Multiplied by `factor` when the observed loss has not fallen for `patience` observations. */
export function plateauRate(lr: number, factor: number, patience: number): Schedule {
  let s = { lr, best: Number.MAX_VALUE, waited: 0 };
  return {
    rate: () => s.lr,
    observe(loss) {
      if (loss < s.best) s = { ...s, best: loss, waited: 0 };
      else if (++s.waited > patience) s = { lr: s.lr * factor, best: s.best, waited: 0 };
    },
    state: () => ({ ...s }),
    restore(state) {
      s = { lr: state.lr, best: state.best, waited: state.waited };
    },
  };
}
