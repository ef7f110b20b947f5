import type { Engine } from '../../engine.ts';
import { pickVariant } from '../../knobs.ts';
import { padded, type Shape, size, type Tensor } from '../../tensor.ts';
import { sumMiddle } from '../reduce.ts';
import { transposeFilter } from './filter.ts';
import { type Vec3, volume, type Window } from './geometry.ts';
import { type CorrelateVariant, type Correlation, slopesOf } from './phase.ts';
import { direct } from './variants/dw-direct.ts';
import { matrix } from './variants/dw-matrix.ts';
import { rows } from './variants/dw-rows.ts';
import { subgroup } from './variants/dw-subgroup.ts';
import { tiled } from './variants/dw-tiled.ts';
import { winograd, winogradTiled } from './variants/dw-winograd.ts';

const onProcessors: readonly CorrelateVariant[] = [winograd, winogradTiled, subgroup, rows, tiled, direct, matrix];
const onGpus: readonly CorrelateVariant[] = [tiled, rows, direct, winograd, winogradTiled, subgroup, matrix];
/** In the order of preference where none was measured. */
export const correlateVariants = ({ caps }: Engine): readonly CorrelateVariant[] =>
  caps.fallback ? onProcessors : onGpus;

export interface WeightGradient {
  /** What the window slides over. */
  readonly x: Tensor;
  /** PReLU of x. */
  readonly slope?: Tensor;
  /** What each window position meets. */
  readonly dense: Tensor;
  /** (a·groups, b, taps...) */
  readonly shape: Shape;
  readonly window: Window;
  readonly label: string;
  /** Where the result is to lie. */
  readonly into?: Tensor;
}

/**
 * Whether x and dense change places, if no PReLU of x is in the way. Lanes lie along dense's channels. Where those are few and
 * x's are not, it helps: with stride 1 the sum over o of dense[o]·x[o + s] is the sum over q of x[q]·dense[q - s], the same
 * gradient transposed and with its taps reversed.
 */
export const changesPlaces = ([a, b]: Shape, window: Window): boolean =>
  window.groups === 1 && window.stride.every((s) => s === 1) && padded(a) === 4 && padded(b) > 4;

/** Gradient of the filter, in its own layout: Σ over positions o of dense[o][a] · x[o·stride - padding + k·dilation][b]. */
export function weightGradient(engine: Engine, gradient: WeightGradient): Tensor {
  const { x, slope, dense, shape, window } = gradient;
  const [a, b, ...taps] = shape;
  if (!slope && changesPlaces(shape, window)) {
    const padding = window.padding.map((p, i) => window.dilation[i] * (window.kernel[i] - 1) - p) as unknown as Vec3;
    const exchanged = { x: dense, dense: x, shape: [b, a, ...taps], window: { ...window, padding }, into: undefined };
    return transposeFilter(engine, correlate(engine, { ...gradient, ...exchanged }), 1, true, gradient.into);
  }
  return correlate(engine, gradient);
}

function correlate(engine: Engine, { x, slope, dense, shape, window, label, into }: WeightGradient): Tensor {
  const batch = x.shape[0];
  const grid = volume(dense.shape);
  const [a, b] = [shape[0] / window.groups, shape[1]];
  const taps = size(window.kernel);
  const out = into ?? engine.empty(shape, 'filter');
  const correlation: Correlation = {
    engine,
    x,
    dense,
    slope,
    window,
    a,
    b,
    taps,
    out,
    fused: { SLOPES: slopesOf(slope) },
    run: {
      bind: { x, dense, slope: slope ?? x },
      uniforms: {
        src: [...volume(x.shape), batch],
        grid,
        is: window.stride,
        off: window.padding.map((p) => -p),
        off_step: window.dilation,
        kernel: window.kernel,
      },
      flops: 2 * batch * size(grid) * taps * a * b * window.groups,
    },
  };
  const plans = Object.fromEntries(
    correlateVariants(engine).map((variant) => [variant.name, () => variant.plan(correlation)]),
  );
  const { name, plan } = pickVariant('conv_dw', plans, engine.choices);
  plan(`${label} (${name})`);
  return out;
}

/** Σ over batch and positions: the gradient of a bias (C). */
export function biasGradient(engine: Engine, dy: Tensor, into?: Tensor): Tensor {
  const channels = dy.shape[1];
  const out = into ?? engine.empty([channels]);
  const inner = padded(channels) / 4;
  sumMiddle(engine, dy, { outer: 1, middle: dy.bytes / 16 / inner, inner }, out);
  return out;
}
