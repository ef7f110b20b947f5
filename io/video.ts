import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { Readable } from 'node:stream';
import { FormatError, UsageError } from '../engine/errors.ts';
import { complaint, findFfmpeg, runFfmpeg } from './ffmpeg.ts';

export interface Rational {
  readonly num: number;
  readonly den: number;
}

/** Colour tags in ffmpeg's words; undefined where the file does not say. */
export interface Colour {
  readonly range?: 'tv' | 'pc';
  readonly matrix?: string;
  readonly primaries?: string;
  readonly transfer?: string;
}

export interface VideoInfo {
  readonly path: string;
  /** What ffmpeg needs before `-i` to read the file: nothing, but for raw video. */
  readonly inputOptions: readonly string[];
  /** Of the frames as they are read, that is after rotation. */
  readonly width: number;
  readonly height: number;
  readonly fps: Rational;
  /** Shape of a pixel, 1:1 where unknown. */
  readonly pixelAspect: Rational;
  /** ffmpeg's name, such as yuv420p or bgr0. */
  readonly pixelFormat: string;
  /** Whether the file holds R, G, B rather than Y, Cb, Cr. */
  readonly rgb: boolean;
  readonly colour: Colour;
  /** Degrees of the display matrix; reading undoes it. */
  readonly rotation: number;
  readonly hasAudio: boolean;
  readonly audioCodec?: string;
  readonly seconds?: number;
}

/** yuv420p: planes Y, U, V, chroma sizes rounded up. gray: the Y plane. rgb24: interleaved R, G, B. */
export type RawFormat = 'yuv420p' | 'gray' | 'rgb24';

export interface ReadOptions {
  readonly format: RawFormat;
  /** First frame, from 0. */
  readonly start?: number;
  readonly count?: number;
  /** 'every' frame that is in the file (default), or repeated and dropped to a 'constant' rate, which keeps in step with audio. */
  readonly timing?: 'every' | 'constant';
}

export function rawFrameBytes(format: RawFormat, width: number, height: number): number {
  if (format === 'rgb24') return 3 * width * height;
  const chroma = format === 'gray' ? 0 : 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
  return width * height + chroma;
}

/**
 * What is in a video file, by decoding its first frame: the header of ffmpeg's y4m output has the exact frame rate and size,
 * its messages have the rest. There is no ffprobe beside the npm package's ffmpeg.
 * @throws {FormatError} that says what was found instead of a video
 */
export async function probeVideo(path: string): Promise<VideoInfo> {
  const inputOptions = await optionsFor(path);
  const one = ['-map', '0:V:0', '-frames:v', '1', '-pix_fmt', 'yuv420p', '-f', 'yuv4mpegpipe', '-'];
  const { stdout, stderr } = await runFfmpeg(['-hide_banner', '-nostdin', ...inputOptions, '-i', path, ...one]);
  const header = /^YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) \S+ A(\d+):(\d+)/.exec(stdout.toString('latin1', 0, 200));
  const stream = /Stream #0:\d+.*: Video: (?!.*\(attached pic\))\S+(?: \([^)]*\))*, (\w+)(?:\(([^)]*)\))?/.exec(stderr);
  if (!header || !stream) throw await notAVideo(path, stderr);
  const [width, height, num, den, aspectNum, aspectDen] = header.slice(1).map(Number);
  const pixelFormat = stream[1];
  const rgb = /rgb|bgr|^gbr|^pal8|^0[rb]/.test(pixelFormat);
  const duration = /Duration: (\d+):(\d+):([\d.]+)/.exec(stderr)?.slice(1).map(Number);
  const rotation = /rotation of (-?[\d.]+) degrees/.exec(stderr)?.[1];
  const audioCodec = /Stream #0:\d+.*: Audio: (\w+)/.exec(stderr)?.[1];
  return {
    path,
    inputOptions,
    width,
    height,
    fps: num > 0 && den > 0 ? { num, den } : { num: 25, den: 1 },
    pixelAspect: aspectNum > 0 && aspectDen > 0 ? { num: aspectNum, den: aspectDen } : { num: 1, den: 1 },
    pixelFormat,
    rgb,
    colour: rgb ? {} : parseColour(pixelFormat, stream[2] ?? ''),
    rotation: Number(rotation ?? 0),
    hasAudio: audioCodec !== undefined,
    audioCodec,
    seconds: duration && duration[0] * 3600 + duration[1] * 60 + duration[2],
  };
}

