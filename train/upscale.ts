import type { Engine } from '../engine/engine.ts';
import { ShapeError } from '../engine/errors.ts';
import type { Net } from '../nets/net.ts';
import { rgbToYcbcr, toBytes, toInterleaved, toPlanes, ycbcrToRgb } from './colour.ts';
import { bicubicUpscale, type Planes } from './degrade.ts';
import { type InferOptions, superResolve } from './infer.ts';

/** A frame as files hold it, bytes: interleaved R, G, B, or planes Y, U, V of 4:2:0 with chroma sizes rounded up. */
export interface RawFrame {
  readonly width: number;
  readonly height: number;
  readonly format: 'rgb' | 'yuv';
  readonly data: Uint8Array;
}

export interface Upscaler {
  readonly engine: Engine;
  readonly net: Net;
  readonly infer?: InferOptions;
}

/** The part of a frame that the network enlarges, in 0..1, and the planes that bicubic enlarges, in 0..255. */
interface Split {
  readonly frame: RawFrame;
  readonly main?: Planes;
  readonly rest: readonly Planes[];
}

/**
 * Enlarges frames one after the other, rounded to bytes. A network of one channel makes Y, and bicubic the chroma: that of
 * the file, or BT.601's of its RGB. A network of three makes RGB. Without a network, bicubic makes all.
 */
export async function* upscaleFrames(
  frames: AsyncIterable<RawFrame>,
  scale: number,
  upscaler?: Upscaler,
): AsyncGenerator<RawFrame> {
  const channels = upscaler?.net.config.channels;
  if (!upscaler) {
    for await (const frame of frames) yield merge(split(frame), undefined, scale);
    return;
  }
  const waiting: Split[] = [];
  const mains = async function* () {
    for await (const frame of frames) {
      const parts = split(frame, channels);
      waiting.push(parts);
      yield parts.main!;
    }
  };
  for await (const main of superResolve(upscaler.engine, upscaler.net, mains(), upscaler.infer)) {
    yield merge(waiting.shift()!, main, scale);
  }
}

function split(frame: RawFrame, channels?: number): Split {
  const { width, height, format } = frame;
  if (format === 'yuv') {
    if (channels !== undefined && channels !== 1) {
      throw new ShapeError(`the network takes ${channels} channels, the frames are Y, U, V`);
    }
    const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const plane = (from: number, width: number, height: number): Planes => {
      return { width, height, data: Float32Array.from(frame.data.subarray(from, from + width * height)) };
    };
    const y = plane(0, width, height);
    const chroma = [plane(width * height, w, h), plane(width * height + w * h, w, h)];
    return channels ? { frame, main: unit(y), rest: chroma } : { frame, rest: [y, ...chroma] };
  }
  const rgb = { width, height, data: Float32Array.from(toPlanes(frame.data)) };
  if (channels === undefined) return { frame, rest: [rgb] };
  if (channels === 3) return { frame, main: unit(rgb), rest: [] };
  const ycbcr = rgbToYcbcr(rgb.data);
  const n = width * height;
  const main = unit({ width, height, data: ycbcr.subarray(0, n) });
  return { frame, main, rest: [{ width, height, data: ycbcr.subarray(n) }] };
}

const unit = ({ width, height, data }: Planes): Planes => ({ width, height, data: data.map((v) => v / 255) });

function merge({ frame, rest }: Split, main: Planes | undefined, scale: number): RawFrame {
  const [width, height] = [frame.width * scale, frame.height * scale];
  const enlarged = rest.map(({ width, height, data }) => bicubicUpscale(data, width, height, scale));
  const parts = [...(main ? [main.data.map((v) => 255 * v)] : []), ...enlarged.map(({ data }) => data)];
  if (frame.format === 'yuv') {
    const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const chromaWidth = Math.ceil(frame.width / 2) * scale; // of an odd picture half a sample is left over
    const [y, u, v] = parts;
    const data = joined([y, topLeft(u, chromaWidth, w, h), topLeft(v, chromaWidth, w, h)]);
    return { width, height, format: 'yuv', data: toBytes(data) };
  }
  const planes = joined(parts);
  const asYcbcr = main !== undefined && rest.length > 0;
  return { width, height, format: 'rgb', data: toInterleaved(toBytes(asYcbcr ? ycbcrToRgb(planes) : planes)) };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function topLeft(plane: Float32Array, stride: number, width: number, height: number): Float32Array {
  if (stride === width) return plane.subarray(0, width * height);
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) out.set(plane.subarray(y * stride, y * stride + width), y * width);
  return out;
}
