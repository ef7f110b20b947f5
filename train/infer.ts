import type { Engine } from '../engine/engine.ts';
import { ShapeError, UsageError } from '../engine/errors.ts';
import type { Net } from '../nets/net.ts';
import { bicubicUpscale, type Planes } from './degrade.ts';
import { motionsFrom } from './motion.ts';
import { type NetInput, Resolver, type TilingOptions } from './resolver.ts';
import { CutFinder } from './shots.ts';

export interface InferOptions extends TilingOptions {
  /** Frames that a network of the form `clip` sees at once; others have their own number. */
  readonly window?: number;
  /** Centre frames taken from each window of a `clip`: 1 as papers test, more is faster and a little worse. */
  readonly keep?: number;
  /** Whether a recurrent network begins anew where a shot does; it then waits for some frames to be sure. */
  readonly cuts?: boolean;
}

/** Pictures go through a network together as long as they hold so many pixels, and are so many. */
const BATCH_PIXELS = 2 ** 14;
const BATCH_FRAMES = 8;

/**
 * Super-resolves a clip of any size and length, (C, H, W) in 0..1 to (C, scale·H, scale·W), neither rounded nor clipped, with
 * a network of any form. Time is a stream: only the frames that a result needs are held. Space is cut into tiles that overlap
 * by the network's reach, so that tiled equals untiled.
 * @throws {ShapeError} when frames differ in size or do not have the network's channels
 * @throws {UsageError} for options that the network does not have
 * @throws {OutOfMemoryError} when not even the smallest tile fits the memory
 */
export async function* superResolve(
  engine: Engine,
  net: Net,
  frames: Iterable<Planes> | AsyncIterable<Planes>,
  options: InferOptions = {},
): AsyncGenerator<Planes, void, undefined> {
  checkOptions(net, options);
  const resolver = new Resolver(engine, net, options);
  const source = networkFrames(net, frames);
  try {
    if (net.form === 'image') yield* pictures(resolver, source);
    else if (net.form === 'recurrent') yield* recurrent(resolver, source, options.cuts ?? false);
    else yield* windows(resolver, source, options);
  } finally {
    await source.return(undefined);
  }
}

/** Frames as the network takes them: checked, and enlarged where it wants them so. */
async function* networkFrames(
  net: Net,
  frames: Iterable<Planes> | AsyncIterable<Planes>,
): AsyncGenerator<Planes, void, undefined> {
  let first: Planes | undefined;
  for await (const frame of frames) {
    first ??= frame;
    const { width, height, data } = checked(frame, first, net);
    yield net.enlarged ? bicubicUpscale(data, width, height, net.config.scale) : frame;
  }
}

/** Each frame by itself; small ones several at once. */
async function* pictures(resolver: Resolver, source: AsyncGenerator<Planes>): AsyncGenerator<Planes> {
  let batch: Planes[] = [];
  const flush = () => resolver.resolve([{ frames: batch, zoom: 1 }], 0, batch.length);
  for await (const frame of source) {
    batch.push(frame);
    if (batch.length < BATCH_FRAMES && (batch.length + 1) * frame.width * frame.height <= BATCH_PIXELS) continue;
    yield* await flush();
    batch = [];
  }
  if (batch.length > 0) yield* await flush();
}

