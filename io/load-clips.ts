import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { FormatError } from '../engine/errors.ts';
import { toBytes, toPlanes } from '../train/colour.ts';
import type { ClipFrames } from '../train/dataset.ts';
import { areAlike, type Clip, openClip, picturesIn } from './clip.ts';

export interface LoadProgress {
  readonly clip: string;
  /** Of all clips together. */
  readonly framesDone: number;
  readonly framesTotal: number;
}

export interface LoadOptions {
  /** 1: Y (rounded where a file holds RGB), 3: RGB. */
  readonly channels: 1 | 3;
  /** What the decoded frames may take; past it, clips keep the same share of their frames, around the middle, and so many pictures stay. */
  readonly maxBytes?: number;
  readonly onProgress?: (progress: LoadProgress) => void;
}

const VIDEO_NAME = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|m2ts|wmv|flv|ogv|y4m|yuv)$/i;
const SHORTEST = 16; // frames that a clip keeps however little memory there is

/**
 * Decodes clips for training. Folders are searched for clips: video files, and folders of pictures, at any depth. Pictures of
 * different sizes are clips of one frame.
 */
export async function loadClips(paths: readonly string[], options: LoadOptions): Promise<ClipFrames[]> {
  const { channels, maxBytes = 2 ** 30, onProgress } = options;
  const found: Clip[] = [];
  for (const path of paths) for (const clip of await findClips(path)) found.push(await openClip(clip));
  const count = (clip: Clip) => clip.frameCount ?? SHORTEST;
  const bytes = found.reduce((sum, clip) => sum + count(clip) * channels * clip.width * clip.height, 0);
  const share = Math.min(1, maxBytes / bytes);
  const clips = thinned(found, share);
  const kept = clips.map((clip) => Math.max(Math.floor(count(clip) * share), Math.min(count(clip), SHORTEST)));
  const framesTotal = kept.reduce((a, b) => a + b, 0);
  const loaded: ClipFrames[] = [];
  let framesDone = 0;
  for (const [i, clip] of clips.entries()) {
    const { name, width, height } = clip;
    const frames: Uint8Array[] = [];
    const start = Math.floor((count(clip) - kept[i]) / 2);
    for await (const { data } of clip.frames({ format: channels === 1 ? 'y' : 'rgb', start, count: kept[i] })) {
      const bytes = data instanceof Uint8Array ? data : toBytes(data);
      frames.push(channels === 1 ? bytes : toPlanes(bytes));
      onProgress?.({ clip: name, framesDone: ++framesDone, framesTotal });
    }
    loaded.push({ name, width, height, channels, frames });
  }
  return loaded;
}

/** Of pictures, that share, evenly; clips are all there. */
function thinned(clips: readonly Clip[], share: number): Clip[] {
  const pictures = clips.filter(({ kind }) => kind === 'image');
  const kept = new Set(pictures.filter((_, i) => i === 0 || Math.floor((i + 1) * share) > Math.floor(i * share)));
  return clips.filter((clip) => clip.kind !== 'image' || kept.has(clip));
}

/** The clips under a path, in natural order: the path itself, or those in the folder. */
export async function findClips(path: string): Promise<string[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false, // openClip says what is wrong
  );
  if (!isFolder) return [path];
  const found = await search(path);
  if (found.length === 0)
    throw new FormatError(`${path}: expected clips in this folder, found no video and no pictures`);
  return found;
}

async function search(folder: string): Promise<string[]> {
  const pictures = await picturesIn(folder);
  if (pictures.length > 0) return (await areAlike(pictures)) ? [folder] : pictures;
  const order = new Intl.Collator('en', { numeric: true });
  const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => order.compare(a.name, b.name))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await search(path)));
    else if (VIDEO_NAME.test(extname(entry.name))) found.push(path);
  }
  return found;
}
