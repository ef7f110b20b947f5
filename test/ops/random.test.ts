import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError } from '../../engine/errors.ts';
import { randomNormal, randomUniform, randomWords } from '../../engine/kernels/random-tensor.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { philox4x32, Random, unitFloat, words } from '../../engine/random.ts';
import { padded, size } from '../../engine/tensor.ts';
import { testEngine } from './engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const keys: [seed: number, stream: number][] = [
  [0, 0],
  [42, 7],
  [2 ** 53 - 1, 2 ** 32 + 5],
  [0xffffffff, 0xffffffff],
];

describe.each(keys)('seed %i, stream %i', (seed, stream) => {
  it('draws the words that the processor draws', async () => {
    const blocks = 20_000;
    const storage = engine.raw(blocks * 16);
    randomWords(storage, seed, stream);
    const got = new Uint32Array(await engine.readRaw(storage));
    storage.release();
    const [s0, s1] = words(stream);
    for (let b = 0; b < blocks; b++) {
      const want = philox4x32([b, 0, s0, s1], words(seed));
      if (want.some((w, l) => w !== got[4 * b + l])) expect([...got.slice(4 * b, 4 * b + 4)]).toEqual(want);
    }
  });

  it.each([[[7]], [[3, 5]], [[2, 5, 3, 7]], [[1, 6, 2, 3, 5]], [[1, 3, 65, 67]]])('fills %j', async (shape) => {
    using _scope = engine.scope();
    const uniform = new Random(seed, stream);
    const u = await randomUniform(engine, shape, seed, stream).read();
    expect(u).toEqual(Float32Array.from(u, () => uniform.uniform()));
    const again = Random.from({ seed, stream, position: 0 });
    const ranged = await randomUniform(engine, shape, seed, stream, -3, 5).read();
    for (const v of ranged) expect(Math.abs(v - (again.uniform() * 8 - 3))).toBeLessThan(1e-6);
    const normal = new Random(seed, stream);
    const z = await randomNormal(engine, shape, seed, stream, 2, 0.5).read();
    for (const v of z) expect(Math.abs(v - (2 + 0.5 * normal.normal()))).toBeLessThan(1e-4);
  });
});

it('fills filters in the order of their elements', async () => {
  using _scope = engine.scope();
  const random = new Random(5, 1);
  const w = await randomUniform(engine, [5, 3, 3, 2], 5, 1, 0, 1, 'filter').read();
  expect(w).toEqual(Float32Array.from(w, () => random.uniform()));
});

describe('dropout', () => {
  const shape = [2, 5, 6, 7];
  /** The value's place in memory, channels last and padded, names its word. */
  function mask(p: number, seed: number, counter: number): Float32Array {
    const [n, c, h, w] = shape;
    const random = new Random(seed, counter);
    const memory = Float32Array.from({ length: n * h * w * padded(c) }, () =>
      unitFloat(random.uint32()) >= p ? 1 / (1 - p) : 0,
    );
    return Float32Array.from({ length: size(shape) }, (_, at) => {
      const position = Math.floor(at / (c * h * w)) * h * w + (at % (h * w));
      return memory[position * padded(c) + (Math.floor(at / (h * w)) % c)];
    });
  }

  it.each([0, 0.3, 0.5, 0.999, 1])('p = %d: backward draws the mask of forward', async (p) => {
    using _scope = engine.scope();
    const attrs = { p, seed: 11, counter: 2 ** 33 + 1 };
    const x = engine.tensor(shape, new Float32Array(size(shape)).fill(2)).track();
    const dy = Float32Array.from({ length: size(shape) }, (_, i) => i + 1);
    using tape = engine.record();
    const y = dropout(x, attrs);
    tape.backward(y, engine.tensor(shape, dy));
    const want = p < 1 ? mask(p, attrs.seed, attrs.counter) : new Float32Array(size(shape));
    expect(await y.read()).toEqual(want.map((m) => 2 * m));
    const dx = await x.grad!.read();
    dx.forEach((g, i) => {
      expect(Math.abs(g - dy[i] * want[i])).toBeLessThanOrEqual(1e-6 * dy[i] * want[i]);
    });
    x.setGrad(undefined);
  });

  it('drops the share that it should, another one for every counter, and leaves the padding zero', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 3, 100, 100], new Float32Array(30_000).fill(1));
    const draw = async (counter: number) =>
      (await dropout(x, { p: 0.3, seed: 1, counter }).read()).map((v) => +(v > 0));
    const [a, b] = [await draw(0), await draw(1)];
    const kept = (m: Float32Array) => m.reduce((s, v) => s + v) / m.length;
    expect(kept(a)).toBeCloseTo(0.7, 2);
    expect(kept(b)).toBeCloseTo(0.7, 2);
    expect(kept(a.map((v, i) => v * b[i]))).toBeCloseTo(0.49, 2);
    const raw = new Float32Array(await engine.readRaw(dropout(x, { p: 0.3 }).storage));
    expect(raw.every((v, i) => i % 4 < 3 || v === 0)).toBe(true);
  });

  it('is x itself when not training', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await dropout(x, { p: 0.9, training: false }).read()).toEqual(await x.read());
  });

  it('refuses what is no probability and no counter', () => {
    using _scope = engine.scope();
    const x = engine.zeros([1, 2, 2, 2]);
    for (const attrs of [{ p: -0.1 }, { p: 1.1 }, { p: Number.NaN }, { seed: -1 }, { counter: 0.5 }]) {
      expect(() => dropout(x, attrs)).toThrow(ShapeError);
    }
  });
});
