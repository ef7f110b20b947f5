import type { Engine } from '../engine/engine.ts';
import { ShapeError } from '../engine/errors.ts';
import type { Net } from '../nets/net.ts';
import { lumaOfPlanes, toBytes } from './colour.ts';
import { bicubicUpscale, type Degradation, degrade, degradeBytes, type Planes } from './degrade.ts';
import { type InferOptions, superResolve } from './infer.ts';
import { type ClipScore, clipScore, compareFrame, type FrameScore, type Picture, type Protocol } from './metrics.ts';

export interface EvaluateOptions {
  readonly scale: number;
  readonly degradation: Degradation;
  readonly protocol: Protocol;
  /** What is judged beside bicubic; nothing if not given. */
  readonly net?: { readonly engine: Engine; readonly net: Net; readonly infer?: InferOptions };
  readonly onFrame?: (frames: number) => void;
}

export interface ClipEvaluation {
  /** Of the frames that were compared, cut to a multiple of the scale. */
  readonly width: number;
  readonly height: number;
  readonly bicubic: ClipScore;
  readonly net?: ClipScore;
}

/**
 * Makes low resolution of a clip, rounds it as the protocol says, super-resolves it and compares, frame by frame, so that
 * clips may be streams. Frames are first cut to a multiple of the scale, at the right and at the bottom.
 * @param frames values 0..255, planes of Y or of R, G, B
 * @throws {ShapeError} when frames are too small, or do not have the channels that the network or the protocol needs
 * @throws {UsageError} when the protocol leaves no frame
 */
export async function evaluateClip(
  frames: Iterable<Picture> | AsyncIterable<Picture>,
  options: EvaluateOptions,
): Promise<ClipEvaluation> {
  const { scale, degradation, protocol, net } = options;
  const waiting: { hr: Picture; lr: Planes }[] = [];
  const lowFrames = async function* () {
    for await (const frame of frames) {
      const hr = cutToMultiple(frame, scale);
      const lr = lowResolution(hr, options);
      waiting.push({ hr, lr });
      yield net ? networkInput(lr, net.net.config.channels) : lr;
    }
  };
  const results = net ? superResolve(net.engine, net.net, lowFrames(), net.infer) : lowFrames();
  const bicubic: FrameScore[] = [];
  const ours: FrameScore[] = [];
  let size = { width: 0, height: 0 };
  for await (const result of results) {
    const { hr, lr } = waiting.shift()!;
    size = hr;
    bicubic.push(compareFrame(hr, bicubicUpscale(lr.data, lr.width, lr.height, scale, degradation), protocol));
    if (net) ours.push(compareFrame(hr, { ...result, data: result.data.map((v) => 255 * v) }, protocol));
    options.onFrame?.(bicubic.length);
  }
  const { width, height } = size;
  return { width, height, bicubic: clipScore(bicubic, protocol), net: net && clipScore(ours, protocol) };
}

function lowResolution({ data, width, height }: Picture, { degradation, scale, protocol }: EvaluateOptions): Planes {
  if (protocol.lowResolution === 'passes' && degradation === 'bicubic') return degradeBytes(data, width, height, scale);
  const low = degrade(data, width, height, degradation, scale);
  return protocol.lowResolution === 'none' ? low : { ...low, data: Float32Array.from(toBytes(low.data)) };
}

/** What a network takes of a low-resolution frame, in 0..1: its own Y, the Y of its RGB, or its RGB. */
function networkInput({ width, height, data }: Planes, channels: number): Planes {
  const given = data.length / (width * height);
  if (given !== channels && given !== 3) {
    throw new ShapeError(`the network takes ${channels} channels, the clip was read with ${given}`);
  }
  const values = given === channels ? data : lumaOfPlanes(data);
  return { width, height, data: values.map((v) => v / 255) };
}

/** A picture without the columns at its right and the rows at its bottom that the scale does not divide. */
export function cutToMultiple(frame: Picture, scale: number): Picture {
  const [width, height] = [frame.width, frame.height].map((n) => n - (n % scale));
  if (width === 0 || height === 0) {
    throw new ShapeError(`expected frames of at least ${scale}x${scale} pixels, got ${frame.width}x${frame.height}`);
  }
  if (width === frame.width && height === frame.height) return frame;
  const channels = frame.data.length / (frame.width * frame.height);
  const data = new Float32Array(channels * width * height);
  for (let row = 0; row < channels * height; row++) {
    const from = (Math.floor(row / height) * frame.height + (row % height)) * frame.width;
    data.set(frame.data.subarray(from, from + width), row * width);
  }
  return { width, height, data };
}
