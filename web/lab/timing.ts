import type { Engine } from '../../engine/engine.ts';
import { breathe, Superseded } from './device.ts';

/** Times of works that took turns. */
export interface Timing {
  /** The median of one run. */
  readonly ms: number;
  /** What it is the median of, in order: the works' samples of one place were taken in one turn. */
  readonly samples: readonly number[];
}

export interface TimingOptions {
  readonly signal: AbortSignal;
  readonly samples?: number;
  /** A sample repeats its work until it is about so long: clocks in browsers tick coarsely. */
  readonly sampleMs?: number;
}

const MOST_REPEATS = 20;

/** On which clock `timeTogether` measures. */
export const clockOf = ({ caps }: Engine): string =>
  caps.timestamps ? "kernels' own times on the device's clock, summed" : 'wall time';

/**
 * Median times of works that record dispatches, after two warm-up runs of each; they take turns, so that what else the
 * machine does falls on all of them. Where the device has timestamps, the sum of its kernels' own times: a timed kernel has a
 * pass of its own, and the gaps between passes would weigh on works of many kernels. Else from recording to the end of
 * waiting. The page breathes between samples.
 * @throws {Superseded} when given up
 */
export async function timeTogether(
  engine: Engine,
  works: readonly (() => void)[],
  { signal, samples = 5, sampleMs = 25 }: TimingOptions,
): Promise<Timing[]> {
  const run = async (work: () => void, repeats: number) => {
    const ms = await (engine.caps.timestamps ? deviceTime : wallTime)(engine, () => {
      for (let i = 0; i < repeats; i++) work();
    });
    await breathe();
    if (signal.aborted) throw new Superseded();
    return ms / repeats;
  };
  await engine.compile(() => {
    for (const work of works) work();
  });
  const repeats: number[] = [];
  for (const work of works) {
    await run(work, 1);
    repeats.push(Math.min(Math.max(Math.round(sampleMs / Math.max(await run(work, 1), 0.01)), 1), MOST_REPEATS));
  }
  const times: number[][] = works.map(() => []);
  for (let round = 0; round < samples; round++) {
    for (const [i, work] of works.entries()) times[i].push(await run(work, repeats[i]));
  }
  return times.map((each) => ({ ms: median(each), samples: each }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function deviceTime(engine: Engine, work: () => void): Promise<number> {
  const kernels = await engine.profile(work);
  return kernels.reduce((sum, { us }) => sum + us, 0) / 1000;
}

async function wallTime(engine: Engine, work: () => void): Promise<number> {
  await engine.finish();
  const began = performance.now();
  work();
  await engine.finish();
  return performance.now() - began;
}
