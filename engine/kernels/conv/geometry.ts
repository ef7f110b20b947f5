import type { Shape } from '../../tensor.ts';

/** One value per axis: depth, height, width. A 2D convolution has depth 1. */
export type Vec3 = readonly [number, number, number];

/** The filter's window, as in PyTorch. */
export interface Window {
  readonly kernel: Vec3;
  readonly stride: Vec3;
  readonly padding: Vec3;
  readonly dilation: Vec3;
  readonly groups: number;
}

/** One axis of a gather y[o·os + oo] = Σ_j w[k + j·kStep] · x[o·is + off + j·offStep], o < grid, j < taps, offStep > 0. */
export interface Axis {
  readonly grid: number;
  readonly is: number;
  readonly off: number;
  readonly offStep: number;
  readonly os: number;
  readonly oo: number;
  readonly taps: number;
  readonly k: number;
  readonly kStep: number;
}

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/** Depth, height, width of (N, C, H, W) or (N, C, D, H, W). */
export const volume = (shape: Shape): Vec3 =>
  shape.length === 4 ? [1, shape[2], shape[3]] : [shape[2], shape[3], shape[4]];

/** The window sliding along one axis: output o reads x at o·stride - padding + k·dilation. */
export const slidingAxis = (out: number, window: Window, i: number): Axis => ({
  grid: out,
  is: window.stride[i],
  off: -window.padding[i],
  offStep: window.dilation[i],
  os: 1,
  oo: 0,
  taps: window.kernel[i],
  k: 0,
  kStep: 1,
});

/**
 * The transposed window along one axis: output position q meets input (q + padding - k·dilation) / stride where that is
 * whole. Every residue of q modulo the stride is a plain gather over every (stride / gcd)-th tap, in reverse.
 */
export function spreadingAxes(out: number, window: Window, i: number): Axis[] {
  const [kernel, stride, padding, dilation] = [
    window.kernel[i],
    window.stride[i],
    window.padding[i],
    window.dilation[i],
  ];
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  const kStep = stride / gcd(stride, dilation);
  const offStep = (kStep * dilation) / stride;
  const axes: Axis[] = [];
  for (let phase = 0; phase < Math.min(stride, out); phase++) {
    let k = 0;
    while (k < kStep && (phase + padding - k * dilation) % stride !== 0) k++;
    const taps = k < kStep && k < kernel ? ceilDiv(kernel - k, kStep) : 0;
    const last = k + (taps - 1) * kStep;
    axes.push({
      grid: ceilDiv(out - phase, stride),
      is: 1,
      off: taps ? (phase + padding - last * dilation) / stride : 0,
      offStep,
      os: stride,
      oo: phase,
      taps,
      k: taps ? last : 0,
      kStep: -kStep,
    });
  }
  return axes;
}
