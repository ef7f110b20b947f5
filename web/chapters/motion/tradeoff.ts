import type { Engine } from '../../../engine/engine.ts';
import { Random } from '../../../engine/random.ts';
import type { Planes } from '../../../train/degrade.ts';
import { psnr } from '../../../train/metrics.ts';
import type { Pair } from './flow-worker.ts';
import { visible, warpAll } from './warps.ts';

/** How neighbouring frames are averaged: pixel by pixel where it is, or where the motion takes it. */
export const AVERAGES = { still: 'in place', moved: 'along the motion' } as const;
export type Average = keyof typeof AVERAGES;

const FRAMES = 6;

/** Which frames of a clip are taken: every other one where there are enough, as they hold more motion. */
export const timesOf = (frames: number): number[] => {
  const step = frames < 2 * FRAMES ? 1 : 2;
  return Array.from({ length: Math.min(frames, FRAMES) }, (_, i) => step * i);
};

/** Flow from each frame to the next, then from each to the one before, in this order. */
export const pairsOf = (frames: readonly Planes[]): Pair[] => [
  ...frames.slice(1).map((next, t): Pair => [frames[t], next]),
  ...frames.slice(1).map((frame, t): Pair => [frame, frames[t]]),
];

/** What the motion of a clip's frames says: flows as `pairsOf` orders them, and which pixels they may be trusted for. */
export interface Motion {
  readonly flows: readonly Planes[];
  readonly masks: readonly Uint8Array[];
}

export async function motionOf(engine: Engine, flows: readonly Planes[]): Promise<Motion> {
  const half = flows.length / 2;
  const opposite = flows.map((_, i) => flows[(i + half) % flows.length]);
  const back = await warpAll(engine, opposite, flows);
  return { flows, masks: flows.map((flow, i) => visible(flow, back[i])) };
}

/** Frames with normal noise of a standard deviation, a new draw for each of them. */
export function noisy(frames: readonly Planes[], deviation: number): Planes[] {
  const random = new Random(5);
  return frames.map((frame) => ({ ...frame, data: frame.data.map((v) => v + deviation * random.normal()) }));
}

/** Each frame averaged with the one before and the one after. */
export async function averaged(
  engine: Engine,
  frames: readonly Planes[],
  { flows, masks }: Motion,
  how: Average,
): Promise<Planes[]> {
  const half = flows.length / 2;
  const neighbours = [...frames.slice(1), ...frames.slice(0, -1)];
  const moved = how === 'moved' ? await warpAll(engine, neighbours, flows) : neighbours;
  return frames.map((frame, t) => {
    const data = frame.data.slice();
    const count = new Float32Array(data.length).fill(1);
    for (const i of [t < half ? t : -1, t > 0 ? half + t - 1 : -1]) {
      if (i < 0) continue;
      for (let p = 0; p < data.length; p++) {
        if (how === 'moved' && !masks[i][p]) continue;
        data[p] += moved[i].data[p];
        count[p]++;
      }
    }
    return { ...frame, data: data.map((v, p) => v / count[p]) };
  });
}

/** (1 - share)·a + share·b. */
export const mixed = (a: readonly Planes[], b: readonly Planes[], share: number): Planes[] =>
  a.map((frame, t) => ({ ...frame, data: frame.data.map((v, i) => v + share * (b[t].data[i] - v)) }));

export interface Scores {
  /** Mean over the frames, dB. */
  readonly psnr: number;
  /** Root of the warping error, in grey levels. */
  readonly flicker: number;
}

/**
 * PSNR against the true frames, and the warping error: the mean of (V_t - V_{t+1} moved back by the flow)² over pixels that
 * both frames show (Lai et al. 2018, "Learning blind video temporal consistency"); its root here.
 */
export async function scoresOf(
  engine: Engine,
  frames: readonly Planes[],
  truth: readonly Planes[],
  { flows, masks }: Motion,
): Promise<Scores> {
  const pairs = frames.length - 1;
  const moved = await warpAll(engine, frames.slice(1), flows.slice(0, pairs));
  let error = 0;
  for (let t = 0; t < pairs; t++) {
    let [sum, count] = [0, 0];
    for (const [p, seen] of masks[t].entries()) {
      sum += seen * (frames[t].data[p] - moved[t].data[p]) ** 2;
      count += seen;
    }
    error += sum / Math.max(count, 1) / pairs;
  }
  const quality = frames.reduce((sum, { data }, t) => sum + psnr(truth[t].data, data) / frames.length, 0);
  return { psnr: quality, flicker: Math.sqrt(error) };
}

/** One column of every frame, side by side: time runs to the right, `wide` pixels a frame. */
export function profile(frames: readonly Planes[], column: number, wide = 8): Planes {
  const [{ width: w, height }] = frames;
  const width = frames.length * wide;
  const data = new Float32Array(width * height);
  for (let i = 0; i < data.length; i++) {
    data[i] = frames[Math.floor((i % width) / wide)].data[Math.floor(i / width) * w + column];
  }
  return { width, height, data };
}
