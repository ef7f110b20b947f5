import { UsageError } from '../engine/errors.ts';
import { Random, type RandomState } from '../engine/random.ts';
import { lumaOfPlanes, toBytes } from './colour.ts';
import { bicubicUpscale, type Degradation, degrade, type Planes } from './degrade.ts';
import { motionsFrom } from './motion.ts';
import { type Shot, ShotDetector } from './shots.ts';
import { ceilTo } from './tiles.ts';

/** A decoded clip: bytes 0..255, each frame the planes of Y or of R, G, B, (C, H, W). */
export interface ClipFrames {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly frames: readonly Uint8Array[];
}

export interface StoredClip extends ClipFrames {
  readonly shots: readonly Shot[];
}

/** Clips held in memory, with the shots they consist of. */
export class ClipStore {
  readonly clips: readonly StoredClip[];

  constructor(clips: Iterable<ClipFrames>) {
    this.clips = Array.from(clips, (clip) => {
      const detector = new ShotDetector();
      for (const frame of clip.frames) {
        detector.add(clip.channels === 1 ? frame : lumaOfPlanes(frame), clip.width, clip.height);
      }
      return { ...clip, shots: detector.shots() };
    });
  }

  get frames(): number {
    return this.clips.reduce((sum, { frames }) => sum + frames.length, 0);
  }

  get bytes(): number {
    return this.clips.reduce((sum, clip) => sum + clip.frames.length * clip.channels * clip.width * clip.height, 0);
  }
}

/** Where a sample lies in its clip: first frame, top, left, in HR pixels. */
export interface Volume {
  readonly t: number;
  readonly y: number;
  readonly x: number;
}

export interface CropOptions {
  /** Frames a sample, T. */
  readonly frames: number;
  /** From one of them to the next; of several, each sample draws one. 0 stands still, negative ones run backwards. */
  readonly intervals: readonly number[];
  /** Height and width of the HR crop, a multiple of the scale unless samples are enlarged. */
  readonly crop: number;
  /** HR pixels around the crop that low resolution is made with, and that are then cut away. */
  readonly margin: number;
  readonly scale: number;
  /** Not empty: low resolution is enlarged by bicubic, by one of these factors in place of the scale. */
  readonly scales: readonly number[];
  readonly degradation: Degradation;
  /** Low resolution is rounded to 8 bits. */
  readonly rounded: boolean;
  /** 1: Y, that of BT.601 where a clip holds RGB. 3: RGB. */
  readonly channels: 1 | 3;
  /** Mirrors in x and in y, each every second time. */
  readonly flips: boolean;
  /** Exchanges x and y, every second time. */
  readonly turns: boolean;
  /** Whether motion is measured on each sample. */
  readonly motion: 'none' | 'coarse2fine';
  /** HR of all T frames, or of the middle one only, which is what FSTRN's loss takes in its public code. */
  readonly target: 'all' | 'centre';
}

/** FSTRN's samples, as its public code cuts them. */
export const FSTRN_CROPS: CropOptions = {
  ...{ frames: 5, intervals: [1], crop: 144, margin: 0, scale: 4, scales: [] },
  ...{ degradation: 'gaussian', rounded: false, channels: 1 },
  ...{ flips: true, turns: false, motion: 'none', target: 'centre' },
};

/** Values in 0..1. */
export interface Batch {
  readonly lr: Float32Array;
  readonly hr: Float32Array;
  /** (N, C, T, h, w) */
  readonly lrShape: readonly number[];
  /** (N, C, T or 1, H, W) */
  readonly hrShape: readonly number[];
  /** From the middle frame to the others, in pixels: (N, 2, T - 1, h, w). */
  readonly motion?: Float32Array;
}

/** Windows in time that samples of one interval may have. */
interface Reel {
  readonly interval: number;
  readonly windows: readonly { clip: StoredClip; shot: Shot; count: number }[];
  readonly total: number;
}

/**
 * Random crops of T frames that never cross a shot change; every such window of every clip is equally likely.
 * The crop itself is degraded, with its margin and the borders around that. The sequence depends on the clips, the options and
 * the seed alone, and continues from its state.
 * @throws {UsageError} for a clip with fewer than T frames or smaller than the crop, or when no shot has T frames
 */
export class CropSampler {
  /** Intervals for which no shot is long enough are left out. */
  #reels: Reel[];
  #options: CropOptions;
  #random: Random;

  constructor(store: ClipStore, options: CropOptions, seed: number) {
    this.#options = options;
    this.#random = new Random(seed);
    checkOptions(options);
    for (const clip of store.clips) checkClip(clip, options);
    this.#reels = options.intervals.map((interval) => reelOf(store, options.frames, interval));
    this.#reels = this.#reels.filter(({ total }) => total > 0);
    if (this.#reels.length === 0) {
      const names = store.clips.map((clip) => clip.name).join(', ') || 'none given';
      throw new UsageError(`no clip (${names}) has a shot of ${options.frames} frames to train on`);
    }
  }

