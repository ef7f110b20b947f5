import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Writable } from 'node:stream';
import { ShapeError, UsageError } from '../engine/errors.ts';
import { commit, temporaryBeside, WriteError } from './atomic.ts';
import { complaint, findFfmpeg } from './ffmpeg.ts';
import {
  ACCURATE,
  assumedMatrix,
  type Colour,
  type Rational,
  rawFrameBytes,
  swscaleMatrix,
  type VideoInfo,
} from './video.ts';

export interface VideoWriterOptions {
  readonly width: number;
  readonly height: number;
  readonly fps: Rational;
  /** What `write` receives: interleaved RGB, or planes Y, U, V with chroma sizes rounded up. */
  readonly format: 'rgb24' | 'yuv420p';
  /** How Y, Cb, Cr are to be read; written as tags, and for rgb24 to H.264 the conversion that is made. */
  readonly colour?: Colour;
  readonly pixelAspect?: Rational;
  /** A file whose first audio track is copied, from `start` seconds on, `seconds` long. */
  readonly audio?: { path: string; codec?: string; start?: number; seconds?: number };
  /** x264's quality, 0 lossless to 51. */
  readonly crf?: number;
}

/** Frame rate, colour, pixel shape and audio of a source. Untagged colour is tagged as players took it at the source's size. */
export function optionsLike(
  video: VideoInfo,
): Pick<VideoWriterOptions, 'fps' | 'colour' | 'pixelAspect'> & { audio?: VideoWriterOptions['audio'] } {
  return {
    fps: video.fps,
    colour: { ...video.colour, range: video.rgb ? 'tv' : (video.colour.range ?? 'tv'), matrix: assumedMatrix(video) },
    pixelAspect: video.pixelAspect,
    audio: video.hasAudio ? { path: video.path, codec: video.audioCodec } : undefined,
  };
}

/**
 * Encodes frames: .mp4, .mov and .m4v as H.264, .mkv as lossless FFV1, .y4m raw. The file appears under its name only when it
 * is whole.
 * @throws {WriteError} when the encoder fails or the disk is full, with nothing left behind
 */
export class VideoWriter {
  readonly path: string;
  #temporary: string;
  #child: ChildProcess;
  #stdin: Writable;
  #complaints = '';
  #exit: Promise<number>;
  #frameBytes: number;
  #frames = 0;

  static async open(path: string, options: VideoWriterOptions): Promise<VideoWriter> {
    const codec = codecArgs(path, options); // before anything is started
    return new VideoWriter(path, options, codec, (await findFfmpeg()).path);
  }

