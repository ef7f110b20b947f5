import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { FormatError } from '../engine/errors.ts';
import { interleavedToYuv420, lumaOfInterleaved } from '../train/colour.ts';
import { imageSize, isImageName, readImage, toEightBits } from './image.ts';
import { countPackets, probeVideo, type Rational, readFrames, type VideoInfo } from './video.ts';

/**
 * One frame, values 0..255.
 * - 'rgb': interleaved R, G, B in bytes.
 * - 'y': a file that stores Y gives its own Y in bytes, untouched, whatever its range (FSTRN trains on
 *   these); an RGB file gives BT.601 limited-range Y in floats, not rounded.
 * - 'yuv': planes Y, U, V of 4:2:0 in bytes, chroma sizes rounded up.
 */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly format: FrameFormat;
  readonly data: Uint8Array | Float32Array;
}
export type FrameFormat = 'rgb' | 'y' | 'yuv';

export interface FrameRange {
  readonly format: FrameFormat;
  /** First frame, from 0. */
  readonly start?: number;
  readonly count?: number;
  /** For video: 'every' stored frame (default), or repeated and dropped to a 'constant' rate. */
  readonly timing?: 'every' | 'constant';
}

export interface Clip {
  readonly path: string;
  /** File or folder name without extension. */
  readonly name: string;
  readonly kind: 'video' | 'image' | 'folder';
  readonly width: number;
  readonly height: number;
  readonly fps: Rational;
  /** Known before reading; for a video from its packets, where a damaged end may still shorten it. */
  readonly frameCount?: number;
  /** What else a video file says: colour, audio, pixel shape. */
  readonly video?: VideoInfo;
  frames(range: FrameRange): AsyncIterable<Frame>;
}

const NOMINAL_RATE = { num: 25, den: 1 }; // of pictures, which have none

/**
 * Opens a video that ffmpeg reads, a picture, a folder of pictures in natural order, or raw 4:2:0 `.yuv` whose name holds
 * its size (qcif, cif, 352x288).
 * @throws {FormatError} for what is missing, empty, foreign or of mixed sizes
 */
export async function openClip(path: string): Promise<Clip> {
  const found = await stat(path).catch((error) => {
    const reason = error.code === 'ENOENT' ? 'no such file or folder' : error.message;
    throw new FormatError(`${path}: ${reason}`, { cause: error });
  });
  if (found.isDirectory()) return openPictures(path, await picturesIn(path));
  if (isImageName(path)) return openPictures(path, [path]);
  return openVideo(path);
}

/** The pictures of a folder in natural order: frame2 before frame10. */
export async function picturesIn(folder: string): Promise<string[]> {
  const order = new Intl.Collator('en', { numeric: true });
  const names = (await readdir(folder)).filter((name) => isImageName(name) && !name.startsWith('.'));
  return names.sort(order.compare).map((name) => join(folder, name));
}

/** Whether pictures are of one size, and so may be the frames of a clip. */
export async function areAlike(files: readonly string[]): Promise<boolean> {
  const sizes = await Promise.all(files.map(imageSize));
  return sizes.every(({ width, height }) => width === sizes[0].width && height === sizes[0].height);
}

async function openVideo(path: string): Promise<Clip> {
  const video = await probeVideo(path);
  const { width, height, fps } = video;
  const frames = ({ format, ...range }: FrameRange) =>
    format === 'rgb' || video.rgb
      ? fromRgb(readFrames(video, { ...range, format: 'rgb24' }), width, height, format)
      : asFrames(readFrames(video, { ...range, format: format === 'y' ? 'gray' : 'yuv420p' }), width, height, format);
  return { ...named(path), kind: 'video', width, height, fps, frameCount: await countPackets(video), video, frames };
}

async function openPictures(path: string, files: string[]): Promise<Clip> {
  if (files.length === 0) throw new FormatError(`${path}: expected a folder of pictures, found none in it`);
  const { width, height } = await imageSize(files[0]);
  async function* read(start: number, count: number) {
    for (const file of files.slice(start, start + count)) {
      const image = await readImage(file);
      if (image.width !== width || image.height !== height) {
        throw new FormatError(
          `${path}: frames of mixed sizes: ${basename(files[0])} is ${width}x${height}, ` +
            `${basename(file)} is ${image.width}x${image.height}`,
        );
      }
      yield toEightBits(image.data);
    }
  }
  return {
    ...named(path),
    kind: files[0] === path ? 'image' : 'folder',
    width,
    height,
    fps: NOMINAL_RATE,
    frameCount: files.length,
    frames: ({ format, start = 0, count = files.length }) => fromRgb(read(start, count), width, height, format),
  };
}

const named = (path: string) => ({ path, name: basename(path, extname(path)) });

async function* asFrames(
  source: AsyncIterable<Uint8Array>,
  width: number,
  height: number,
  format: FrameFormat,
): AsyncGenerator<Frame> {
  for await (const data of source) yield { width, height, format, data };
}

async function* fromRgb(
  source: AsyncIterable<Uint8Array>,
  width: number,
  height: number,
  format: FrameFormat,
): AsyncGenerator<Frame> {
  for await (const rgb of source) {
    if (format === 'rgb') yield { width, height, format, data: rgb };
    else if (format === 'y') yield { width, height, format, data: lumaOfInterleaved(rgb) };
    else yield { width, height, format, data: interleavedToYuv420(rgb, width, height) };
  }
}
