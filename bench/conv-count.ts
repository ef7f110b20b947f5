import { size as count, padded } from '../engine/tensor.ts';

/** training: forward, gradient to the input and gradient to the weights in one go, as a training step has them. */
export type Pass = 'forward' | 'dx' | 'dw' | 'training';
export const PASSES: readonly Pass[] = ['forward', 'dx', 'dw', 'training'];

/**
 * full: k x k x k. spatial: 1 x k x k, temporal: k x 1 x 1, each alone. unfused: both, one after the other, with the tensor
 * between them in memory. fused: the op separable_conv3d.
 */
export type Form = 'full' | 'spatial' | 'temporal' | 'unfused' | 'fused';

/** What is convolved: C channels to C, stride 1, size kept. */
export interface Setting {
  readonly channels: number;
  /** Frames, height, width. */
  readonly size: readonly [number, number, number];
  readonly k: number;
}

export type Part = 'full' | 'spatial' | 'temporal';
export const partsOf = (form: Form): Part[] =>
  form === 'unfused' || form === 'fused' ? ['spatial', 'temporal'] : [form];
export const taps = (part: Part, k: number): number[] =>
  part === 'full' ? [k, k, k] : part === 'spatial' ? [1, k, k] : [k, 1, 1];

/** Multiply-adds (all, and those inside the clip) and the fewest bytes, by arithmetic. */
export function work({ channels, size, k }: Setting, form: Form, pass: Pass) {
  const clip = padded(channels) * count(size);
  const filters = partsOf(form).map((part) => taps(part, k));
  const inside = filters.map((kernel) => kernel.reduce((n, t, axis) => n * tapsInside(size[axis], t), 1));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const passes = pass === 'training' ? 3 : 1;
  const ends = form === 'unfused' ? 4 : 2; // clips that are read or written
  return {
    macs: passes * count(size) * channels ** 2 * sum(filters.map(count)),
    macsInside: passes * count(size) * channels ** 2 * sum(inside),
    bytes: 4 * passes * (ends * clip + padded(channels) * channels * sum(filters.map(count))),
  };
}

/** How many of k taps, on average over n positions, do not fall into the padding. */
export function tapsInside(n: number, k: number): number {
  const reach = (k - 1) / 2;
  let inside = 0;
  for (let i = 0; i < n; i++) inside += Math.min(n - 1, i + reach) - Math.max(0, i - reach) + 1;
  return inside / n;
}

/**
 * Multiply-adds that a convolution alone takes by the kernels that ran: those inside the clip; or of Winograd's F(2x2, 3x3) one
 * for 2.25 in the plane, where it does not see the padding.
 */
export function multiplies({ channels, size, k }: Setting, form: Part, kernels: readonly string[]): number {
  const each = taps(form, k).map((t, axis) => tapsInside(size[axis], t));
  const plane = kernels.some((kernel) => kernel.includes('(winograd')) ? 9 / 2.25 : each[1] * each[2];
  return count(size) * channels ** 2 * each[0] * plane;
}