  private constructor(path: string, options: VideoWriterOptions, codec: string[], ffmpeg: string) {
    const { width, height, fps, format, audio } = options;
    this.path = path;
    this.#temporary = temporaryBeside(path);
    this.#frameBytes = rawFrameBytes(format, width, height);
    const args = ['-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', format, '-s', `${width}x${height}`];
    args.push('-r', `${fps.num}/${fps.den}`, '-i', 'pipe:0');
    const hear = extname(path).toLowerCase() === '.y4m' ? undefined : audio;
    if (hear?.start) args.push('-ss', String(hear.start));
    if (hear?.seconds !== undefined) args.push('-t', String(hear.seconds));
    if (hear) args.push('-i', hear.path, '-map', '0:v', '-map', '1:a:0', '-c:a', audioCodec(path, hear.codec));
    args.push(...codec, this.#temporary);
    this.#child = spawn(ffmpeg, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    this.#stdin = this.#child.stdin as Writable;
    this.#stdin.on('error', () => {}); // a broken pipe shows in the write that met it
    this.#child.stderr?.on('data', (chunk) => {
      this.#complaints = (this.#complaints + chunk).slice(-4000);
    });
    this.#exit = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#complaints += error.message;
        resolve(-1);
      });
      this.#child.on('close', (code) => resolve(code ?? -1));
    });
  }

  /** Resolves when the encoder has taken the frame, so that memory stays bounded and the array may be used again. */
  async write(frame: Uint8Array): Promise<void> {
    if (frame.length !== this.#frameBytes) {
      throw new ShapeError(`${this.path}: expected a frame of ${this.#frameBytes} bytes, got ${frame.length}`);
    }
    const error = await new Promise((resolve) => this.#stdin.write(frame, resolve));
    if (error) throw await this.#failure();
    this.#frames++;
  }

  async close(): Promise<void> {
    if (this.#frames === 0) {
      await this.abort();
      throw new UsageError(`${this.path}: no frames were written, so there is no video`);
    }
    this.#stdin.end();
    // Some muxers report a full disk on stderr and still exit with 0.
    if ((await this.#exit) !== 0 || /No space left/.test(this.#complaints)) throw await this.#failure();
    await commit(this.#temporary, this.path);
  }

  /** Stops and leaves nothing. */
  async abort(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
    await rm(this.#temporary, { force: true });
  }

  async #failure(): Promise<WriteError> {
    this.#stdin.destroy();
    await this.#exit;
    await rm(this.#temporary, { force: true });
    const why = complaint(this.#complaints).replaceAll(this.#temporary, this.path) || 'the encoder stopped';
    return new WriteError(`cannot write ${this.path}: ffmpeg failed: ${why}; nothing was left behind`);
  }
}

/** Writes all frames or nothing. @returns how many */
export async function writeVideo(
  path: string,
  options: VideoWriterOptions,
  frames: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  const writer = await VideoWriter.open(path, options);
  let count = 0;
  try {
    for await (const frame of frames) {
      await writer.write(frame);
      count++;
    }
  } catch (error) {
    await writer.abort();
    throw error;
  }
  await writer.close();
  return count;
}

function codecArgs(path: string, options: VideoWriterOptions): string[] {
  const { width, height, format, colour = {}, pixelAspect = { num: 1, den: 1 }, crf = 18 } = options;
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0)) {
    throw new UsageError(`${path}: expected a size of at least 1x1, got ${width}x${height}`);
  }
  const kind = extname(path).toLowerCase();
  const rgb = format === 'rgb24';
  const tiny = Math.min(width, height) < 16;
  const odd = width % 2 === 1 || height % 2 === 1;
  const codecs: Record<string, { args: string[]; pixels: string }> = {
    // x264 refuses 4:2:0 of odd sizes
    h264: {
      args: ['-c:v', 'libx264', '-crf', `${crf}`, '-movflags', '+faststart'],
      pixels: odd ? 'yuv444p' : 'yuv420p',
    },
    // FFV1's checksummed slices lose pixels or are refused on frames of a few pixels; version 1 has no slices
    ffv1: {
      args: ['-c:v', 'ffv1', ...(tiny ? ['-level', '1'] : ['-level', '3', '-slicecrc', '1'])],
      pixels: rgb ? 'bgr0' : 'yuv420p',
    },
    y4m: { args: ['-f', 'yuv4mpegpipe'], pixels: rgb ? 'yuv444p' : 'yuv420p' },
  };
  const names: Record<string, string> = {
    '.mp4': 'h264',
    '.mov': 'h264',
    '.m4v': 'h264',
    '.mkv': 'ffv1',
    '.y4m': 'y4m',
  };
  const codec = codecs[names[kind]];
  if (!codec) throw new UsageError(`${path}: expected a video name ending in ${Object.keys(names).join(', ')}`);
  const filters = [];
  const { range = 'tv', matrix = 'smpte170m', primaries, transfer } = colour;
  const keepsRgb = codec.pixels === 'bgr0';
  if (rgb && !keepsRgb) {
    filters.push(`scale=out_color_matrix=${swscaleMatrix(matrix)}:out_range=${range}:flags=${ACCURATE}`);
  }
  filters.push(`format=${codec.pixels}`, `setsar=${pixelAspect.num}/${pixelAspect.den}`);
  const tags: string[] = [];
  if (!keepsRgb) {
    // as frame properties for new versions of ffmpeg, and as the encoder's options for old ones
    filters.push(`setparams=range=${range}:colorspace=${matrix}`);
    tags.push('-color_range', range, '-colorspace', matrix);
    if (primaries) tags.push('-color_primaries', primaries);
    if (transfer) tags.push('-color_trc', transfer);
  }
  return ['-vf', filters.join(','), ...codec.args, ...tags];
}

/** Copied where the container can hold it, else encoded anew. */
function audioCodec(path: string, codec: string | undefined): string {
  const inMp4 = ['aac', 'mp3', 'ac3', 'eac3', 'alac', 'opus', 'flac'];
  return extname(path).toLowerCase() === '.mkv' || (codec && inMp4.includes(codec)) ? 'copy' : 'aac';
}
