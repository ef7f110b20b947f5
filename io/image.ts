import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { PNG } from 'pngjs';
import { FormatError, ShapeError, UsageError } from '../engine/errors.ts';
import { WriteError, writeFileAtomic } from './atomic.ts';
import { complaint, runFfmpeg } from './ffmpeg.ts';
import { ACCURATE, probeVideo, readFrames } from './video.ts';

/** Interleaved RGB: Uint8Array 0..255, or Uint16Array 0..65535 from 16-bit files. Grey is repeated, alpha dropped. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

const READABLE = ['.png', '.jpg', '.jpeg', '.ppm', '.pgm', '.bmp', '.webp', '.tif', '.tiff'];
/** ffmpeg's encoder and pixel format for each extension that pngjs does not write. */
const ENCODERS: Record<string, string[]> = {
  '.jpg': ['-c:v', 'mjpeg', '-q:v', '1', '-pix_fmt', 'yuvj444p'],
  '.jpeg': ['-c:v', 'mjpeg', '-q:v', '1', '-pix_fmt', 'yuvj444p'],
  '.ppm': ['-c:v', 'ppm'],
  '.bmp': ['-c:v', 'bmp', '-pix_fmt', 'bgr24'],
  '.webp': ['-c:v', 'libwebp', '-lossless', '1', '-pix_fmt', 'bgra'],
};
const MAX_PIXELS = 2 ** 28; // 16384 x 16384: past it, an image's header is taken for a lie

export const isImageName = (path: string): boolean => READABLE.includes(extname(path).toLowerCase());

/** PNG by pngjs, everything else by ffmpeg. @throws {FormatError} for missing, truncated or foreign files */
export async function readImage(path: string): Promise<Image> {
  if (extname(path).toLowerCase() === '.png') return decodePng(path, await readBytes(path));
  const video = await probeVideo(path);
  const { width, height, colour } = video;
  const still = { ...video, colour: { ...colour, matrix: colour.matrix ?? 'smpte170m' } }; // pictures are BT.601 at any size
  for await (const data of readFrames(still, { format: 'rgb24', count: 1 })) return { width, height, data };
  throw new FormatError(`${path}: expected a picture, found none that can be decoded`);
}

/** Width and height, for PNG from its header alone. */
export async function imageSize(path: string): Promise<{ width: number; height: number }> {
  return extname(path).toLowerCase() === '.png' ? pngHeader(path, await readBytes(path)) : probeVideo(path);
}

/** .png in 8 or 16 bits, .jpg, .ppm, .bmp, .webp (lossless); atomically. */
export async function writeImage(path: string, image: Image): Promise<void> {
  await writeFileAtomic(path, await encodeImage(path, image));
}

async function encodeImage(path: string, { width, height, data }: Image): Promise<Uint8Array> {
  if (data.length !== 3 * width * height || data.length === 0) {
    throw new ShapeError(
      `${path}: expected ${width}x${height} RGB, that is ${3 * width * height} values, got ${data.length}`,
    );
  }
  const kind = extname(path).toLowerCase();
  if (kind === '.png') return encodePng({ width, height, data });
  if (!ENCODERS[kind]) {
    throw new UsageError(`${path}: expected a picture name ending in .png, ${Object.keys(ENCODERS).join(', ')}`);
  }
  const bytes = toEightBits(data);
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`, '-i', 'pipe:0'];
  const args = [
    '-v',
    'error',
    ...input,
    '-frames:v',
    '1',
    ...ENCODERS[kind],
    '-sws_flags',
    ACCURATE,
    '-f',
    'image2pipe',
    '-',
  ];
  const { code, stdout, stderr } = await runFfmpeg(args, bytes);
  if (code !== 0 || stdout.length === 0)
    throw new WriteError(`cannot write ${path}: ffmpeg failed: ${complaint(stderr)}`);
  return stdout;
}

export function toEightBits(data: Uint8Array | Uint16Array): Uint8Array {
  return data instanceof Uint8Array ? data : Uint8Array.from(data, (v) => Math.round(v / 257));
}

export function encodePng({ width, height, data }: Image): Buffer {
  const png = new PNG({ width, height });
  const wide = data instanceof Uint16Array;
  // pngjs reads 16-bit samples from the start of the underlying buffer, whatever the view's offset
  png.data = (wide ? new Uint16Array(data) : data) as unknown as Buffer;
  const rgb = { colorType: 2, inputColorType: 2, inputHasAlpha: false, deflateLevel: 6 } as const;
  return PNG.sync.write(png, { ...rgb, bitDepth: wide ? 16 : 8 });
}

function decodePng(path: string, bytes: Buffer): Image {
  const { width, height, depth } = pngHeader(path, bytes);
  let rgba: Uint8Array | Uint16Array;
  try {
    rgba = PNG.sync.read(bytes, { skipRescale: depth === 16 }).data as unknown as Uint8Array | Uint16Array;
  } catch (error) {
    throw new FormatError(`${path}: a damaged or truncated PNG (${(error as Error).message})`, { cause: error });
  }
  const data = depth === 16 ? new Uint16Array(3 * width * height) : new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c];
  }
  return { width, height, data };
}

function pngHeader(path: string, bytes: Buffer): { width: number; height: number; depth: number } {
  if (bytes.length < 33 || bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') {
    const found = bytes.length === 0 ? 'an empty file' : `bytes that begin ${bytes.toString('hex', 0, 8)}`;
    throw new FormatError(`${path}: expected a PNG, found ${found}`);
  }
  const [width, height, depth] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24]];
  if (width === 0 || height === 0 || width * height > MAX_PIXELS) {
    throw new FormatError(`${path}: a PNG of ${width}x${height}: expected 1 to ${MAX_PIXELS} pixels`);
  }
  return { width, height, depth };
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new FormatError(`${path}: ${code === 'ENOENT' ? 'no such file' : message}`, { cause: error });
  }
}
