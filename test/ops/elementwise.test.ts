import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError } from '../../engine/errors.ts';
import { add, div, mul } from '../../engine/ops/binary.ts';
import { ops } from '../../engine/ops/index.ts';
import { avg_pool2d, global_avg_pool, max_pool2d, max_pool3d } from '../../engine/ops/pool.ts';
import { reshape } from '../../engine/ops/reshape.ts';
import { sum } from '../../engine/ops/sum.ts';
import { clamp, exp, leaky_relu, relu, sigmoid, tanh } from '../../engine/ops/unary.ts';
import { size, type Tensor } from '../../engine/tensor.ts';
import { makeArray, type OpCase } from '../op-case.ts';
import { testEngine } from './engine.ts';
import { distance, refer, runCase } from './judge.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

/** Forward and every gradient within a few roundings of the float64 reference. */
async function judge(test: OpCase): Promise<void> {
  const [got, want] = [await runCase(engine, test), refer(test)];
  expect(distance(got.y, want.y), 'y').toBeLessThan(16);
  for (const [name, grad] of Object.entries(want.grads)) {
    expect(distance(got.grads[name], grad), `d ${name}`).toBeLessThan(16);
  }
}

// of one sign, so that sums do not cancel
const range = { input: { low: 0.5, high: 2 }, b: { low: 0.5, high: 2 } };

describe('broadcasting', () => {
  const pairs: [a: number[], b: number[]][] = [
    [[], []],
    [[], [5]],
    [[6], [1]],
    [
      [2, 5, 3, 4],
      [3, 4],
    ], // aligned on the right: rows and columns
    [
      [2, 5, 3, 4],
      [5, 1, 1],
    ],
    [
      [5, 3, 4],
      [2, 5, 3, 4],
    ],
    [
      [2, 5, 2, 3, 4],
      [5, 1, 3, 1],
    ],
    [
      [2, 8, 1, 4, 1],
      [1, 8, 3, 1, 2],
    ], // no two axes step alike
    [
      [2, 1, 3, 1, 2],
      [1, 7, 1, 4, 2],
    ],
    [
      [1, 1, 1, 1],
      [1, 6, 1, 1],
    ],
    [
      [4, 3],
      [1, 3],
    ],
    [
      [4, 3],
      [4, 1],
    ],
    [[2, 3, 5], [3]],
  ];
  for (const [a, b] of pairs) {
    for (const op of ['sub', 'div']) {
      it(`${op} (${a}) and (${b})`, () => judge({ op, name: `${a}/${b}`, inputs: { a, b }, range }));
    }
  }

  it('sums gradients of one tensor on both sides', async () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const x = engine.tensor([3], [1, 2, 3]).track();
    tape.backward(sum(add(mul(x, x), div(x, x))));
    expect([...(await x.grad!.read())]).toEqual([2, 4, 6]);
    x.setGrad(undefined);
  });
});

describe('reductions', () => {
  const shape = [2, 5, 3, 4, 2];
  const choices = [
    [0, 1],
    [1, 3],
    [0, 2, 4],
    [0, 1, 3],
    [2, 4],
    [1, 2, 3, 4],
    [-1, 0],
    [0, 1, 2, 3, 4],
  ];
  for (const axes of choices) {
    it(`mean over ${axes}`, () =>
      judge({ op: 'mean', name: `${axes}`, attrs: { axes }, inputs: { input: shape }, range }));
  }
  it('sum of one number', () => judge({ op: 'sum', name: 'rank 0', inputs: { input: [] } }));
  it('sum of 300 channels', () =>
    judge({ op: 'sum', name: 'wide', attrs: { axes: 1 }, inputs: { input: [2, 301, 3] }, range }));

  it('keep six digits over a million terms of one sign', async () => {
    using _scope = engine.scope();
    const x = makeArray([1, 3, 640, 640], 'positive', { low: 0, high: 1 });
    const exact = x.data.reduce((s, v) => s + v, 0);
    const runs = await Promise.all([0, 1].map(() => sum(engine.tensor(x.shape, x.data)).item()));
    expect(Math.abs(runs[0] / exact - 1)).toBeLessThan(3e-7);
    expect(runs[1]).toBe(runs[0]);
  });
});

