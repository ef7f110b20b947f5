import { useMemo } from 'preact/hooks';
import { type AxisMap, applyMap, composeMap, imresizeMap, padMap, sliceMap } from '../../../engine/axis-map.ts';
import { toBytes } from '../../../train/colour.ts';
import { type Degradation, degrade, type Planes } from '../../../train/degrade.ts';
import { type FrameScore, type Picture, ssim } from '../../../train/metrics.ts';
import { clip, mostDetailed } from '../../lab/clip.ts';

const EDGE = 96;
const DIVIDES = 12; // by all scales of this chapter

/** The square of the clip's first frame that has the most detail, in RGB. */
export function useSquare(): Planes | undefined {
  const now = clip.value;
  return useMemo(() => {
    if (!now) return undefined;
    const edge = Math.min(EDGE, DIVIDES * Math.floor(Math.min(now.width, now.height) / DIVIDES));
    return mostDetailed(now.frames[0], edge);
  }, [now]);
}

export const waysDown = {
  bicubic: 'bicubic',
  gaussian: 'blur, then bicubic',
  duf: 'blur, then one pixel of each square',
  every: 'one pixel of each square',
} as const;
export type WayDown = keyof typeof waysDown;

export function shrink({ width, height, data }: Planes, way: WayDown, scale: number): Planes {
  if (way !== 'every') return degrade(data, width, height, way as Degradation, scale);
  return remap({ width, height, data }, (n) => sliceMap(n, 0, n, scale));
}

/** The low resolution pixel i of these lies on the high resolution pixel scale·i; of bicubic, half a square further on. */
export const phaseOf = (way: WayDown, scale: number): number =>
  way === 'duf' || way === 'every' ? 0 : (scale - 1) / 2;

/** Phases are multiples of 1 / FINE pixel. */
export const FINE = 4;

/**
 * Enlarges by bicubic interpolation, taking low resolution pixel i to lie at scale·i + phase of the large picture. With a
 * phase of (scale - 1) / 2 this is `bicubicUpscale`.
 */
export function enlarge(low: Planes, scale: number, phase: number): Planes {
  const shift = Math.round(phase * FINE);
  return remap(low, (n) => {
    const fine = scale * FINE * n;
    const aligned = imresizeMap(n, scale * FINE, true, false); // sample j at j / (scale · FINE)
    return composeMap(composeMap(aligned, padMap(fine, shift, -shift, 'replicate')), sliceMap(fine, 0, fine, FINE));
  });
}

function remap({ width, height, data }: Planes, mapOf: (size: number) => AxisMap): Planes {
  const planes = data.length / (width * height);
  const [across, down] = [mapOf(width), mapOf(height)];
  const tall = applyMap(down, new Float64Array(data), [planes, height, width], 1);
  const out = applyMap(across, tall, [planes, down.outputs, width], 2);
  return { width: across.outputs, height: down.outputs, data: new Float32Array(out) };
}

/** As a file of 8 bits would hold it. */
export const rounded = ({ width, height, data }: Planes): Planes => ({
  width,
  height,
  data: Float32Array.from(toBytes(data)),
});

export const ssimOf = (a: Picture, b: Picture): number => ssim(a.data, b.data, a.width, a.height);

export const decibels = (score: FrameScore | undefined): string => (score ? `${score.psnr.toFixed(2)} dB` : '…');