  /** How many different windows in time there are to draw from. */
  get windows(): number {
    return this.#reels.reduce((sum, { total }) => sum + total, 0);
  }

  next(batch: number): Batch {
    const { crop, scale, scales, frames, channels, flips, turns, motion, target } = this.#options;
    const low = scales.length > 0 ? crop : crop / scale;
    const lrShape = [batch, channels, frames, low, low];
    const hrShape = [batch, channels, target === 'all' ? frames : 1, crop, crop];
    const [lr, hr] = [lrShape, hrShape].map((shape) => new Float32Array(shape.reduce((a, b) => a * b)));
    const motions = motion === 'none' ? undefined : new Float32Array(batch * 2 * (frames - 1) * low * low);
    const side = regionSide(this.#options);
    for (let n = 0; n < batch; n++) {
      const { interval, clip, t } = this.#window();
      const y = this.#random.int(clip.height - side + 1);
      const x = this.#random.int(clip.width - side + 1);
      const mirror = flips ? this.#random.int(4) : 0;
      const turn = { x: (mirror & 1) === 1, y: mirror >= 2, exchanged: turns && this.#random.int(2) === 1 };
      const drawn = scales.length > 0 ? scales[this.#random.int(scales.length)] : scale;
      const sample = cutSample(clip, { t, y, x }, { ...this.#options, scale: drawn }, turn, interval);
      lr.set(sample.lr, (n * lr.length) / batch);
      hr.set(sample.hr, (n * hr.length) / batch);
      motions?.set(motionsOfSample(sample.lr, frames, low), (n * motions.length) / batch);
    }
    return { lr, hr, lrShape, hrShape, motion: motions };
  }

  /** Plain numbers, for a checkpoint. */
  state(): RandomState {
    return this.#random.state();
  }

  restore(state: RandomState): void {
    this.#random = Random.from(state);
  }

  #window(): { interval: number; clip: StoredClip; t: number } {
    const reels = this.#reels;
    const { interval, windows, total } = reels[reels.length > 1 ? this.#random.int(reels.length) : 0];
    let draw = this.#random.int(total);
    for (const { clip, shot, count } of windows) {
      const last = interval < 0 ? (1 - this.#options.frames) * interval : 0; // backwards, a sample begins at its end
      if (draw < count) return { interval, clip, t: shot.start + draw + last };
      draw -= count;
    }
    throw new Error('unreachable: the draw is below the sum of counts');
  }
}

function reelOf(store: ClipStore, frames: number, interval: number): Reel {
  const span = (frames - 1) * Math.abs(interval) + 1;
  const windows = store.clips.flatMap((clip) =>
    clip.shots
      .map((shot) => ({ clip, shot, count: shot.end - shot.start - span + 1 }))
      .filter(({ count }) => count > 0),
  );
  return { interval, windows, total: windows.reduce((sum, { count }) => sum + count, 0) };
}

/** HR pixels along the side of what is read for a sample: whole LR pixels at any of its scales. */
function regionSide({ crop, margin, scale, scales }: CropOptions): number {
  return Math.max(...(scales.length > 0 ? scales : [scale]).map((s) => ceilTo(crop + 2 * margin, s)));
}

/** How a square is laid: its sides exchanged, then mirrored. */
export interface Turn {
  readonly x: boolean;
  readonly y: boolean;
  readonly exchanged?: boolean;
}

/** One sample: LR (C, T, h, w) and HR (C, T or 1, H, W), values 0..1. */
export function cutSample(
  clip: ClipFrames,
  { t, y, x }: Volume,
  options: CropOptions,
  turn: Turn = { x: false, y: false },
  interval = 1,
): { lr: Float32Array; hr: Float32Array } {
  const { frames, crop, margin, scale, scales, degradation, rounded, channels, target } = options;
  const enlarged = scales.length > 0;
  const side = ceilTo(crop + 2 * margin, scale);
  const area = side * side;
  const planes = new Float32Array(channels * frames * area);
  for (let f = 0; f < frames; f++) {
    let picture: Uint8Array | Float32Array = cropPlanes(clip, t + f * interval, y, x, side, turn);
    if (channels < clip.channels) picture = lumaOfPlanes(picture);
    for (let c = 0; c < channels; c++) {
      const to = (c * frames + f) * area;
      for (let i = 0; i < area; i++) planes[to + i] = picture[c * area + i] / 255;
    }
  }
  let low = degrade(planes, side, side, degradation, scale);
  if (rounded) low = { ...low, data: Float32Array.from(toBytes(low.data, 255), (v) => v / 255) };
  if (enlarged) low = bicubicUpscale(low.data, low.width, low.height, scale);
  const zoom = enlarged ? 1 : scale;
  const lr = middleSquares(low.data, low.width, margin / zoom, crop / zoom);
  const hr = middleSquares(planes, side, margin, crop);
  if (target === 'all') return { lr, hr };
  const middle = new Float32Array(channels * crop * crop);
  for (let c = 0; c < channels; c++) {
    const from = (c * frames + Math.floor(frames / 2)) * crop * crop;
    middle.set(hr.subarray(from, from + crop * crop), c * crop * crop);
  }
  return { lr, hr: middle };
}

/** Of square planes, the squares that begin at `margin`. */
function middleSquares(planes: Float32Array, side: number, margin: number, inner: number): Float32Array {
  if (inner === side) return planes;
  const count = planes.length / side ** 2;
  const out = new Float32Array(count * inner * inner);
  for (let row = 0; row < count * inner; row++) {
    const from = (Math.floor(row / inner) * side + margin + (row % inner)) * side + margin;
    out.set(planes.subarray(from, from + inner), row * inner);
  }
  return out;
}

/** Motion from the middle frame of a sample (C, T, h, w) to the others: (2, T - 1, h, w). */
function motionsOfSample(lr: Float32Array, frames: number, side: number): Float32Array {
  const area = side * side;
  const channels = lr.length / (frames * area);
  const pictures = Array.from({ length: frames }, (_, f): Planes => {
    const data = new Float32Array(channels * area);
    for (let c = 0; c < channels; c++) {
      const from = (c * frames + f) * area;
      data.set(lr.subarray(from, from + area), c * area);
    }
    return { width: side, height: side, data };
  });
  const out = new Float32Array(2 * (frames - 1) * area);
  for (const [i, { data }] of motionsFrom(pictures).entries()) {
    for (const axis of [0, 1]) {
      out.set(data.subarray(axis * area, (axis + 1) * area), (axis * (frames - 1) + i) * area);
    }
  }
  return out;
}

/**
 * The fixed volumes of the public FSTRN code: every `temporalStride` frames in time and `stride` pixels in
 * space, regardless of shots. A QCIF sequence has 2 · (⌊(frames - 5) / 10⌋ + 1); the 25 of them, each with two mirror images,
 * make the paper's 13 020.
 */
export function enumerateVolumes(
  { frames, width, height }: { frames: number; width: number; height: number },
  { length = 5, crop = 144, stride = 32, temporalStride = 10 } = {},
): Volume[] {
  const volumes: Volume[] = [];
  for (let t = 0; t + length <= frames; t += temporalStride) {
    for (let y = 0; y + crop <= height; y += stride) {
      for (let x = 0; x + crop <= width; x += stride) volumes.push({ t, y, x });
    }
  }
  return volumes;
}

function cropPlanes(
  { frames, width, height, channels }: ClipFrames,
  t: number,
  top: number,
  left: number,
  crop: number,
  turn: Turn,
): Uint8Array {
  const out = new Uint8Array(channels * crop * crop);
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < crop; r++) {
      const from = (c * height + top + r) * width + left;
      const pixels = frames[t].subarray(from, from + crop);
      if (turn.exchanged) {
        const column = turn.x ? crop - 1 - r : r;
        for (let i = 0; i < crop; i++) out[(c * crop + (turn.y ? crop - 1 - i : i)) * crop + column] = pixels[i];
        continue;
      }
      const row = c * crop + (turn.y ? crop - 1 - r : r);
      const to = out.subarray(row * crop, (row + 1) * crop);
      to.set(pixels);
      if (turn.x) to.reverse();
    }
  }
  return out;
}

function checkOptions({ frames, crop, margin, scale, scales }: CropOptions): void {
  for (const [name, n] of Object.entries({ frames, crop, scale })) {
    if (!Number.isInteger(n) || n < 1) throw new UsageError(`${name}: expected a positive whole number, got ${n}`);
  }
  if (scales.length > 0) return;
  for (const [name, n] of Object.entries({ crop, margin })) {
    if (n % scale !== 0) throw new UsageError(`${name}: expected a multiple of the scale ${scale}, got ${n}`);
  }
}

function checkClip(clip: ClipFrames, options: CropOptions): void {
  const { name, width, height } = clip;
  const { frames, channels } = options;
  const crop = regionSide(options);
  if (clip.frames.length < frames) {
    throw new UsageError(`clip ${name}: expected at least ${frames} frames to train on, it has ${clip.frames.length}`);
  }
  if (width < crop || height < crop) {
    const room = Math.min(width, height) - (crop - options.crop);
    const most = room - (room % options.scale);
    throw new UsageError(
      `clip ${name}: samples are squares of ${crop} pixels (data.crop, and data.margin on each side), it has ` +
        `${width}x${height}: ${most > 0 ? `--set data.crop=${most} makes them smaller` : 'too few for any'}`,
    );
  }
  if (clip.channels < channels) throw new UsageError(`clip ${name}: expected RGB frames, it was loaded as Y`);
}
