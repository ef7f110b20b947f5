import type { RandomState } from '../engine/random.ts';
import { nets } from '../nets/index.ts';
import type { Batch } from './dataset.ts';
import type { Recipe } from './recipes.ts';
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

/** Values in 0..1, all different. */
export function syntheticBatch({ net, data, loss }: Recipe, batch: number): Batch {
  const { channels, scale } = { ...nets[net.name].defaults, ...net } as unknown as Record<'channels' | 'scale', number>;
  const low = data.crop / scale;
  const lrShape = [batch, channels, data.frames, low, low];
  const hrShape = [batch, channels, loss.frames === 'all' ? data.frames : 1, data.crop, data.crop];
  const fill = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (Math.sin(i) + 1) / 2);
  return { lr: fill(lrShape), hr: fill(hrShape), lrShape, hrShape };
}
