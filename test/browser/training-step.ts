import { Engine } from '../../engine/engine.ts';
import { Noise } from '../../engine/nn/module.ts';
import { charbonnier_loss } from '../../engine/ops/losses.ts';
import { Adam } from '../../engine/optim/adam.ts';
import { Random } from '../../engine/random.ts';
import { Fstrn } from '../../nets/fstrn.ts';

/** The losses of three steps of a tiny FSTRN on fixed numbers, the same in Node and in a browser but for rounding. */
export async function tinyTraining(adapter: GPUAdapter): Promise<number[]> {
  const engine = await Engine.create(adapter);
  const random = new Random(7);
  const net = new Fstrn({ engine, random, noise: new Noise(8) }, { width: 8, blocks: 1 });
  const adam = new Adam(net, { lr: 1e-2 });
  const values = (n: number) => Float32Array.from({ length: n }, () => random.uniform());
  const x = engine.tensor([1, 1, 3, 6, 5], values(90));
  const target = engine.tensor([1, 1, 3, 24, 20], values(1440));
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    using _scope = engine.scope();
    using tape = engine.record();
    const loss = charbonnier_loss(net.forward(x), target);
    tape.backward(loss);
    adam.step();
    losses.push(await loss.item());
  }
  engine.destroy();
  return losses;
}
