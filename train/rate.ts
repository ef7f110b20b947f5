import type { Engine } from '../engine/engine.ts';
import { netNamed } from '../nets/index.ts';
import { macsFor } from '../nets/net.ts';
import type { Recipe } from './recipe.ts';
import { SyntheticSource } from './synthetic.ts';
import { Trainer } from './trainer.ts';

const [WARM_UP, TIMED] = [3, 6]; // steps: the first ones compile kernels

/** How fast a recipe trains on this device, found out by a few steps on data of no meaning. */
export async function measureRate(
  engine: Engine,
  recipe: Recipe,
): Promise<{ stepsPerSecond: number; flopsPerSecond: number }> {
  const trainer = new Trainer(engine, recipe, netNamed(recipe.net.name), new SyntheticSource(recipe));
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
    const side = trainer.net.enlarged ? crop : crop / trainer.net.config.scale;
    const passes = batch * recipe.gradients.accumulate;
    const flops = 3 * 2 * passes * macsFor(engine, trainer.net, frames, side, side); // forward, and the gradients of input and weight
    return { stepsPerSecond, flopsPerSecond: stepsPerSecond * flops };
  } finally {
    trainer.dispose();
  }
}