/** Frames by counting packets without decoding: quick and nearly always right (packed AVIs hold one that shows nothing). */
export async function countPackets({ path, inputOptions }: VideoInfo): Promise<number | undefined> {
  const copy = ['-map', '0:V:0', '-c', 'copy', '-f', 'null', '-'];
  const { stderr } = await runFfmpeg(['-nostdin', ...inputOptions, '-i', path, ...copy]);
  const counts = [...stderr.matchAll(/frame= *(\d+)/g)];
  return counts.length ? Number(counts[counts.length - 1][1]) : undefined;
}

/**
 * Decodes frames one after the other; ffmpeg waits while the reader does, and ends when the reader leaves early.
 * Y and YUV of 8-bit files are the file's own bytes, whatever their range.
 * @throws {FormatError} after the last whole frame of a file that is truncated or damaged
 */
export async function* readFrames(video: VideoInfo, options: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = rawFrameBytes(options.format, video.width, video.height);
  const child = await startDecoder(video, options);
  const closed = once(child, 'close');
  closed.catch(() => {}); // awaited below, unless the reader has left
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints = (complaints + chunk).slice(-4000);
  });
  let frame = new Uint8Array(bytes);
  let filled = 0;
  let frames = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; ) {
        const n = Math.min(bytes - filled, chunk.length - at);
        frame.set(chunk.subarray(at, at + n), filled);
        at += n;
        filled += n;
        if (filled < bytes) continue;
        frames++;
        yield frame;
        frame = new Uint8Array(bytes); // the reader may keep the one it got
        filled = 0;
      }
    }
    const [code] = await closed;
    checkEnd(video, options, { frames, filled, code, complaints });
  } finally {
    child.kill('SIGKILL');
    await closed.catch(() => {});
  }
}

async function startDecoder(video: VideoInfo, options: ReadOptions) {
  const { start = 0, count, timing = 'every' } = options;
  const ffmpeg = await findFfmpeg();
  const filters = [];
  if (start > 0) filters.push(`trim=start_frame=${start}`, 'setpts=PTS-STARTPTS');
  filters.push(...conversion(video, options.format));
  const { num, den } = video.fps;
  const args = ['-v', 'error', '-nostdin', ...video.inputOptions, '-i', video.path];
  args.push('-map', '0:V:0', '-vf', filters.join(','));
  args.push(...(timing === 'every' ? ffmpeg.everyFrame : [...ffmpeg.constantRate, '-r', `${num}/${den}`]));
  if (count !== undefined) args.push('-frames:v', String(count));
  args.push('-f', 'rawvideo', '-');
  return spawn(ffmpeg.path, args, { stdio: ['ignore', 'pipe', 'pipe'] }) as ChildProcessByStdio<
    null,
    Readable,
    Readable
  >;
}

/** 8-bit planar formats whose planes can be taken as they are. */
const PLANAR = /^(gray|yuvj?(410|411|420|422|440|444)p|yuva(420|422|444)p)$/;

function conversion(video: VideoInfo, format: RawFormat): string[] {
  const { pixelFormat, colour } = video;
  if (format === 'gray') {
    if (pixelFormat === 'gray') return ['format=gray'];
    return PLANAR.test(pixelFormat) ? ['extractplanes=y'] : ['format=yuv420p', 'extractplanes=y'];
  }
  if (format === 'yuv420p') return [`format=${colour.range === 'pc' && !video.rgb ? 'yuvj420p' : 'yuv420p'}`];
  if (video.rgb) return ['format=rgb24'];
  // Without accurate_rnd swscale takes a shortcut that repeats chroma instead of interpolating it.
  return [`scale=in_color_matrix=${swscaleMatrix(assumedMatrix(video))}:flags=${ACCURATE}`, 'format=rgb24'];
}

export const ACCURATE = 'bicubic+accurate_rnd+full_chroma_int+full_chroma_inp';

/** The file's matrix, or what players assume where it has none: BT.709 from 720 lines on, else BT.601. */
export function assumedMatrix(video: Pick<VideoInfo, 'colour' | 'height'>): string {
  return video.colour.matrix ?? (video.height >= 720 ? 'bt709' : 'smpte170m');
}

/** swscale's own names for matrices, of which it knows six. */
export function swscaleMatrix(matrix: string): string {
  if (matrix.startsWith('bt2020')) return 'bt2020';
  return ['bt709', 'fcc', 'smpte240m'].includes(matrix) ? matrix : 'bt601';
}

