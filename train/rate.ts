import type { Engine } from '../engine/engine.ts';
import { nets } from '../nets/index.ts';
import type { Recipe } from './recipes.ts';
import { type BatchSource, Trainer } from './trainer.ts';

const [WARM_UP, TIMED] = [3, 6]; // steps: the first ones compile kernels

/** How fast a recipe trains on this device, found out by a few steps on nothing. */
export async function measureRate(
  engine: Engine,
  recipe: Recipe,
): Promise<{ stepsPerSecond: number; flopsPerSecond: number }> {
  const trainer = new Trainer(engine, recipe, emptySamples(recipe));
  try {
    const steps = async (count: number) => {
      for (let i = 0; i < count; i++) await trainer.step();
      await trainer.drain();
    };
    await steps(WARM_UP);
    const began = performance.now();
    await steps(TIMED);
    const stepsPerSecond = (1000 * TIMED) / (performance.now() - began);
    const { frames, crop, batch } = recipe.data;
    const side = crop / trainer.net.config.scale;
    const passes = batch * recipe.gradients.accumulate;
    const flops = 3 * 2 * passes * trainer.net.macs(frames, side, side); // forward, and the gradients of input and weight
    return { stepsPerSecond, flopsPerSecond: stepsPerSecond * flops };
  } finally {
    trainer.dispose();
  }
}

function emptySamples({ data: { frames, crop }, net, loss }: Recipe): BatchSource {
  const { channels, scale } = { ...nets[net.name].defaults, ...net } as unknown as { channels: number; scale: number };
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  return {
    next(batch) {
      const lrShape = [batch, channels, frames, crop / scale, crop / scale];
      const hrShape = [batch, channels, loss.frames === 'all' ? frames : 1, crop, crop];
      return { lr: new Float32Array(size(lrShape)), hr: new Float32Array(size(hrShape)), lrShape, hrShape };
    },
    state: () => ({ seed: 0, stream: 0, position: 0 }),
    restore() {},
  };
}
