import type { Engine } from '../../engine/engine.ts';
import { size } from '../../engine/tensor.ts';
import { inputShape, type Net } from '../../nets/net.ts';
import { wave } from './against-pytorch.ts';

/**
 * How far a column of the input is from a column of the result that it changes, in pixels of the input: the farthest gradient
 * of several neighbouring columns, for strides fall differently on them.
 */
export async function reachOf(engine: Engine, net: Net): Promise<number> {
  const { scale } = net.config;
  const middle = net.spatialReach + net.grid;
  const shape = inputShape(net, 1, net.window, net.grid, 2 * middle + net.grid);
  const width = shape.at(-1)!;
  let farthest = 0;
  for (let column = middle; column < middle + net.grid; column++) {
    using _scope = engine.scope();
    const x = engine.tensor(shape, wave(size(shape))).track();
    using tape = engine.record();
    const y = net.forward(x);
    const dy = new Float32Array(size(y.shape));
    for (let i = 0; i < dy.length; i++) if (Math.floor((i % (width * scale)) / scale) === column) dy[i] = 1;
    tape.backward(y, engine.tensor(y.shape, dy));
    const grad = await x.grad!.read();
    for (const [i, g] of grad.entries()) if (g !== 0) farthest = Math.max(farthest, Math.abs((i % width) - column));
    x.setGrad(undefined);
  }
  for (const parameter of net.parameters()) parameter.setGrad(undefined);
  return farthest;
}
