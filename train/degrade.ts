import { type AxisMap, applyMap, blurMap, composeMap, imresizeMap, sliceMap } from '../engine/axis-map.ts';
import { ShapeError, UsageError } from '../engine/errors.ts';
import { toBytes } from './colour.ts';

/**
 * How low resolution is made from high:
 * - 'bicubic': MATLAB's imresize with antialiasing. LR pixel i lies on HR 4i + 1.5 at scale 4.
 * - 'gaussian': FSTRN's, a 5x5 Gaussian of σ 2 with replicated border, then 'bicubic'.
 * - 'duf': VSR-DUF's, a Gaussian of 13x13 and σ 1.6 (x4; 1.2 for x3, 0.8 for x2) with reflected border, then every pixel
 *   whose number divides by the scale, from 0. LR pixel i lies on HR 4i.
 * - 'frvsr': FRVSR's, a Gaussian of 9x9 and σ 1.5, then as DUF. Its public code makes no pixel that reads beyond a border;
 *   here the border is reflected, so that sizes stay, and all pixels inside are the same.
 * - 'spmc': 'bicubic' without half a pixel between the grids, SPMC's srt_imresize. LR pixel i lies on HR 4i.
 */
export type Degradation = 'bicubic' | 'gaussian' | 'duf' | 'frvsr' | 'spmc';
export const DEGRADATIONS: readonly Degradation[] = ['bicubic', 'gaussian', 'duf', 'frvsr', 'spmc'];

/** Planes of one size, one after the other, (C, H, W). */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array;
}

const DUF_SIGMA: Record<number, number> = { 2: 0.8, 3: 1.2, 4: 1.6 }; // of the public DUF code

/**
 * Makes low resolution from planes of (C, height, width). Linear: whatever unit goes in, 0..1 or 0..255, comes out, neither
 * rounded nor clipped. Sizes that do not divide by the scale round up.
 */
export function degrade(
  data: ArrayLike<number>,
  width: number,
  height: number,
  degradation: Degradation,
  scale: number,
): Planes {
  return resample(data, degradationMap(degradation, width, scale), degradationMap(degradation, height, scale));
}

/** MATLAB's imresize of a picture of bytes: it rounds to bytes after each of the two passes, that over columns first. */
export function degradeBytes(data: ArrayLike<number>, width: number, height: number, scale: number): Planes {
  const map = (n: number) => degradationMap('bicubic', n, scale);
  return resample(data, map(width), map(height), (v) => Float64Array.from(toBytes(v)));
}

/**
 * MATLAB's imresize upwards, the baseline of every table: planes of (C, height, width), neither rounded nor clipped.
 * @param of how the low resolution was made: where its pixel i lies on 4i, the large picture is laid there too, lest half a
 * pixel of shift cost the baseline several decibels
 */
export function bicubicUpscale(
  data: ArrayLike<number>,
  width: number,
  height: number,
  scale: number,
  of: Degradation = 'bicubic',
): Planes {
  const centred = of === 'bicubic' || of === 'gaussian';
  const map = (n: number) => cached(`up ${scale} ${n} ${centred}`, () => imresizeMap(n, scale, true, centred));
  return resample(data, map(width), map(height));
}

/** One axis of a degradation, blur and decimation in one sparse map. */
export function degradationMap(degradation: Degradation, size: number, scale: number): AxisMap {
  return cached(`${degradation} ${scale} ${size}`, () => {
    if (degradation === 'bicubic') return imresizeMap(size, 1 / scale);
    if (degradation === 'gaussian') return composeMap(blurMap(size, gaussianTaps(2, 2)), imresizeMap(size, 1 / scale));
    if (degradation === 'spmc') return imresizeMap(size, 1 / scale, true, false);
    const taps = degradation === 'frvsr' ? gaussianTaps(1.5, 4) : dufTaps(scale);
    return composeMap(blurMap(size, taps, 'reflect'), sliceMap(size, 0, size, scale));
  });
}

function dufTaps(scale: number): number[] {
  const sigma = DUF_SIGMA[scale];
  if (!sigma) throw new UsageError(`degradation duf: expected a scale of 2, 3 or 4, got ${scale}`);
  return gaussianTaps(sigma, Math.floor(4 * sigma + 0.5)); // scipy cuts at 4 σ: the smaller ones do not fill the 13 taps
}

/** exp(-x² / 2σ²) for x = -radius..radius, of sum 1. */
export function gaussianTaps(sigma: number, radius: number): number[] {
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((w) => w / sum);
}

/** Vertical first, as MATLAB does at equal scales; float64 in between. */
function resample(
  data: ArrayLike<number>,
  across: AxisMap,
  down: AxisMap,
  eachPass = (values: Float64Array): Float64Array => values,
): Planes {
  const planes = data.length / (across.inputs * down.inputs);
  if (!Number.isInteger(planes) || planes === 0) {
    throw new ShapeError(`expected planes of ${across.inputs}x${down.inputs}, got ${data.length} values`);
  }
  const tall = eachPass(applyMap(down, new Float64Array(data), [planes, down.inputs, across.inputs], 1));
  const out = eachPass(applyMap(across, tall, [planes, down.outputs, across.inputs], 2));
  return { width: across.outputs, height: down.outputs, data: new Float32Array(out) };
}

const maps = new Map<string, AxisMap>();

/** Maps are small, but sizes in a data set may be many: the oldest leave first. */
function cached(key: string, make: () => AxisMap): AxisMap {
  let map = maps.get(key);
  if (!map) {
    map = make();
    if (maps.size >= 64) maps.delete(maps.keys().next().value as string);
    maps.set(key, map);
  }
  return map;
}
