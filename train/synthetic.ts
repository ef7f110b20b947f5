import type { RandomState } from '../engine/random.ts';
import type { Batch } from './dataset.ts';
import { cropsOf, type Recipe } from './recipe.ts';
import type { BatchSource } from './trainer.ts';

/** The same batch over and over: timing needs shapes, not footage. */
export class SyntheticSource implements BatchSource {
  #batch: Batch | undefined;
  constructor(readonly recipe: Recipe) {}

  next(batch: number): Batch {
    this.#batch ??= syntheticBatch(this.recipe, batch);
    return this.#batch;
  }
  state(): RandomState {
    return { seed: 0, stream: 0, position: 0 };
  }
  restore(): void {}
}

/** Values in 0..1, all different; motion in -1..1. */
export function syntheticBatch(recipe: Pick<Recipe, 'net' | 'data' | 'loss'>, batch: number): Batch {
  const { channels, crop, frames, motion, scale, scales, target } = cropsOf(recipe);
  const low = scales.length > 0 ? crop : crop / scale;
  const lrShape = [batch, channels, frames, low, low];
  const hrShape = [batch, channels, target === 'all' ? frames : 1, crop, crop];
  const waves = (shape: readonly number[], middle: number, height: number) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => middle + height * Math.sin(i));
  const motions = motion === 'none' ? undefined : waves([batch, 2, frames - 1, low, low], 0, 1);
  return { lr: waves(lrShape, 0.5, 0.5), hr: waves(hrShape, 0.5, 0.5), lrShape, hrShape, motion: motions };
}
