import { toBytes, toInterleaved, toPlanes } from '../train/colour.ts';
import { type Degradation, degrade } from '../train/degrade.ts';
import { cutToMultiple } from '../train/evaluate.ts';
import { type ClipScore, clipScore, compareFrame, type Picture } from '../train/metrics.ts';
import { type RawFrame, type Upscaler, upscaleFrames } from '../train/upscale.ts';
import { protocolFor } from '../train/validation.ts';
import type { Clip } from './clip.ts';
import { writeSamplePicture } from './sample-picture.ts';
import { VideoWriter } from './video-writer.ts';

export interface ShowcaseOptions {
  readonly clip: Clip;
  /** First frame and how many. */
  readonly start: number;
  readonly count: number;
  readonly degradation: Degradation;
  readonly upscaler: Upscaler;
  /** Files to write: the network's frames, and one of them beside low resolution, bicubic and truth. */
  readonly video: string;
  readonly picture: string;
  readonly onFrame?: (frames: number) => void;
}

export interface Showcase {
  readonly width: number;
  readonly height: number;
  /** Number of the frame in the picture, in the clip. */
  readonly shown: number;
  readonly bicubic: ClipScore;
  readonly ours: ClipScore;
}

/**
 * Makes low resolution of some frames, rounds it to 8 bits as a file would, enlarges it in colour by bicubic and by the
 * network, compares Y with the truth, and writes a video and a picture.
 */
export async function writeShowcase(options: ShowcaseOptions): Promise<Showcase> {
  const { clip, start, count, upscaler, onFrame } = options;
  const { scale } = upscaler.net.config;
  const truth: Picture[] = [];
  const low: RawFrame[] = [];
  for await (const frame of clip.frames({ format: 'rgb', start, count })) {
    const whole = cutToMultiple({ ...frame, data: toPlanes(frame.data) }, scale);
    truth.push(whole);
    const small = degrade(whole.data, whole.width, whole.height, options.degradation, scale);
    const { width, height } = small;
    low.push({ width, height, format: 'rgb', data: toInterleaved(toBytes(small.data)) });
  }
  const bicubic: Picture[] = [];
  for await (const frame of upscaleFrames(each(low), scale)) bicubic.push(pictureOf(frame));

  const { width, height } = truth[0];
  const writer = await VideoWriter.open(options.video, { width, height, fps: clip.fps, format: 'rgb24' });
  const ours: Picture[] = [];
  try {
    for await (const frame of upscaleFrames(each(low), scale, upscaler)) {
      ours.push(pictureOf(frame));
      await writer.write(frame.data);
      onFrame?.(ours.length);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  const middle = Math.floor(truth.length / 2);
  await writeSamplePicture(options.picture, {
    name: clip.name,
    truth: truth[middle],
    low: pictureOf(low[middle]),
    bicubic: bicubic[middle],
    ours: ours[middle],
  });
  const protocol = protocolFor(truth[0]);
  const score = (frames: readonly Picture[]) =>
    clipScore(
      frames.map((frame, i) => compareFrame(truth[i], frame, protocol)),
      protocol,
    );
  return { width, height, shown: start + middle, bicubic: score(bicubic), ours: score(ours) };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const pictureOf = ({ width, height, data }: RawFrame): Picture => ({ width, height, data: toPlanes(data) });
