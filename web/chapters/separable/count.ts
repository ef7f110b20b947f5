/** A convolution with "same" zero padding, stride 1, of as many channels in as out. */
export interface Size {
  /** Taps along each axis, odd. */
  readonly k: number;
  readonly channels: number;
  readonly frames: number;
  /** Height and width. */
  readonly edge: number;
}

export interface Count {
  /** Multiply-adds as the formula counts them, and those whose tap does not lie in the zero padding. */
  readonly macs: number;
  readonly useful: number;
  readonly parameters: number;
}

/** Taps of a window of k that lie inside, summed over n places. */
function inside(n: number, k: number): number {
  const r = (k - 1) / 2;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.min(i + r, n - 1) - Math.max(i - r, 0) + 1;
  return sum;
}

const positions = ({ frames, edge }: Size): number => frames * edge * edge;

/** k x k x k: k³·C² multiply-adds for each position. */
export function countFull(size: Size): Count {
  const { k, channels: c, frames, edge } = size;
  return {
    macs: k ** 3 * c ** 2 * positions(size),
    useful: c ** 2 * inside(frames, k) * inside(edge, k) ** 2,
    parameters: k ** 3 * c ** 2 + c,
  };
}

/** 1 x k x k, then k x 1 x 1: (k² + k)·C² for each position. */
export function countSeparable(size: Size): Count {
  const { k, channels: c, frames, edge } = size;
  return {
    macs: (k ** 2 + k) * c ** 2 * positions(size),
    useful: c ** 2 * (frames * inside(edge, k) ** 2 + inside(frames, k) * edge * edge),
    parameters: (k ** 2 + k) * c ** 2 + 2 * c,
  };
}

/** How many times less arithmetic the separable pair needs: k³ / (k² + k) = k² / (k + 1). */
export const promise = (k: number): number => k ** 2 / (k + 1);

/** The same for k = 3 where Winograd makes an output of a 3x3 window from 4 products: 3·4 against 4 + 3. */
export const WINOGRAD_PROMISE = 12 / 7;

/** What lies between the two convolutions, written once and read once: its bytes of f32. */
export const betweenBytes = (size: Size): number => 4 * size.channels * positions(size);
