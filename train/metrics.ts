import { NotFiniteError, ShapeError, UsageError } from '../engine/errors.ts';
import { lumaOfPlanes, toBytes } from './colour.ts';
import { gaussianTaps } from './degrade.ts';

/** Windows of SSIM as they are in use. */
export type SsimVariant = 'matlab' | 'skimage' | 'pytorch';
type Values = Uint8Array | Float32Array | Float64Array;

/** Values 0..255: one plane of Y, or the planes R, G, B. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Values;
}

/**
 * What stands between two clips and a number; report it with the number.
 *
 * Only the result is quantised, never the ground truth: RGB pictures in RGB, before Y is taken (in floats, so Y itself is not
 * rounded), pictures of Y in Y. Bicubic x4 on Vid4 with border 8 measures, in this code:
 *
 * | LR, result                          | calendar       | city           |
 * |-------------------------------------|----------------|----------------|
 * | RGB, LR and result rounded to 8 bit | 20.527, 0.5679 | 25.087, 0.6006 |
 * | Y of RGB, floats throughout         | 20.527, 0.5680 | 25.088, 0.6007 |
 * | Y of RGB, only the result rounded   | 20.526, 0.5677 | 25.086, 0.6004 |
 *
 * The published 20.53 / 0.568 and 25.09 / 0.601 are the first two lines. Ground truth rounded to integers in Y (MATLAB's
 * rgb2ycbcr on uint8) would lose 0.004 dB and 0.0006 of SSIM: it is the one habit that we do not follow.
 */
export interface Protocol {
  readonly channel: 'y' | 'rgb';
  /** Pixels left out at the top, right, bottom and left. */
  readonly border: readonly [number, number, number, number];
  /** Frames left out at both ends. */
  readonly skipHead: number;
  readonly skipTail: number;
  /** What happens to the result before it is compared: rounded or truncated to 0..255, clipped only, or nothing at all. */
  readonly quantise: Quantise;
  readonly ssimVariant: SsimVariant;
  /** Low resolution is rounded to 8 bits, after each pass of the resize as MATLAB does (`passes`), or not. */
  readonly lowResolution: 'round' | 'passes' | 'none';
}

export const QUANTISE = ['round', 'truncate', 'clip', 'none'] as const;
export type Quantise = (typeof QUANTISE)[number];

/** Y, 8 pixels cropped, all frames, 8-bit results: the tables of DUF and most after it. */
export const DEFAULT_PROTOCOL: Protocol = {
  channel: 'y',
  border: [8, 8, 8, 8],
  skipHead: 0,
  skipTail: 0,
  quantise: 'round',
  ssimVariant: 'matlab',
  lowResolution: 'round',
};

const bordered = (pixels: number, rest: Partial<Protocol> = {}): Protocol => ({
  ...DEFAULT_PROTOCOL,
  border: [pixels, pixels, pixels, pixels],
  ...rest,
});

/**
 * The protocols of well-known papers and codes, by name, for a scale: those for pictures leave out as many pixels.
 * - vdsr: its public code's; nothing is rounded anywhere, and MATLAB's double precision is float64 here up to single results.
 * - rcan: its public LR pictures and scores; srgan: 4 pixels at x4.
 * - duf: the paper's tables; duf-code: the function in its repository. spmc: the 16th of 31 frames.
 * - rbpn: the paper's, which leaves out frames that its variant of past frames cannot make; iseebetter: the test script of both.
 */
export const PROTOCOLS: Readonly<Record<string, (scale: number) => Protocol>> = {
  vdsr: (scale) => bordered(scale, { quantise: 'clip', lowResolution: 'none' }),
  srgan: (scale) => bordered(scale),
  rcan: (scale) => bordered(scale, { lowResolution: 'passes' }),
  duf: () => DEFAULT_PROTOCOL,
  'duf-code': () => ({ ...DEFAULT_PROTOCOL, skipHead: 2, skipTail: 2, quantise: 'truncate' }),
  fstrn: () => bordered(0, { quantise: 'none', ssimVariant: 'skimage' }),
  spmc: () => bordered(0, { skipHead: 15, skipTail: 15, quantise: 'truncate' }),
  frvsr: () => bordered(0),
  pfnl: () => bordered(0),
  rbpn: () => bordered(8, { skipHead: 6, skipTail: 3 }),
  iseebetter: () => ({ ...DEFAULT_PROTOCOL, channel: 'rgb', border: [5, 4, 4, 5], quantise: 'none' }),
};

