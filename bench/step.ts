import type { Engine } from '../engine/engine.ts';
import type { Recipe } from '../train/recipes.ts';
import { SyntheticSource } from '../train/synthetic.ts';
import { Trainer } from '../train/trainer.ts';
import { quantile } from './measure.ts';
import type { Peak } from './peak.ts';

export interface StepRow {
  readonly recipe: string;
  readonly parameters: number;
  readonly batch: readonly number[];
  /** Of one optimizer step on our clock, the host's share and the device's overlapping as in training. */
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  readonly samplesPerSecond: number;
  /** Multiply-adds of the convolutions, twice; backward counted as two forward passes. */
  readonly gflops: number;
  readonly share: number;
  readonly peakBytes: number;
}

/** Training steps as the trainer takes them, on data that does not change. */
export async function benchStep(engine: Engine, recipe: Recipe, peak: Peak, steps = 10): Promise<StepRow> {
  const source = new SyntheticSource(recipe);
  const trainer = new Trainer(engine, recipe, source);
  try {
    for (let i = 0; i < 2; i++) await trainer.step();
    await trainer.drain();
    engine.memory.resetPeak();
    const times: number[] = [];
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      await trainer.step();
      await trainer.drain();
      times.push(performance.now() - start);
    }
    const { batch } = recipe.data;
    const { accumulate } = recipe.gradients;
    const { lrShape } = source.next(batch);
    const [, , frames, height, width] = lrShape;
    const ms = quantile(times, 0.5);
    const gflops = (3 * 2 * accumulate * batch * trainer.net.macs(frames, height, width)) / ms / 1e6;
    return {
      recipe: recipe.name,
      parameters: trainer.net.parameterCount(),
      batch: lrShape,
      ms,
      quartiles: [quantile(times, 0.25), quantile(times, 0.75)],
      samplesPerSecond: (1000 * batch * accumulate) / ms,
      gflops,
      share: gflops / peak.gflops,
      peakBytes: engine.memory.stats().peak,
    };
  } finally {
    trainer.dispose();
  }
}
