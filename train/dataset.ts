import { UsageError } from '../engine/errors.ts';
import { Random, type RandomState } from '../engine/random.ts';
import { lumaOfPlanes } from './colour.ts';
import { type Degradation, degrade } from './degrade.ts';
import { type Shot, ShotDetector } from './shots.ts';

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
  /** Height and width of the HR crop, a multiple of the scale. */
  readonly crop: number;
  readonly scale: number;
  readonly degradation: Degradation;
  /** 1: Y, that of BT.601 where a clip holds RGB. 3: RGB. */
  readonly channels: 1 | 3;
  /** Mirrors in x and in y, each every second time; time runs forward. */
  readonly flips: boolean;
  /** HR of all T frames, or of the middle one only, which is what FSTRN's loss takes in its public code. */
  readonly target: 'all' | 'centre';
}

/** FSTRN's samples, as its public code cuts them. */
export const FSTRN_CROPS: CropOptions = {
  frames: 5,
  crop: 144,
  scale: 4,
  degradation: 'gaussian',
  channels: 1,
  flips: true,
  target: 'centre',
};

/** Values in 0..1. */
export interface Batch {
  readonly lr: Float32Array;
  readonly hr: Float32Array;
  /** (N, C, T, h, w) */
  readonly lrShape: readonly number[];
  /** (N, C, T or 1, H, W) */
  readonly hrShape: readonly number[];
}

/**
 * Random crops of T consecutive frames that never cross a shot change; every such window of every clip is equally likely.
 * The crop itself is degraded, borders and all, in FSTRN's order. The sequence depends on the clips, the options and the seed
 * alone, and continues from its state.
 * @throws {UsageError} for a clip with fewer than T frames or smaller than the crop, or when no shot has T frames
 */
export class CropSampler {
  #windows: { clip: StoredClip; shot: Shot; count: number }[] = [];
  #total = 0;
  #options: CropOptions;
  #random: Random;

  constructor(store: ClipStore, options: CropOptions, seed: number) {
    this.#options = options;
    this.#random = new Random(seed);
    checkOptions(options);
    for (const clip of store.clips) {
      checkClip(clip, options);
      for (const shot of clip.shots) {
        const count = shot.end - shot.start - options.frames + 1;
        if (count < 1) continue;
        this.#windows.push({ clip, shot, count });
        this.#total += count;
      }
    }
    if (this.#total === 0) {
      const names = store.clips.map((clip) => clip.name).join(', ') || 'none given';
      throw new UsageError(`no clip (${names}) has a shot of ${options.frames} frames to train on`);
    }
  }

  /** How many different windows in time there are to draw from. */
  get windows(): number {
    return this.#total;
  }

  next(batch: number): Batch {
    const { crop, scale, frames, channels, flips, target } = this.#options;
    const lrShape = [batch, channels, frames, crop / scale, crop / scale];
    const hrShape = [batch, channels, target === 'all' ? frames : 1, crop, crop];
    const [lr, hr] = [lrShape, hrShape].map((shape) => new Float32Array(shape.reduce((a, b) => a * b)));
    for (let n = 0; n < batch; n++) {
      const { clip, t } = this.#window();
      const y = this.#random.int(clip.height - crop + 1);
      const x = this.#random.int(clip.width - crop + 1);
      const mirror = flips ? this.#random.int(4) : 0;
      const sample = cutSample(clip, { t, y, x }, this.#options, { x: (mirror & 1) === 1, y: mirror >= 2 });
      lr.set(sample.lr, (n * lr.length) / batch);
      hr.set(sample.hr, (n * hr.length) / batch);
    }
    return { lr, hr, lrShape, hrShape };
  }

  /** Plain numbers, for a checkpoint. */
  state(): RandomState {
    return this.#random.state();
  }

  restore(state: RandomState): void {
    this.#random = Random.from(state);
  }

  #window(): { clip: StoredClip; t: number } {
    let draw = this.#random.int(this.#total);
    for (const { clip, shot, count } of this.#windows) {
      if (draw < count) return { clip, t: shot.start + draw };
      draw -= count;
    }
    throw new Error('unreachable: the draw is below the sum of counts');
  }
}

/** One sample: LR (C, T, h, w) and HR (C, T or 1, H, W), values 0..1. */
export function cutSample(
  clip: ClipFrames,
  { t, y, x }: Volume,
  { frames, crop, scale, degradation, channels, target }: CropOptions,
  mirror: { x: boolean; y: boolean } = { x: false, y: false },
): { lr: Float32Array; hr: Float32Array } {
  const area = crop * crop;
  const planes = new Float32Array(channels * frames * area);
  for (let f = 0; f < frames; f++) {
    let picture: Uint8Array | Float32Array = cropPlanes(clip, t + f, y, x, crop, mirror);
    if (channels < clip.channels) picture = lumaOfPlanes(picture);
    for (let c = 0; c < channels; c++) {
      const to = (c * frames + f) * area;
      for (let i = 0; i < area; i++) planes[to + i] = picture[c * area + i] / 255;
    }
  }
  const lr = degrade(planes, crop, crop, degradation, scale).data;
  if (target === 'all') return { lr, hr: planes };
  const hr = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const from = (c * frames + Math.floor(frames / 2)) * area;
    hr.set(planes.subarray(from, from + area), c * area);
  }
  return { lr, hr };
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
  mirror: { x: boolean; y: boolean },
): Uint8Array {
  const out = new Uint8Array(channels * crop * crop);
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < crop; r++) {
      const row = top + (mirror.y ? crop - 1 - r : r);
      const from = (c * height + row) * width + left;
      const pixels = frames[t].subarray(from, from + crop);
      const to = out.subarray((c * crop + r) * crop, (c * crop + r + 1) * crop);
      to.set(pixels);
      if (mirror.x) to.reverse();
    }
  }
  return out;
}

function checkOptions({ frames, crop, scale }: CropOptions): void {
  for (const [name, n] of Object.entries({ frames, crop, scale })) {
    if (!Number.isInteger(n) || n < 1) throw new UsageError(`${name}: expected a positive whole number, got ${n}`);
  }
  if (crop % scale !== 0) throw new UsageError(`crop: expected a multiple of the scale ${scale}, got ${crop}`);
}

function checkClip(clip: ClipFrames, { frames, crop, channels }: CropOptions): void {
  const { name, width, height } = clip;
  if (clip.frames.length < frames) {
    throw new UsageError(`clip ${name}: expected at least ${frames} frames to train on, it has ${clip.frames.length}`);
  }
  if (width < crop || height < crop) {
    throw new UsageError(
      `clip ${name}: expected at least ${crop}x${crop} pixels to crop from, it has ${width}x${height}`,
    );
  }
  if (clip.channels < channels) throw new UsageError(`clip ${name}: expected RGB frames, it was loaded as Y`);
}
