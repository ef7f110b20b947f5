import type { Reference } from './array.ts';
import { map } from './loops.ts';

/** L = mean f(d) over all elements, d = input - target, and f'(d). */
function loss<A>(f: (d: number, attrs: A) => number, slope: (d: number, attrs: A) => number): Reference<A> {
  return {
    forward({ input, target }, attrs) {
      const total = input.data.reduce((sum, x, i) => sum + f(x - target.data[i], attrs), 0);
      return { shape: [], data: Float64Array.of(total / input.data.length) };
    },
    backward(dy, { input, target }, attrs) {
      const dx = map(input, (x, i) => (dy.data[0] * slope(x - target.data[i], attrs)) / input.data.length);
      return { input: dx, target: map(dx, (g) => -g) };
    },
  };
}

/** mean |d|; slope 0 at 0. */
export const l1Loss = loss(Math.abs, Math.sign);

/** mean d². */
export const mseLoss = loss(
  (d) => d * d,
  (d) => 2 * d,
);

/** mean √(d² + ε²): Charbonnier et al. 1994; ε = 10⁻³ as in LapSRN and FSTRN. */
export const charbonnierLoss = loss<{ eps?: number }>(
  (d, { eps = 1e-3 }) => Math.sqrt(d * d + eps * eps),
  (d, { eps = 1e-3 }) => d / Math.sqrt(d * d + eps * eps),
);

/** mean of d²/2 where |d| <= δ, else δ·(|d| - δ/2): Huber 1964, eq. 2.7. */
export const huberLoss = loss<{ delta?: number }>(
  (d, { delta = 1 }) => (Math.abs(d) <= delta ? 0.5 * d * d : delta * (Math.abs(d) - 0.5 * delta)),
  (d, { delta = 1 }) => Math.max(-delta, Math.min(delta, d)),
);