function checkEnd(
  { path, fps, seconds }: VideoInfo,
  { start = 0, count = Number.POSITIVE_INFINITY, timing }: ReadOptions,
  { frames, filled, code, complaints }: { frames: number; filled: number; code: number; complaints: string },
): void {
  const why = complaints.trim() ? ` (${complaint(complaints)})` : '';
  const rate = fps.num / fps.den;
  // The duration is of the longest stream and rates vary, so fewer frames alone prove nothing; with a complaint they do.
  const expected = seconds === undefined || timing === 'constant' ? 0 : Math.round(seconds * rate);
  const short = frames < count && start + frames < expected - 2 && why !== '';
  if (short || filled > 0) {
    throw new FormatError(
      `${path}: expected about ${expected} frames (${seconds} s at ${rate.toFixed(2)} fps), ` +
        `but it ends after ${start + frames}: truncated or damaged${why}`,
    );
  }
  if (code !== 0) throw new FormatError(`${path}: decoding failed after ${start + frames} frames${why}`);
}

/** `tv, bt709/unknown/bt709, progressive`: range, then matrix/primaries/transfer or one name for all three. */
function parseColour(pixelFormat: string, details: string): Colour {
  const items = details.split(', ');
  const names = items.find((item) => item.includes('/') || /^(bt|smpte|fcc|gbr)/.test(item))?.split('/') ?? [];
  const [matrix, primaries = matrix, transfer = matrix] = names;
  const known = (name?: string) => (name === undefined || /^(unknown|reserved|gbr)$/.test(name) ? undefined : name);
  const full = items.includes('pc') || pixelFormat.startsWith('yuvj');
  return {
    range: full ? 'pc' : items.includes('tv') ? 'tv' : undefined,
    matrix: known(matrix),
    primaries: known(primaries),
    transfer: known(transfer),
  };
}

/**
 * Raw 4:2:0 has no header: the size stands in the file's name, as with the 25 QCIF sequences. Of all
 * other files, only their own beginning says what they are.
 */
async function optionsFor(path: string): Promise<string[]> {
  if (extname(path).toLowerCase() !== '.yuv') {
    await refuseText(path);
    return [];
  }
  const name = basename(path);
  const written = /(\d+)x(\d+)/.exec(name)?.slice(1).map(Number);
  const size = written ?? (/qcif/i.test(name) ? [176, 144] : /cif/i.test(name) ? [352, 288] : undefined);
  if (!size) throw new UsageError(`${path}: raw video: expected qcif, cif or WIDTHxHEIGHT in its name`);
  const [bytes, frame] = [(await stat(path)).size, rawFrameBytes('yuv420p', size[0], size[1])];
  if (bytes === 0 || bytes % frame !== 0) {
    throw new FormatError(`${path}: expected whole frames of ${frame} bytes (${size.join('x')}), found ${bytes} bytes`);
  }
  return ['-f', 'rawvideo', '-pixel_format', 'yuv420p', '-video_size', size.join('x'), '-framerate', '30'];
}

/** ffmpeg would render a text file as pictures of text; and playlists can name files elsewhere. */
async function refuseText(path: string): Promise<void> {
  const head = await firstBytes(path, 512);
  if (head.length === 0) throw new FormatError(`${path}: expected a video or picture, found an empty file`);
  const text = head.toString('latin1');
  if (/^(YUV4MPEG2 |P[1-7]\s|Pf|PF)/.test(text)) return; // binary data under a line of text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells binary data
  if (/[\x00-\x08\x0e-\x1f]/.test(text)) return;
  throw new FormatError(
    `${path}: expected a video or picture, found text that begins ${JSON.stringify(text.slice(0, 40))}`,
  );
}

async function notAVideo(path: string, stderr: string): Promise<FormatError> {
  const streams = [...stderr.matchAll(/Stream #0:\d+.*?: (\w+): (\w+)/g)].map(([, kind, codec]) => `${kind} ${codec}`);
  const head = await firstBytes(path, 12);
  const mp4 = head.toString('latin1', 4, 8) === 'ftyp';
  if (/matches no streams/.test(stderr)) {
    return new FormatError(`${path}: expected a video, found none in it, only ${streams.join(', ') || 'data'}`);
  }
  const found =
    mp4 && /moov atom not found/.test(stderr)
      ? 'the beginning of an MP4 without its index: truncated, or still being written'
      : streams.length
        ? `${streams.join(', ')} with no frame that can be decoded`
        : `bytes that begin ${head.toString('hex')}`;
  return new FormatError(`${path}: expected a video that ffmpeg can read, found ${found} (${complaint(stderr)})`);
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : message;
    throw new FormatError(`${path}: expected a video or picture: ${reason}`, { cause: error });
  }
}