/** A window slides over the frames; at the clip's ends it holds what the network says. */
async function* windows(
  resolver: Resolver,
  source: AsyncGenerator<Planes>,
  options: InferOptions,
): AsyncGenerator<Planes> {
  const { net } = resolver;
  const window = options.window ?? net.window;
  const keep = options.keep ?? 1;
  const before = Math.floor((window - keep) / 2);
  const held: Planes[] = [];
  let first = 0; // number of the first frame held
  let ended = false;
  for (let start = 0; ; start += keep) {
    while (!ended && first + held.length < start - before + window) {
      const next = await source.next();
      if (next.done) ended = true;
      else held.push(next.value);
    }
    const count = first + held.length;
    if (start >= count) return;
    const frame = (i: number) => held[Math.min(Math.max(i, 0), count - 1) - first];
    const clip = Array.from({ length: window }, (_, w) => {
      const i = start - before + w;
      if (net.ends === 'repeat' || (i >= 0 && i < count)) return frame(i);
      return net.ends === 'black' ? black(frame(i)) : frame(start);
    });
    const inputs: NetInput[] = [{ frames: clip, zoom: 1 }];
    if (net.motion !== 'none') inputs.push({ frames: motionsFrom(clip), zoom: 1 });
    const taken = Math.min(keep, count - start);
    yield* await resolver.resolve(inputs, net.form === 'centre' ? 0 : before, taken);
    const done = Math.max(start + keep - before - first, 0);
    held.splice(0, done);
    first += done;
  }
}

/** One frame after the other: the frame before and its result come back in. */
async function* recurrent(resolver: Resolver, source: AsyncGenerator<Planes>, cuts: boolean): AsyncGenerator<Planes> {
  const zoom = resolver.scale;
  let before: { frame: Planes; result: Planes } | undefined;
  for await (const { frame, begins } of cuts ? withCuts(source) : uncut(source)) {
    const inputs =
      before && !begins
        ? [
            { frames: [before.frame, frame], zoom: 1 },
            { frames: [before.result], zoom },
          ]
        : [{ frames: [frame], zoom: 1 }];
    const [result] = await resolver.resolve(inputs, 0, 1);
    before = { frame, result };
    yield result;
  }
}

interface ShotFrame {
  readonly frame: Planes;
  /** Whether a shot begins here. */
  readonly begins: boolean;
}

async function* uncut(source: AsyncGenerator<Planes>): AsyncGenerator<ShotFrame> {
  for await (const frame of source) yield { frame, begins: false };
}

async function* withCuts(source: AsyncGenerator<Planes>): AsyncGenerator<ShotFrame> {
  const finder = new CutFinder<Planes>();
  for await (const frame of source) yield* finder.add(frame, lumaBytes(frame), frame.width, frame.height);
  yield* finder.rest();
}

/** Values 0..255 of the first plane of Y, or the mean of R, G, B: enough to see a cut. */
function lumaBytes({ width, height, data }: Planes): Float32Array {
  const n = width * height;
  const channels = data.length / n;
  return Float32Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[c * n + i];
    return (255 * sum) / channels;
  });
}

const black = ({ width, height, data }: Planes): Planes => ({ width, height, data: new Float32Array(data.length) });

function checkOptions(net: Net, { window, keep = 1 }: InferOptions): void {
  const { form } = net;
  if (form === 'clip') {
    const frames = window ?? net.window;
    if (!whole(frames) || !whole(keep) || keep > frames) {
      throw new UsageError(`expected to keep 1 to ${frames} frames of each window, got keep ${keep}, window ${frames}`);
    }
    return;
  }
  const seen =
    form === 'image' ? 'one frame' : form === 'recurrent' ? 'one frame after the other' : `${net.window} frames`;
  if (window !== undefined && window !== net.window) throw new UsageError(`window: this network sees ${seen}`);
  if (keep !== 1) throw new UsageError(`keep: this network makes one frame at a time, so expected 1, got ${keep}`);
}

function checked(frame: Planes, like: Planes, net: Net): Planes {
  const { width, height, data } = frame;
  const { channels } = net.config;
  if (!whole(width) || !whole(height) || data.length !== channels * width * height) {
    throw new ShapeError(
      `the network takes ${channels} planes, ${width}x${height} pixels each: expected ${channels * width * height} values, got ${data.length}`,
    );
  }
  if (width !== like.width || height !== like.height) {
    throw new ShapeError(`expected frames of ${like.width}x${like.height}, got one of ${width}x${height}`);
  }
  return frame;
}

const whole = (n: number): boolean => Number.isInteger(n) && n >= 1;
