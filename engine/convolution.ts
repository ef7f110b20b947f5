import convDirect from '../shaders/conv.direct.wgsl';
import convRows from '../shaders/conv.rows.wgsl';
import convStrip from '../shaders/conv.strip.wgsl';
import convTiled from '../shaders/conv.tiled.wgsl';
import dwDirect from '../shaders/conv_dw.direct.wgsl';
import dwRows from '../shaders/conv_dw.rows.wgsl';
import dwTiled from '../shaders/conv_dw.tiled.wgsl';
import transposeWgsl from '../shaders/filter_transpose.wgsl';
import { type Engine, fold } from './engine.ts';
import { Kernel } from './kernel.ts';
import { knobs } from './knobs.ts';
import { sumMiddle } from './reduce.ts';
import { padded, type Shape, size, type Tensor } from './tensor.ts';

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
interface Axis {
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

const direct = new Kernel('conv.direct', convDirect);
const rows = new Kernel('conv.rows', convRows);
const strip = new Kernel('conv.strip', convStrip);
const tiled = new Kernel('conv.tiled', convTiled);
const weightDirect = new Kernel('conv_dw.direct', dwDirect);
const weightRows = new Kernel('conv_dw.rows', dwRows);
const weightTiled = new Kernel('conv_dw.tiled', dwTiled);
const transposeKernel = new Kernel('filter_transpose', transposeWgsl);

/** Workgroup memory that the fast kernels allow themselves: what every WebGPU device has. */
const TILE_BYTES = 16_384;
const STRIP = 8;
const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);

/** Depth, height, width of (N, C, H, W) or (N, C, D, H, W). */
export const volume = (shape: Shape): Vec3 =>
  shape.length === 4 ? [1, shape[2], shape[3]] : [shape[2], shape[3], shape[4]];

