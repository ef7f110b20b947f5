import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { srNets } from '../../nets/index.ts';
import { inputShape } from '../../nets/net.ts';
import { buildOn, wave } from '../nets/against-pytorch.ts';
import { testEngine } from '../ops/engine.ts';
import { smallSettings } from './small-nets.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const [HEIGHT, WIDTH] = [13, 15];
const FRAMES = 3;
const BLOCKS = 6;
/** Plain sequences of convolutions. */
const withoutBlocks = ['vdsr'];

/** Sums over all pixels, as of a PReLU's one slope, may be small where their terms are not. */
const CANCELS = 0.1;

const most = (values: Float32Array): number => values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** Bytes that wait for the gradients, then all gradients. */
async function pass(name: string, again: boolean) {
  const small = smallSettings[name];
  const net = srNets[name].create(buildOn(engine), 'blocks' in small ? { ...small, blocks: BLOCKS } : small);
  const blocks = again && net.checkpointBlocks();
  using _scope = engine.scope();
  const shape = inputShape(net, 1, Math.max(net.window, FRAMES), HEIGHT, WIDTH);
  const values = (of: readonly number[]) => wave(of.reduce((a, b) => a * b, 1));
  const x = engine.tensor(shape, values(shape));
  const motion = [1, 2, shape[2] - 1, HEIGHT, WIDTH];
  const inputs = net.motion === 'none' ? [x] : [x, engine.tensor(motion, values(motion))];
  const before = engine.memory.stats().live;
  using tape = engine.record();
  const y = net.forward(...inputs);
  const kept = engine.memory.stats().live - before;
  tape.backward(y, engine.tensor(y.shape, values(y.shape)));
  const gradients = new Map<string, Float32Array>();
  for (const [path, parameter] of net.namedParameters()) {
    if (parameter.grad) gradients.set(path, await parameter.grad.read());
    parameter.setGrad(undefined);
  }
  net.dispose();
  return { blocks, kept, gradients };
}

describe('blocks computed again', () => {
  test.each(Object.keys(srNets))('%s: less is kept, the gradients stay', async (name) => {
    const [plain, again] = [await pass(name, false), await pass(name, true)];
    expect(again.blocks).toBe(!withoutBlocks.includes(name));
    if (again.blocks) expect(again.kept).toBeLessThan(0.91 * plain.kept);
    else expect(again.kept).toBe(plain.kept);
    expect([...again.gradients.keys()]).toEqual([...plain.gradients.keys()]);
    const largest = Math.max(...[...plain.gradients.values()].map(most));
    for (const [path, data] of plain.gradients) {
      const other = again.gradients.get(path)!;
      const furthest = most(data.map((v, i) => v - other[i]));
      expect(furthest / (most(data) + CANCELS * largest), path).toBeLessThan(1e-5);
    }
  });
});