export interface FrameScore {
  readonly psnr: number;
  readonly ssim: number;
}
export interface ClipScore extends FrameScore {
  /** Frames that were compared, after skipHead and skipTail. */
  readonly frames: number;
  readonly perFrame: readonly FrameScore[];
}

/** 20 log10(255 / rmse), in dB; infinite for equal pictures. */
export function psnr(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new ShapeError(`psnr: expected equal sizes, got ${a.length} and ${b.length} values`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return 10 * Math.log10((255 ** 2 * a.length) / sum);
}

const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;
const SSIM: Record<SsimVariant, { taps: number[]; zeroPadded: boolean; bias: number }> = {
  matlab: { taps: gaussianTaps(1.5, 5), zeroPadded: false, bias: 1 },
  pytorch: { taps: gaussianTaps(1.5, 5), zeroPadded: true, bias: 1 },
  skimage: { taps: Array(7).fill(1 / 7), zeroPadded: false, bias: 49 / 48 }, // sample covariance of 7x7 values
};

/**
 * Mean of the SSIM map of one plane, values 0..255. Wang et al. 2004, eq. 13; the windows above.
 * @throws {ShapeError} when the picture is smaller than the window
 */
export function ssim(a: Values, b: Values, width: number, height: number, variant: SsimVariant = 'matlab'): number {
  const { taps, zeroPadded, bias } = SSIM[variant];
  const radius = (taps.length - 1) / 2;
  const pad = zeroPadded ? radius : 0;
  const [outWidth, outHeight] = [width + 2 * (pad - radius), height + 2 * (pad - radius)];
  if (a.length !== width * height || b.length !== width * height) {
    throw new ShapeError(`ssim: expected two planes of ${width}x${height}, got ${a.length} and ${b.length} values`);
  }
  if (outWidth < 1 || outHeight < 1) {
    throw new ShapeError(`ssim: expected at least ${taps.length}x${taps.length} pixels, got ${width}x${height}`);
  }
  // The window is separable: each row of the map needs one row of vertical sums, of a, b, a² + b² and ab.
  const [as, bs, squares, products] = Array.from({ length: 4 }, () => new Float64Array(width + 2 * pad));
  let total = 0;
  for (let y = 0; y < outHeight; y++) {
    const first = Math.max(0, pad - y);
    const last = Math.min(taps.length, height + pad - y);
    for (let x = 0; x < width; x++) {
      let [sa, sb, square, product] = [0, 0, 0, 0];
      for (let t = first, i = (y + first - pad) * width + x; t < last; t++, i += width) {
        const w = taps[t];
        const p = a[i];
        const q = b[i];
        sa += w * p;
        sb += w * q;
        square += w * (p * p + q * q);
        product += w * p * q;
      }
      as[x + pad] = sa;
      bs[x + pad] = sb;
      squares[x + pad] = square;
      products[x + pad] = product;
    }
    for (let x = 0; x < outWidth; x++) {
      let [ma, mb, square, product] = [0, 0, 0, 0];
      for (let t = 0; t < taps.length; t++) {
        const w = taps[t];
        ma += w * as[x + t];
        mb += w * bs[x + t];
        square += w * squares[x + t];
        product += w * products[x + t];
      }
      const means = ma * ma + mb * mb;
      const [variances, covariance] = [bias * (square - means), bias * (product - ma * mb)];
      total += ((2 * ma * mb + C1) * (2 * covariance + C2)) / ((means + C1) * (variances + C2));
    }
  }
  return total / (outWidth * outHeight);
}

/** One frame under a protocol. For RGB, PSNR is of all three channels together and SSIM the mean of three. */
export function compareFrame(hr: Picture, sr: Picture, protocol: Protocol): FrameScore {
  if (hr.width !== sr.width || hr.height !== sr.height) {
    throw new ShapeError(`expected frames of ${hr.width}x${hr.height}, got ${sr.width}x${sr.height}`);
  }
  const [top, right, bottom, left] = protocol.border;
  const [width, height] = [hr.width - left - right, hr.height - top - bottom];
  if (width < 1 || height < 1) {
    throw new ShapeError(`nothing left of frames of ${hr.width}x${hr.height} without a border of ${protocol.border}`);
  }
  const a = channelsOf(hr, hr.data, protocol);
  const b = channelsOf(sr, quantised(sr.data, protocol.quantise), protocol);
  const count = a.length / (hr.width * hr.height);
  const plane = (data: Values, c: number) => crop(data, hr.width, c * hr.height + top, left, width, height);
  const as = Array.from({ length: count }, (_, c) => plane(a, c));
  const bs = Array.from({ length: count }, (_, c) => plane(b, c));
  const mse = as.reduce((sum, p, c) => sum + 10 ** (-psnr(p, bs[c]) / 10) / count, 0); // over 255²
  const similar = as.reduce((sum, p, c) => sum + ssim(p, bs[c], width, height, protocol.ssimVariant) / count, 0);
  return { psnr: -10 * Math.log10(mse), ssim: similar };
}

/**
 * Compares two clips frame by frame: means of per-frame PSNR and SSIM, not PSNR of the mean error.
 * Takes frames one by one, so clips may be streams.
 * @throws {ShapeError} when sizes or numbers of frames differ  @throws {UsageError} when the protocol leaves no frame
 */
export async function compareClip(
  hrFrames: Iterable<Picture> | AsyncIterable<Picture>,
  srFrames: Iterable<Picture> | AsyncIterable<Picture>,
  protocol: Protocol,
): Promise<ClipScore> {
  const all: FrameScore[] = [];
  const results = iterate(srFrames);
  for await (const hr of hrFrames) {
    const sr = await results.next();
    if (sr.done) throw new ShapeError(`expected as many frames as the ground truth has, got ${all.length}`);
    all.push(compareFrame(hr, sr.value, protocol));
  }
  if (!(await results.next()).done) throw new ShapeError(`expected ${all.length} frames, got more`);
  return clipScore(all, protocol);
}

/** Means over the frames that the protocol does not skip. @throws {UsageError} when it leaves none */
export function clipScore(all: readonly FrameScore[], { skipHead, skipTail }: Protocol): ClipScore {
  const perFrame = all.slice(skipHead, Math.max(all.length - skipTail, skipHead));
  if (perFrame.length === 0) {
    throw new UsageError(`no frame to compare: ${all.length} frames, of which ${skipHead} + ${skipTail} are skipped`);
  }
  const mean = (key: keyof FrameScore) => perFrame.reduce((sum, score) => sum + score[key], 0) / perFrame.length;
  return { frames: perFrame.length, psnr: mean('psnr'), ssim: mean('ssim'), perFrame };
}

async function* iterate(frames: Iterable<Picture> | AsyncIterable<Picture>): AsyncGenerator<Picture> {
  yield* frames;
}

function quantised(data: Values, how: Protocol['quantise']): Values {
  if (data instanceof Uint8Array) return data;
  if (!data.every(Number.isFinite)) throw new NotFiniteError('a frame to compare holds values that are not finite');
  if (how === 'none') return data;
  if (how === 'clip') return data.map((v: number) => Math.min(Math.max(v, 0), 255));
  return how === 'round'
    ? toBytes(data)
    : Uint8Array.from(data, (v: number) => Math.min(Math.max(Math.trunc(v), 0), 255));
}

function channelsOf({ width, height }: Picture, data: Values, { channel }: Protocol): Values {
  const channels = data.length / (width * height);
  if (channels !== 3 && (channels !== 1 || channel === 'rgb')) {
    throw new ShapeError(
      `expected ${channel === 'rgb' ? 'RGB' : 'Y or RGB'} planes of ${width}x${height}, got ${data.length} values`,
    );
  }
  return channel === 'y' && channels === 3 ? lumaOfPlanes(data) : data;
}

function crop(data: Values, stride: number, top: number, left: number, width: number, height: number): Float64Array {
  const out = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * stride + left;
    out.set(data.subarray(from, from + width), y * width);
  }
  return out;
}
