import { createHash } from 'node:crypto';
import { UsageError } from '../engine/errors.ts';
import type { ClipFrames } from '../train/dataset.ts';
import { counted } from '../train/words.ts';
import type { Clip } from './clip.ts';
import { type LoadOptions, loadClips } from './load-clips.ts';

/** Clips split into frames to train on and frames to judge by. */
export interface Footage {
  readonly training: readonly ClipFrames[];
  readonly heldOut: readonly ClipFrames[];
}

export interface FootageOptions extends LoadOptions {
  /** Without clips for validation: the share at the end of each clip, and of the pictures, that is never trained on. */
  readonly holdOut: number;
  /** Frames that a sample needs. */
  readonly sample: number;
}

/** Reads clips to train on and clips to judge by. @throws {UsageError} for a clip that leaves too few frames for a sample */
export async function loadFootage(
  data: readonly string[],
  val: readonly string[],
  options: FootageOptions,
): Promise<Footage> {
  const clips = await loadClips(data, options);
  if (val.length > 0) return { training: clips, heldOut: await loadClips(val, options) };
  const { training, heldOut } = splitClips(clips, options.holdOut);
  const onePicture = clips.filter(isPicture).length === 1;
  for (const [i, { name, frames }] of training.entries()) {
    const all = clips[i].frames.length;
    if (frames.length >= options.sample || frames.length === all || (isPicture(clips[i]) && !onePicture)) continue;
    throw new UsageError(
      `clip ${name}: too short: it has ${counted(all, 'frame')}; hold-out (data.holdOut=${options.holdOut}) keeps ` +
        `${all - frames.length} for validation and leaves ${frames.length}, a sample needs ${options.sample}`,
    );
  }
  return { training: training.filter(({ frames }) => frames.length > 0), heldOut };
}

const isPicture = ({ frames }: ClipFrames): boolean => frames.length === 1;

/**
 * The last share of each clip is held out, and of single pictures the last of them: at least a frame, unless the share is 0.
 * @returns training has as many clips as are given, some of them empty
 */
export function splitClips(clips: readonly ClipFrames[], holdOut: number): Footage {
  const pictures = clips.filter(isPicture);
  const judged = new Set(pictures.slice(pictures.length - Math.ceil(pictures.length * holdOut)));
  const at = (clip: ClipFrames) => {
    const { length } = clip.frames;
    return isPicture(clip) ? Number(!judged.has(clip)) : length - Math.ceil(length * holdOut);
  };
  const heldOut = clips.map((clip) => ({ ...clip, frames: clip.frames.slice(at(clip)) }));
  return {
    training: clips.map((clip) => ({ ...clip, frames: clip.frames.slice(0, at(clip)) })),
    heldOut: heldOut.filter(({ frames }) => frames.length > 0),
  };
}

/**
 * Where the held-out frames of a run's only clip begin in its file. Of a long clip only the middle was loaded; of a damaged
 * one fewer frames than it promises, and then this is too late rather than too early.
 */
export function heldOutFrom(clip: Clip, { training, heldOut }: Footage): number {
  const loaded = training[0].frames.length + heldOut[0].frames.length;
  return Math.floor(((clip.frameCount ?? loaded) - loaded) / 2) + training[0].frames.length;
}

/** Of every pixel of every frame. */
export function digestOf({ training, heldOut }: Footage): string {
  const hash = createHash('sha256');
  for (const clip of [...training, ...heldOut]) for (const frame of clip.frames) hash.update(frame);
  return hash.digest('hex').slice(0, 16);
}