describe('functions of one number', () => {
  const apply = async (op: (x: Tensor) => Tensor, values: number[]) => {
    using _scope = engine.scope();
    return [...(await op(engine.tensor([values.length], values)).read())];
  };
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

  it('do not hide NaN', async () => {
    for (const op of [relu, leaky_relu, sigmoid, tanh, exp, (x: Tensor) => clamp(x, { min: -1, max: 1 })]) {
      expect(await apply(op, [nan, 0.5, nan])).toEqual([nan, expect.any(Number), nan]);
    }
  });

  it('pools do not hide NaN', async () => {
    using _scope = engine.scope();
    const values = [nan, 1, 2, 3, 4, 5, 6, nan, -inf, -inf, -inf, -inf];
    const x = engine.tensor([1, 1, 1, 12], values);
    const window = { kernel_size: [1, 2] };
    const means = [nan, 2.5, 4.5, nan, -inf, -inf];
    expect([...(await max_pool2d(x, window).read())]).toEqual([nan, 3, 5, nan, -inf, -inf]);
    expect([...(await max_pool3d(reshape(x, { shape: [1, 1, 1, 1, 12] }), { kernel_size: [1, 1, 2] }).read())]).toEqual(
      [...[nan, 3, 5, nan, -inf, -inf]],
    );
    expect([...(await avg_pool2d(x, window).read())]).toEqual(means);
    expect(await global_avg_pool(x).item()).toBeNaN();
  });

  it('take infinities and saturate', async () => {
    expect(await apply(relu, [-inf, inf])).toEqual([0, inf]);
    expect(await apply(sigmoid, [-1000, 1000])).toEqual([0, 1]);
    expect(await apply(tanh, [-1000, 1000])).toEqual([-1, 1]);
    expect(await apply((x) => clamp(x, { min: -2 }), [-inf, inf])).toEqual([-2, inf]);
    expect(await apply((x) => clamp(x, { max: 2 }), [-inf, inf])).toEqual([-inf, 2]);
  });

  it('tanh keeps its digits near zero', async () => {
    const values = Array.from({ length: 200 }, (_, i) => Math.fround(10 ** (i / 40 - 5)));
    const y = await apply(tanh, values);
    y.forEach((v, i) => {
      expect(Math.abs(v / Math.tanh(values[i]) - 1), `tanh ${values[i]}`).toBeLessThan(1e-6);
    });
  });
});

describe('padding stays zero', () => {
  const input = [2, 5, 3, 3];
  const unary = ['relu', 'leaky_relu', 'sigmoid', 'tanh', 'abs', 'sqrt', 'exp', 'log', 'clamp'];
  const calls: [op: string, inputs: number[][], attrs?: object][] = [
    ...unary.map((op): [string, number[][], object] => [op, [input], op === 'clamp' ? { min: 0.5 } : {}]),
    ...['add', 'sub', 'mul', 'div'].flatMap((op): [string, number[][]][] => [
      [op, [input, input]],
      [op, [input, []]],
      [op, [[], input]],
      [op, [input, [2, 1, 3, 3]]],
    ]),
    ['prelu', [input, [1]]],
    ['mean', [input], { axes: [2] }],
    ['sum', [input], { axes: [1] }],
    ['charbonnier_loss', [input, input]],
  ];
  it.each(calls)('%s %j', async (name, shapes, attrs = {}) => {
    using _scope = engine.scope();
    using tape = engine.record();
    const inputs = shapes.map((s, i) => engine.tensor(s, makeArray(s, `${i}`, { low: 0.5, high: 2 }).data).track());
    const y = ops[name](...inputs, attrs);
    tape.backward(y, engine.tensor(y.shape, new Float32Array(size(y.shape)).fill(1)));
    for (const x of [y, ...inputs.map((t) => t.grad!)]) {
      const channels = x.shape[x.shape.length > 1 ? 1 : 0] ?? 1;
      const stored = new Float32Array(await engine.readRaw(x.storage));
      const pitch = Math.ceil(channels / 4) * 4;
      expect(stored.every((v, i) => i % pitch < channels || v === 0)).toBe(true);
    }
    for (const x of inputs) x.setGrad(undefined);
  });
});

