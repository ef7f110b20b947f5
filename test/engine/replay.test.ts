import { beforeAll, describe, expect, it, vi } from 'vitest';
import { interpolateMap } from '../../engine/axis-map.ts';
import type { Engine } from '../../engine/engine.ts';
import { SubpixelError } from '../../engine/errors.ts';
import { Ring } from '../../engine/kernels/ring.ts';
import { Noise } from '../../engine/nn/module.ts';
import { interpolate } from '../../engine/ops/interpolate.ts';
import { charbonnier_loss } from '../../engine/ops/losses.ts';
import { clamp, relu } from '../../engine/ops/unary.ts';
import { Adam } from '../../engine/optim/adam.ts';
import { Random } from '../../engine/random.ts';
import { Replay } from '../../engine/replay.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Fstrn } from '../../nets/fstrn.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

/** A small FSTRN with dropout, its optimizer, and two batches to train on in turn. */
function training() {
  const random = new Random(3);
  const net = new Fstrn({ engine, random, noise: new Noise(4) }, { width: 8, blocks: 1, dropout: 0.3 });
  const adam = new Adam(net, { lr: 1e-2 });
  const draw = (n: number) => Float32Array.from({ length: n }, () => random.uniform());
  const batches = [0, 1].map(() => ({ x: draw(90), target: draw(1440) }));
  const x = engine.tensor([1, 1, 3, 6, 5], batches[0].x);
  const target = engine.tensor([1, 1, 3, 24, 20], batches[0].target);
  const load = (i: number) => {
    engine.write(x, batches[i % 2].x);
    engine.write(target, batches[i % 2].target);
    adam.lr = 1e-2 / (i + 1);
  };
  const step = (): Tensor => {
    using scope = engine.scope();
    using tape = engine.record();
    const loss = charbonnier_loss(net.forward(x), target);
    tape.backward(loss);
    adam.step();
    return scope.keep(loss);
  };
  const dispose = () => {
    for (const t of [x, target]) t.release();
    adam.dispose();
    net.dispose();
  };
  return { load, step, adam, dispose };
}

describe('a captured step', () => {
  it('replays with the same bits as steps that decide everything anew: losses, dropout, learning rates', async () => {
    const losses: number[][] = [];
    for (const captured of [false, true]) {
      const { load, step, adam, dispose } = training();
      const own: number[] = [];
      let replay: Replay | undefined;
      for (let i = 0; i < 6; i++) {
        load(i);
        if (captured && i === 1) replay = Replay.capture(engine, step);
        else if (replay) replay.run();
        const loss = replay ? replay.result : step();
        own.push(await loss.item());
        if (!replay) loss.release();
      }
      expect(adam.steps).toBe(6);
      losses.push(own);
      replay?.dispose();
      dispose();
    }
    expect(losses[1]).toEqual(losses[0]);
    expect(new Set(losses[0]).size).toBe(6);
  });

  it('keeps its memory to itself, and gives it back', async () => {
    const { load, step, dispose } = training();
    load(0);
    step().release();
    const before = engine.memory.stats().live;
    const replay = Replay.capture(engine, step);
    const expected = await replay.result.item();
    // What others compute meanwhile must not land in the replay's buffers.
    const others = Array.from({ length: 50 }, (_, i) =>
      engine.tensor([1, 8, 40, 40], new Float32Array(12_800).fill(i)),
    );
    const { live } = engine.memory.stats();
    for (let i = 0; i < 20; i++) replay.run();
    expect(engine.memory.stats().live).toBe(live);
    for (const [i, x] of others.entries()) {
      expect((await x.read()).every((v) => v === i)).toBe(true);
      x.release();
    }
    expect(await replay.result.item()).toBeLessThan(expected);
    replay.dispose();
    expect(engine.memory.stats().live).toBe(before);
    dispose();
  });

  it('keeps its inputs and its resize tables, whatever happens to them meanwhile', async () => {
    const picture = Float32Array.from({ length: 25 }, (_, i) => i);
    const x = engine.tensor([1, 1, 5, 5], picture);
    const step = () => interpolate(x, { scale_factor: 2, mode: 'bilinear' });
    step().release();
    const replay = Replay.capture(engine, step);
    const want = await replay.result.read();
    x.release();
    for (let i = 0; i < 300; i++) engine.map(`table ${i}`, () => interpolateMap(3, 4 + i, { mode: 'linear' }));
    const others = Array.from({ length: 900 }, () => engine.tensor([1, 1, 4, 4], new Float32Array(16).fill(7)));
    replay.run();
    expect(await replay.result.read()).toEqual(want);
    for (const other of others) other.release();
    replay.dispose();
  });

  it('keeps its uniforms while others come and go, and no more than those', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([4], [1, 2, 3, 4]);
    const replay = Replay.capture(engine, () => clamp(x, { min: 2, max: 3 }));
    const destroyed = vi.spyOn(GPUBuffer.prototype, 'destroy');
    for (let i = 0; i < 9000; i++) {
      using _inner = engine.scope();
      clamp(x, { min: -i });
    }
    expect(destroyed.mock.calls.length).toBeGreaterThan(16);
    destroyed.mockRestore();
    engine.write(x, [4, 3, 2, 1]);
    replay.run();
    expect([...(await replay.result.read())]).toEqual([3, 3, 2, 2]);
    replay.dispose();
  });

  it('refuses host data, and leaves the engine as it was', async () => {
    using _scope = engine.scope();
    const picture = engine.zeros([1, 1, 5, 5]);
    const live = engine.memory.stats().live;
    expect(() => Replay.capture(engine, () => engine.tensor([4], [1, 2, 3, 4]))).toThrow(SubpixelError);
    expect(engine.memory.stats().live).toBe(live);
    // a table that no step has needed before
    expect(() => Replay.capture(engine, () => interpolate(relu(picture), { scale_factor: 7 }))).toThrow(SubpixelError);
    expect(engine.memory.stats().live).toBe(live);
    const x = engine.tensor([4], [1, 2, 3, 4]);
    expect([...(await x.read())]).toEqual([1, 2, 3, 4]);
  });
});

describe('a replay', () => {
  it('waits for what its capture recorded and nobody has submitted yet', async () => {
    using _scope = engine.scope();
    const ring = new Ring(engine, 4);
    const x = engine.tensor([], [7]);
    ring.put(engine.tensor([], [5]));
    const replay = Replay.capture(engine, () => ring.put(x) as undefined);
    replay.run();
    replay.run();
    expect([...(await ring.read())]).toEqual([5, 7, 7, 7]);
    replay.dispose();
    ring.dispose();
  });

  it('cannot run while another step is captured', () => {
    using _scope = engine.scope();
    const x = engine.zeros([4]);
    const replay = Replay.capture(engine, () => relu(x));
    const outer = () => {
      replay.run();
      return relu(x);
    };
    expect(() => Replay.capture(engine, outer)).toThrow('a captured step cannot replay another one');
    replay.dispose();
  });
});