const slidingAxis = (out: number, window: Window, i: number): Axis => ({
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
function spreadingAxes(out: number, window: Window, i: number): Axis[] {
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

export interface Convolution {
  readonly x: Tensor;
  /** Filter in (taps, input channels of a group, output channels) order. */
  readonly w: Tensor;
  readonly bias?: Tensor;
  readonly out: Shape;
  readonly window: Window;
  /** Channels of a group. */
  readonly ci: number;
  readonly co: number;
  readonly label: string;
}

/** Slides the window over x: a convolution, or the input gradient of a transposed one. */
export function slide(engine: Engine, c: Convolution): Tensor {
  const out = engine.empty(c.out);
  gather(engine, c, out, volume(c.out).map((n, i) => slidingAxis(n, c.window, i)) as unknown as [Axis, Axis, Axis]);
  return out;
}

/** Spreads x through the window: a transposed convolution, or the input gradient of a plain one. One gather per phase. */
export function spread(engine: Engine, c: Convolution): Tensor {
  const out = engine.empty(c.out);
  const [ds, hs, ws] = volume(c.out).map((n, i) => spreadingAxes(n, c.window, i));
  for (const d of ds) for (const h of hs) for (const w of ws) gather(engine, c, out, [d, h, w]);
  return out;
}

function gather(engine: Engine, c: Convolution, out: Tensor, axes: readonly [Axis, Axis, Axis]): void {
  const { x, w, bias, window, ci, co } = c;
  const n = x.shape[0];
  const each = (key: keyof Axis): number[] => axes.map((a) => a[key]);
  const uniforms = {
    src: [...volume(x.shape), n],
    dst: volume(out.shape),
    grid: each('grid'),
    is: each('is'),
    off: each('off'),
    off_step: each('offStep'),
    os: each('os'),
    oo: each('oo'),
    taps: each('taps'),
    k: each('k'),
    k_step: each('kStep'),
    kernel: window.kernel,
  };
  const bind = { x, w, bias: bias ?? w, out };
  const [gd, gh, gw] = uniforms.grid;
  const flops = 2 * n * gd * gh * gw * size(uniforms.taps) * ci * co * window.groups;
  const BIAS = bias !== undefined;
  const [ci4, co4] = [padded(ci) / 4, padded(co) / 4];
  const width = axes[2];
  const positions = choosePositions(gw);
  const block = divisor(ci4, 16);
  const tile = (positions - 1) * width.is + Math.max(width.taps - 1, 0) * width.offStep + 1;

  const able: Record<string, boolean> = {
    strip: window.groups === 1 && co4 === 1 && width.is === 1 && width.offStep === 1 && width.taps > 0,
    rows: window.groups === 1 && tile * block * 16 <= TILE_BYTES,
    tiled: window.groups === 1,
    direct: true,
  };
  const variant = pick('conv', able);
  const run = { bind, uniforms, flops, label: `${c.label} (${variant})` };
  if (variant === 'strip') {
    const constants = { CI4: ci4, TAPS: width.taps, P: STRIP, BIAS };
    engine.run(strip, 'gather', { ...run, constants, threads: n * gd * gh * ceilDiv(gw, STRIP) });
  } else if (variant === 'rows') {
    const lanes = chooseLanes(co4);
    const constants = { CI4: ci4, CO4: co4, LANES: lanes, P: positions, BLOCK: block, TILE: tile, BIAS };
    engine.run(rows, 'gather', { ...run, constants, grid: [ceilDiv(gw, positions) * ceilDiv(co4, lanes), gh, n * gd] });
  } else if (variant === 'tiled') {
    const tx = co4 <= 2 ? 1 : co4 <= 4 ? 2 : co4 <= 8 ? 4 : 8;
    const ty = 128 / tx > 32 ? 32 : 128 / tx;
    const constants = { CI4: ci4, CO4: co4, TX: tx, TY: ty, BK4: Math.min(4, ci4 === 3 ? 4 : ci4), BIAS };
    const [gx, gy] = fold(n * gd * gh * gw, 8 * ty);
    engine.run(tiled, 'gather', { ...run, constants, grid: [gx, gy, ceilDiv(co4, 2 * tx)] });
  } else {
    const constants = { CI: ci, CO: co, GROUPS: window.groups, BIAS };
    engine.run(direct, 'gather', { ...run, constants, threads: (n * gd * gh * gw * padded(co * window.groups)) / 4 });
  }
}

/** The filter with its channel axes exchanged, group by group: what slid now spreads. `shape` is (last·groups, inner, taps...). */
export function transposeFilter(engine: Engine, w: Tensor, groups: number): Tensor {
  const [a, b, ...taps] = w.shape;
  const out = engine.empty([b * groups, a / groups, ...taps], 'filter');
  const constants = { A: a / groups, B: b, GROUPS: groups };
  engine.run(transposeKernel, 'exchange', { bind: { w, out }, constants, threads: out.bytes / 16 });
  return out;
}

/**
 * Gradient of the filter, in its own layout: Σ over positions o of dense[o][a] · x[o·stride - padding + k·dilation][b].
 * @param x what the window slides over @param dense what each window position meets @param shape (a·groups, b, taps...)
 */
export function weightGradient(
  engine: Engine,
  x: Tensor,
  dense: Tensor,
  shape: Shape,
  window: Window,
  label: string,
): Tensor {
  const n = x.shape[0];
  const [gd, gh, gw] = volume(dense.shape);
  const [a, b] = [shape[0] / window.groups, shape[1]];
  const taps = size(window.kernel);
  const out = engine.empty(shape, 'filter');
  const chunks = chooseChunks(n * gd * gh, gw, out.bytes);
  const part = chunks === 1 ? out : engine.raw(out.bytes * chunks);
  const uniforms = {
    src: [...volume(x.shape), n],
    grid: [gd, gh, gw],
    is: window.stride,
    off: window.padding.map((p) => -p),
    off_step: window.dilation,
    kernel: window.kernel,
  };
  const kw = window.kernel[2];
  const [b4, a4] = [padded(b) / 4, padded(a) / 4];
  const positions = gw <= 8 ? 8 : gw <= 16 ? 16 : 24;
  const inner = divisor(b4, Math.max(1, Math.floor(8 / kw)));
  const tile = (positions - 1) * window.stride[2] + (kw - 1) * window.dilation[2] + 1;
  const variant = pick('conv_dw', {
    rows: window.groups === 1 && kw <= 9 && tile * inner * 16 <= TILE_BYTES,
    tiled: window.groups === 1,
    direct: true,
  });
  const run = {
    bind: { x, dense, part },
    uniforms,
    flops: 2 * n * gd * gh * gw * taps * a * b * window.groups,
    label: `${label} (${variant})`,
  };
  if (variant === 'rows') {
    const lanes = chooseLanes(a4);
    engine.run(weightRows, 'weight_gradient', {
      ...run,
      constants: { XC4: b4, A4: a4, LANES: lanes, B4: inner, TAPS: kw, P: positions, TILE: tile, CHUNKS: chunks },
      grid: [window.kernel[0] * window.kernel[1], (b4 / inner) * ceilDiv(a4, lanes), chunks],
    });
  } else if (variant === 'tiled') {
    const constants = { XC4: b4, A4: a4, CHUNKS: chunks };
    engine.run(weightTiled, 'weight_gradient', {
      ...run,
      constants,
      grid: [taps, ceilDiv(b4, 16) * ceilDiv(a4, 16), chunks],
    });
  } else {
    const constants = { B: b, A: a, GROUPS: window.groups, CHUNKS: chunks };
    engine.run(weightDirect, 'weight_gradient', { ...run, constants, threads: (out.bytes * chunks) / 16 });
  }
  if (part !== out) {
    sumMiddle(engine, part, { outer: 1, middle: chunks, inner: out.bytes / 16 }, out);
    (part as { release(): void }).release();
  }
  return out;
}

/** Σ over batch and positions: the gradient of a bias (C). */
export function biasGradient(engine: Engine, dy: Tensor): Tensor {
  const channels = dy.shape[1];
  const out = engine.empty([channels]);
  const inner = padded(channels) / 4;
  sumMiddle(engine, dy, { outer: 1, middle: dy.bytes / 16 / inner, inner }, out);
  return out;
}

/** The first variant that can do the work, or the one that KERNEL=family:variant asks for where it can. */
function pick(family: string, able: Record<string, boolean>): string {
  const forced = knobs.kernel[family];
  if (forced && able[forced]) return forced;
  return Object.keys(able).find((name) => able[name])!;
}

/** Largest divisor of n that is at most `most`. */
function divisor(n: number, most: number): number {
  let d = Math.min(n, most);
  while (n % d !== 0) d--;
  return d;
}

/** Positions per workgroup: long runs share weights, but a row's last run should not be mostly empty. */
function choosePositions(width: number): number {
  const cost = (p: number) => ceilDiv(width, p) * (p + 3); // weights cost about as much as three positions
  return [12, 8, 6, 4].reduce((best, p) => (cost(p) < cost(best) ? p : best));
}

/** Lanes of four channels each: whole subgroups of eight where possible, at most 16, few left over. */
function chooseLanes(channels4: number): number {
  if (channels4 <= 16) return channels4;
  const waste = (lanes: number) => ceilDiv(channels4, lanes) * lanes - channels4;
  return waste(8) < waste(16) ? 8 : 16;
}

/** Parts of a weight gradient: by shape alone, so that sums repeat. About 2,048 terms each, at most 64 MiB in all. */
function chooseChunks(rows: number, width: number, bytes: number): number {
  const byTerms = ceilDiv(rows * width, 2048);
  const byMemory = Math.max(1, Math.floor(2 ** 26 / bytes));
  return Math.min(byTerms, byMemory, rows, 64);
}
