import type { RandomState } from '../engine/random.ts';
import { nets } from '../nets/index.ts';
import type { Batch } from '../train/dataset.ts';
import { type Recipe, recipes } from '../train/recipes.ts';
import type { BatchSource } from '../train/trainer.ts';
import { noise } from './measure.ts';

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

export function syntheticBatch({ net, data, loss }: Recipe, batch: number): Batch {
  const { channels, scale } = { ...nets[net.name].defaults, ...net } as unknown as Record<'channels' | 'scale', number>;
  const low = data.crop / scale;
  const lrShape = [batch, channels, data.frames, low, low];
  const hrShape = [batch, channels, loss.frames === 'all' ? data.frames : 1, data.crop, data.crop];
  const fill = (shape: readonly number[]) => noise(shape.reduce((a, b) => a * b)).map((v) => (v + 1) / 2);
  return { lr: fill(lrShape), hr: fill(hrShape), lrShape, hrShape };
}

/** A recipe by its name, or the paper's training of a network by the network's. Undefined where neither exists. */
export function recipeOrNet(name: string): Recipe | undefined {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  return Object.hasOwn(nets, name) ? { ...recipes.fstrn, net: { name, ...nets[name].defaults } } : undefined;
}