describe('reshape', () => {
  const changes: [number[], number[]][] = [
    [[24], [2, 3, 4]],
    [[2, 3, 4], [24]],
    [
      [2, 3, 4, 5],
      [6, 20],
    ],
    [
      [2, 3, 4, 5],
      [2, 12, 5],
    ],
    [
      [2, 3, 4, 5],
      [5, 4, 3, 2],
    ],
    [
      [1, 7, 1, 3],
      [7, 3],
    ],
    [
      [2, 6, 3, 2, 2],
      [3, 2, 2, 2, 6],
    ],
    [[1], []],
  ];
  it.each(changes)('%j to %j', async (from, to) => {
    using _scope = engine.scope();
    using tape = engine.record();
    const count = size(from);
    const x = engine
      .tensor(
        from,
        Float32Array.from({ length: count }, (_, i) => i),
      )
      .track();
    const y = reshape(x, { shape: to });
    expect(y.shape).toEqual(to);
    expect([...(await y.read())]).toEqual(Array.from({ length: count }, (_, i) => i));
    tape.backward(
      y,
      engine.tensor(
        to,
        Float32Array.from({ length: count }, (_, i) => count - i),
      ),
    );
    expect([...(await x.grad!.read())]).toEqual(Array.from({ length: count }, (_, i) => count - i));
    x.setGrad(undefined);
  });

  it('finds the size that is -1, and copies only where it must', () => {
    using _scope = engine.scope();
    const x = engine.zeros([2, 6, 4, 5]);
    expect(reshape(x, { shape: [4, -1] }).shape).toEqual([4, 60]);
    expect(reshape(x, { shape: [2, 6, 20] }).storage).toBe(x.storage);
    expect(reshape(x, { shape: [2, 6, -1, 2, 5] }).storage).toBe(x.storage);
  });
});

describe('refuses', () => {
  const calls: [string, string, number[][], object?][] = [
    ['a clamp without bounds', 'clamp', [[3]]],
    ['a bound that is no number', 'clamp', [[3]], { min: Number.NaN }],
    ['a slope below zero', 'leaky_relu', [[3]], { negative_slope: -0.1 }],
    ['ε = 0', 'charbonnier_loss', [[3], [3]], { eps: 0 }],
    ['δ = 0', 'huber_loss', [[3], [3]], { delta: 0 }],
    ['no axis', 'sum', [[3, 4]], { axes: [] }],
    ['half an axis', 'mean', [[3, 4]], { axes: [0.5] }],
    ['slopes for a vector', 'prelu', [[3], [3]]],
  ];
  it.each(calls)('%s (%s)', (_, name, shapes, attrs = {}) => {
    using _scope = engine.scope();
    const live = engine.memory.stats().live;
    const inputs = shapes.map((s) => engine.zeros(s));
    const before = engine.memory.stats().live;
    expect(() => ops[name](...inputs, attrs)).toThrow(ShapeError);
    expect(engine.memory.stats().live).toBe(before);
    expect(before).toBeGreaterThan(live);
  });
  it.each([[[5, 5]], [[-1, -1]], [[-1, 7]], [[0, -1]], [[2.5, 4]]])('a reshape of (2, 5) to %j', (shape) => {
    using _scope = engine.scope();
    expect(() => reshape(engine.zeros([2, 5]), { shape })).toThrow(ShapeError);
  });
});
