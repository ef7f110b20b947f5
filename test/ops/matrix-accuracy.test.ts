import { describe, expect, it } from 'vitest';
import wgsl from '../../shaders/conv.matrix.wgsl';
import { uniform } from '../op-case.ts';

// How accurate the matrix kernels are on a tensor core, which this machine need not have: their arithmetic in JavaScript, number
// by number. A product of depth 16 is taken to add as NVIDIA's cores were measured to (Fasi et al. 2021, "Numerical behavior of
// NVIDIA tensor cores"): exact products, all addends cut off, not rounded, one bit below the last of the largest, and so the sum.

const FLUSH = Number(/^const FLUSH = (\d+)u/m.exec(wgsl)?.[1]);

/** The f16 nearest to a number that f16 can hold. */
function toF16(x: number): number {
  const exponent = x === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(Math.abs(x))));
  const unit = 2 ** (exponent - 10);
  const whole = Math.floor(x / unit);
  const rest = x / unit - whole;
  return (whole + (rest > 0.5 || (rest === 0.5 && whole % 2 !== 0) ? 1 : 0)) * unit;
}

/** sum + Σ products on a tensor core. */
function coreAdd(sum: number, products: readonly number[]): number {
  const addends = [sum, ...products];
  const largest = addends.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (largest === 0) return 0;
  const cut = (v: number, bits: number) => {
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(v))) - bits);
    return v === 0 ? 0 : Math.trunc(v / unit) * unit;
  };
  const unit = 2 ** (Math.floor(Math.log2(largest)) - 24);
  return cut(
    addends.reduce((total, v) => total + Math.trunc(v / unit) * unit, 0),
    23,
  );
}

/** Σ a·b as the kernels compute it. */
function matrixDot(a: readonly number[], b: readonly number[], split: boolean): number {
  const scaleOf = (values: readonly number[]) =>
    2 ** (14 - Math.floor(Math.log2(values.reduce((most, v) => Math.max(most, Math.abs(v)), 0))));
  const [sa, sb] = [scaleOf(a), scaleOf(b)];
  let [main, correction, sum] = [0, 0, 0];
  for (let first = 0, products = 1; first < a.length; first += 16, products++) {
    const parts = [a.slice(first, first + 16).map((v) => v * sa), b.slice(first, first + 16).map((v) => v * sb)];
    const high = parts.map((part) => part.map((v) => (split && Math.abs(v) < 2 ** -14 ? 0 : toF16(v))));
    const low = parts.map((part, i) => part.map((v, j) => toF16((v - high[i][j]) * 2048)));
    const times = (x: readonly number[], y: readonly number[]) => x.map((v, i) => v * y[i]);
    main = coreAdd(main, times(high[0], high[1]));
    if (!split) continue;
    correction = coreAdd(correction, times(low[0], high[1]));
    correction = coreAdd(correction, times(high[0], low[1]));
    if (products % FLUSH === 0) {
      sum = Math.fround(sum + main);
      main = 0;
    }
  }
  return Math.fround(Math.fround(sum + main) + correction / 2048) / sa / sb;
}

const plainDot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => Math.fround(sum + v * b[i]), 0);

type Values = (u: number, v: number) => number;
const distributions: Record<string, Values> = {
  'both signs': (u) => 2 * u - 1,
  positive: (u) => u,
  '2^20 between large and small': (u, v) => (2 * u - 1) * 2 ** (-20 * v),
};

/** The largest error over some sums of so many terms, in units of 2⁻²⁴·Σ|terms|. */
function worst(values: Values, terms: number, dot: (a: number[], b: number[]) => number): number {
  let most = 0;
  for (let trial = 0; trial < 60; trial++) {
    const draw = (seed: number) =>
      Array.from({ length: terms }, (_, i) =>
        Math.fround(values(uniform(seed + 4 * trial, i), uniform(seed + 4 * trial + 1, i))),
      );
    const [a, b] = [draw(1), draw(3)];
    const exact = a.reduce((sum, v, i) => sum + v * b[i], 0);
    const size = a.reduce((sum, v, i) => sum + Math.abs(v * b[i]), 0);
    most = Math.max(most, Math.abs(dot(a, b) - exact) / (size * 2 ** -24));
  }
  return most;
}

describe.each(Object.entries(distributions))('sums on tensor cores, %s', (_, values) => {
  it.each([16, 576, 1728])('of %i terms: as accurate as sums in f32', (terms) => {
    const split = worst(values, terms, (a, b) => matrixDot(a, b, true));
    const rounded = worst(values, terms, (a, b) => matrixDot(a, b, false));
    const plain = worst(values, terms, plainDot);
    expect(split).toBeLessThan(Math.max(8, 1.25 * plain)); // where all terms have one sign, f32 itself leaves 8
    expect(rounded).toBeGreaterThan(64); // which is why it runs only where PRECISION=f16 asks for it
    expect(rounded).toBeLessThan(2 ** 14);
  });
});
