import Benchmark from 'benchmark';

/** What repeated measurements say, in milliseconds. */
export interface Statistics {
  /** The median, and the quartiles around it. */
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  readonly fastest: number;
  readonly mean: number;
  readonly deviation: number;
  /** Half the 95 % confidence interval of the mean, as a share of it. */
  readonly margin: number;
  readonly samples: number;
}

export interface Sampling {
  /** Samples go on until there are so many and so much time is spent. */
  readonly least: number;
  readonly spend: number;
}

/**
 * Wall time of work that ends when its promise does, sampled by Benchmark.js: it repeats short work within one sample until the
 * clock's resolution no longer matters.
 */
export function sampleWall(work: () => Promise<unknown>, { least, spend }: Sampling): Promise<Statistics> {
  return new Promise((resolve, reject) => {
    const bench: Benchmark = new Benchmark({
      defer: true,
      minSamples: least,
      maxTime: spend / 1000,
      fn: (deferred: Benchmark.Deferred) => {
        work().then(
          () => deferred.resolve(),
          (error) => reject(error), // unresolved, so that no further sample begins
        );
      },
      onComplete: () => {
        const { sample, mean, deviation, rme } = bench.stats;
        resolve({
          ...middle(sample.map((s) => 1000 * s)),
          mean: 1000 * mean,
          deviation: 1000 * deviation,
          margin: rme / 100,
        });
      },
    });
    bench.run();
  });
}

/** The same figures of times that were measured elsewhere. */
export function statisticsOf(times: readonly number[]): Statistics {
  const n = times.length;
  const mean = times.reduce((sum, t) => sum + t, 0) / n;
  const variance = n > 1 ? times.reduce((sum, t) => sum + (t - mean) ** 2, 0) / (n - 1) : 0;
  const deviation = Math.sqrt(variance);
  const margin = n > 1 && mean > 0 ? (critical(n - 1) * deviation) / Math.sqrt(n) / mean : 0;
  return { ...middle(times), mean, deviation, margin };
}

const middle = (times: readonly number[]) => ({
  ms: quantile(times, 0.5),
  quartiles: [quantile(times, 0.25), quantile(times, 0.75)] as const,
  fastest: Math.min(...times),
  samples: times.length,
});

/** Linear between neighbours. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (at - Math.floor(at)) * (high - low);
}

const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** Student's t, two-sided 95 %: tabled, then by its approach to the normal distribution's 1.96 (within 0.5 %). */
const critical = (freedom: number): number => STUDENT[freedom - 1] ?? 1.96 + 2.55 / freedom;
