import dwDirect from '../../../shaders/conv_dw.direct.wgsl';
import dwRows from '../../../shaders/conv_dw.rows.wgsl';
import dwTiled from '../../../shaders/conv_dw.tiled.wgsl';
import type { Engine } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { pickVariant } from '../../knobs.ts';
import { padded, type Shape, size, type Tensor } from '../../tensor.ts';
import { sumMiddle } from '../reduce.ts';
import { transposeFilter } from './filter.ts';
import { ceilDiv, type Vec3, volume, type Window } from './geometry.ts';
import { dealLanes, divisor, TILE_BYTES } from './variants.ts';

const direct = new Kernel('conv_dw.direct', dwDirect);
const rows = new Kernel('conv_dw.rows', dwRows);
const tiled = new Kernel('conv_dw.tiled', dwTiled);

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
  const [a, b, ...taps] = shape;
  // Lanes lie along dense's channels. Where those are few and x's are not, the two change places: with stride 1 the sum over
  // o of dense[o]·x[o + s] is the sum over q of x[q]·dense[q - s], the same gradient transposed and with its taps reversed.
  const still = window.groups === 1 && window.stride.every((s) => s === 1);
  if (still && padded(a) === 4 && padded(b) > 4) {
    const padding = window.padding.map((p, i) => window.dilation[i] * (window.kernel[i] - 1) - p) as unknown as Vec3;
    const turned = correlate(engine, dense, x, [b, a, ...taps], { ...window, padding }, label);
    return transposeFilter(engine, turned, 1, true);
  }
  return correlate(engine, x, dense, shape, window, label);
}

function correlate(engine: Engine, x: Tensor, dense: Tensor, shape: Shape, window: Window, label: string): Tensor {
  const n = x.shape[0];
  const [gd, gh, gw] = volume(dense.shape);
  const [a, b] = [shape[0] / window.groups, shape[1]];
  const taps = size(window.kernel);
  const kw = window.kernel[2];
  const out = engine.empty(shape, 'filter');
  const chunks = chooseChunks(n * gd * gh, gw, out.bytes);
  using scratch = chunks === 1 ? undefined : engine.raw(out.bytes * chunks);
  const part = scratch ?? out;

  const [b4, a4] = [padded(b) / 4, padded(a) / 4];
  const lanes = dealLanes(a);
  const run = gw <= 8 ? 8 : gw <= 16 ? 16 : 24; // positions of a row that lie in workgroup memory at a time
  const inner = divisor(b4, Math.max(1, Math.floor(8 / kw)));
  const together = b4 === 1 && window.kernel[1] * kw <= 9 ? window.kernel[1] : 1; // rows of taps
  const tile = (run - 1) * window.stride[2] + (kw - 1) * window.dilation[2] + 1;

  const able = {
    rows: window.groups === 1 && kw <= 9 && tile * together * inner * 16 <= TILE_BYTES,
    tiled: window.groups === 1,
    direct: true,
  };
  const variant = pickVariant('conv_dw', able, engine.choices);
  const shared = {
    bind: { x, dense, part },
    uniforms: {
      src: [...volume(x.shape), n],
      grid: [gd, gh, gw],
      is: window.stride,
      off: window.padding.map((p) => -p),
      off_step: window.dilation,
      kernel: window.kernel,
    },
    flops: 2 * n * gd * gh * gw * taps * a * b * window.groups,
    label: `${label} (${variant})`,
  };
  if (variant === 'rows') {
    const { V, count, blocks } = lanes;
    const constants = {
      V,
      REAL: Math.min(b, 4),
      XC4: b4,
      AV: count,
      LANES: lanes.lanes,
      B4: inner,
      TAPS: kw,
      TAPS_H: together,
      P: run,
      TILE: tile,
      CHUNKS: chunks,
    };
    const grid = [(window.kernel[0] * window.kernel[1]) / together, (b4 / inner) * blocks, chunks] as const;
    engine.run(rows, 'weight_gradient', { ...shared, constants, grid });
  } else if (variant === 'tiled') {
    const constants = { XC4: b4, A4: a4, CHUNKS: chunks };
    const grid = [taps, ceilDiv(b4, 16) * ceilDiv(a4, 16), chunks] as const;
    engine.run(tiled, 'weight_gradient', { ...shared, constants, grid });
  } else {
    const constants = { B: b, A: a, GROUPS: window.groups, CHUNKS: chunks };
    engine.run(direct, 'weight_gradient', { ...shared, constants, threads: (out.bytes * chunks) / 16 });
  }
  if (scratch) sumMiddle(engine, scratch, { outer: 1, middle: chunks, inner: out.bytes / 16 }, out);
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

/** Parts of a weight gradient: by shape alone, so that sums repeat. About 2,048 terms each, at most 64 MiB in all. */
function chooseChunks(rows: number, width: number, bytes: number): number {
  const byTerms = ceilDiv(rows * width, 2048);
  const byMemory = Math.max(1, Math.floor(2 ** 26 / bytes));
  return Math.min(byTerms, byMemory, rows, 64);
}
