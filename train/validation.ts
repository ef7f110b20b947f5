import type { Engine } from '../engine/engine.ts';
import { ShapeError } from '../engine/errors.ts';
import type { Net } from '../nets/net.ts';
import { lumaOfPlanes, toBytes } from './colour.ts';
import type { ClipFrames } from './dataset.ts';
import { bicubicUpscale, type Degradation, degrade, type Planes } from './degrade.ts';
import { superResolve } from './infer.ts';
import { type ClipScore, compareClip, DEFAULT_PROTOCOL, type Picture, type Protocol } from './metrics.ts';

export interface Score {
  /** Mean over clips of the mean over frames, in dB, of Y. */
  readonly psnr: number;
  readonly ssim: number;
  readonly bicubic: number;
  readonly bicubicSsim: number;
}

/** The middle frame of a clip, values 0..255: what it was, what the network saw, what became of it. */
export interface Sample {
  readonly name: string;
  readonly truth: Picture;
  readonly low: Picture;
  readonly bicubic: Picture;
  readonly ours: Picture;
}

interface Case {
  readonly name: string;
  readonly truth: readonly Picture[];
  readonly low: readonly Picture[];
  readonly bicubic: readonly Picture[];
  readonly bicubicScore: ClipScore;
}

export interface ValidationOptions {
  readonly degradation: Degradation;
  /** Whether low resolution is rounded to 8 bits. */
  readonly rounded: boolean;
  /** Frames of each clip, from its middle, and the side of the square cut from their middle; 0 for all. */
  readonly frames: number;
  readonly crop: number;
  /** Frames that a network of the form `clip` sees at once. */
  readonly window: number;
}

/** Measures a network against bicubic on frames that it was not trained on. */
export class Validation {
  readonly #cases: Case[];

  readonly #window: number;

  private constructor(cases: Case[], window: number) {
    this.#cases = cases;
    this.#window = window;
  }

  /** Degrades the clips and measures bicubic once. @throws {ShapeError} for frames that are too small */
  static async prepare(
    clips: readonly ClipFrames[],
    net: Pick<Net, 'config'>,
    options: ValidationOptions,
  ): Promise<Validation> {
    const cases: Case[] = [];
    for (const clip of clips) cases.push(await prepareCase(clip, net, options));
    return new Validation(cases, options.window);
  }

  get frames(): number {
    return this.#cases.reduce((sum, { truth }) => sum + truth.length, 0);
  }

  /** @param show receives the middle frame of each clip */
  async measure(engine: Engine, net: Net, show?: (sample: Sample) => void): Promise<Score> {
    const scores: Score[] = [];
    for (const { name, truth, low, bicubic, bicubicScore } of this.#cases) {
      const results: Picture[] = [];
      const window = net.form === 'clip' ? this.#window : undefined;
      const enlarged = superResolve(engine, net, low.map(scaled(1 / 255)), { window });
      for await (const frame of enlarged) results.push(scaled(255)(frame));
      const { psnr, ssim } = await compareClip(truth, results, protocolFor(truth[0]));
      scores.push({ psnr, ssim, bicubic: bicubicScore.psnr, bicubicSsim: bicubicScore.ssim });
      const i = Math.floor(truth.length / 2);
      show?.({ name, truth: truth[i], low: low[i], bicubic: bicubic[i], ours: results[i] });
    }
    const mean = (key: keyof Score) => scores.reduce((sum, score) => sum + score[key], 0) / scores.length;
    return { psnr: mean('psnr'), ssim: mean('ssim'), bicubic: mean('bicubic'), bicubicSsim: mean('bicubicSsim') };
  }
}

/** Y with 8 pixels left out at the border, as published; pictures too small for that are compared whole. */
export const protocolFor = ({ width, height }: Pick<Picture, 'width' | 'height'>): Protocol =>
  Math.min(width, height) >= 32 ? DEFAULT_PROTOCOL : { ...DEFAULT_PROTOCOL, border: [0, 0, 0, 0] };

async function prepareCase(
  clip: ClipFrames,
  { config: { channels, scale } }: Pick<Net, 'config'>,
  { degradation, rounded, frames, crop }: ValidationOptions,
): Promise<Case> {
  const count = Math.min(frames || clip.frames.length, clip.frames.length);
  const first = Math.floor((clip.frames.length - count) / 2);
  const truth = clip.frames.slice(first, first + count).map((frame) => {
    const picture = middleOf(frame, clip, crop, scale);
    return channels === 1 && clip.channels === 3 ? { ...picture, data: lumaOfPlanes(picture.data) } : picture;
  });
  const low = truth.map((frame) => {
    const made = degrade(frame.data, frame.width, frame.height, degradation, scale);
    return rounded ? { ...made, data: Float32Array.from(toBytes(made.data)) } : made;
  });
  const bicubic = low.map(({ data, width, height }) => bicubicUpscale(data, width, height, scale, degradation));
  return {
    name: clip.name,
    truth,
    low,
    bicubic,
    bicubicScore: await compareClip(truth, bicubic, protocolFor(truth[0])),
  };
}

/** The middle of a frame, its sides multiples of the scale. */
function middleOf(
  frame: Uint8Array,
  { name, width, height, channels }: ClipFrames,
  crop: number,
  scale: number,
): Picture {
  const side = (n: number) => Math.floor(Math.min(crop || n, n) / scale) * scale;
  const [w, h] = [side(width), side(height)];
  if (w === 0 || h === 0) {
    throw new ShapeError(`clip ${name}: expected at least ${scale}x${scale} pixels, it has ${width}x${height}`);
  }
  const [left, top] = [Math.floor((width - w) / 2), Math.floor((height - h) / 2)];
  const data = new Uint8Array(channels * w * h);
  for (let row = 0; row < channels * h; row++) {
    const [c, y] = [Math.floor(row / h), row % h];
    const from = (c * height + top + y) * width + left;
    data.set(frame.subarray(from, from + w), row * w);
  }
  return { width: w, height: h, data };
}

const scaled =
  (factor: number) =>
  ({ width, height, data }: Picture): Planes => ({ width, height, data: Float32Array.from(data, (v) => v * factor) });
