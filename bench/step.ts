import type { Engine } from '../engine/engine.ts';
import { netNamed } from '../nets/index.ts';
import { macsFor } from '../nets/net.ts';
import type { Recipe } from '../train/recipes.ts';
import { SyntheticSource } from '../train/synthetic.ts';
import { Trainer } from '../train/trainer.ts';
import type { Peak } from './peak.ts';
import { type Sampling, sampleWall } from './statistics.ts';

export interface StepRow {
  readonly recipe: string;
  readonly parameters: number;
  readonly batch: readonly number[];
  /** Of one optimizer step on our clock, from its batch to the end of its last dispatch. */
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  /** Half the 95 % confidence interval of the mean, as a share of it. */
  readonly margin: number;
  readonly samples: number;
  readonly samplesPerSecond: number;
  /** Multiply-adds of the convolutions, twice; backward counted as two forward passes. */
  readonly gflops: number;
  /** Of the measured peak of arithmetic. */
  readonly share: number;
  readonly peakBytes: number;
  /** Live before the steps and after them: equal, or memory leaks. */
  readonly liveBytes: readonly [before: number, after: number];
}

/** Training steps as the trainer takes them, on data that does not change. */
export async function benchStep(
  engine: Engine,
  recipe: Recipe,
  peak: Peak,
  sampling: Sampling = { least: 5, spend: 3000 },
): Promise<StepRow> {
  const source = new SyntheticSource(recipe);
  const trainer = new Trainer(engine, recipe, netNamed(recipe.net.name), source);
  const step = async () => {
    await trainer.step();
    await trainer.drain();
  };
  try {
    for (let i = 0; i < 2; i++) await step();
    engine.memory.resetPeak();
    const before = engine.memory.stats().live;
    const { ms, quartiles, margin, samples } = await sampleWall(step, sampling);
    const { live, peak: peakBytes } = engine.memory.stats();
    const { batch } = recipe.data;
    const { accumulate } = recipe.gradients;
    const { lrShape } = source.next(batch);
    const [, , frames, height, width] = lrShape;
    const gflops = (3 * 2 * accumulate * batch * macsFor(engine, trainer.net, frames, height, width)) / ms / 1e6;
    return {
      ...{ recipe: recipe.name, parameters: trainer.net.parameterCount(), batch: lrShape },
      ...{ ms, quartiles, margin, samples },
      samplesPerSecond: (1000 * batch * accumulate) / ms,
      ...{ gflops, share: gflops / peak.gflops, peakBytes, liveBytes: [before, live] },
    };
  } finally {
    trainer.dispose();
  }
}
