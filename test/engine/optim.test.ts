import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { FormatError } from '../../engine/errors.ts';
import { Module } from '../../engine/nn/module.ts';
import { mul } from '../../engine/ops/binary.ts';
import { sum } from '../../engine/ops/sum.ts';
import { Adam } from '../../engine/optim/adam.ts';
import { clipByNorm, clipByValue } from '../../engine/optim/clip.ts';
import { Ema } from '../../engine/optim/ema.ts';
import { cosineRate, plateauRate, polynomialRate, stepRate } from '../../engine/optim/schedule.ts';
import { Sgd } from '../../engine/optim/sgd.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const start = [1, -2, 3, 0.5, -0.25];
const gradients = [
  [0.1, -0.2, 0.3, 0, 1],
  [-0.5, 0.2, 0.3, 1e-4, -1],
  [0.7, 0.1, -0.3, 2, 0.5],
];

class Vector extends Module {
  readonly weight: Tensor = engine.parameter([5], start);
  forward(): Tensor {
    return this.weight;
  }
  give(g: number[]): void {
    const grad = engine.tensor([5], g);
    this.weight.setGrad(grad);
    grad.release();
  }
}

describe('optimizers', () => {
  it('Adam follows Kingma and Ba, algorithm 1, and resumes from its state', async () => {
    const net = new Vector();
    let adam = new Adam(net, { lr: 0.01, weightDecay: 0.1 });
    const w = [...start];
    const m = start.map(() => 0);
    const v = start.map(() => 0);
    for (const [t, g] of gradients.entries()) {
      net.give(g);
      adam.step();
      const saved = await adam.stateDict();
      adam.dispose();
      adam = new Adam(net, { lr: 0.01, weightDecay: 0.1 });
      adam.loadStateDict(saved, t + 1);
      w.forEach((value, i) => {
        const d = g[i] + 0.1 * value;
        m[i] = 0.9 * m[i] + 0.1 * d;
        v[i] = 0.999 * v[i] + 0.001 * d * d;
        w[i] -= (0.01 * (m[i] / (1 - 0.9 ** (t + 1)))) / (Math.sqrt(v[i] / (1 - 0.999 ** (t + 1))) + 1e-8);
      });
    }
    const got = await net.weight.read();
    for (const [i, value] of w.entries()) expect(got[i]).toBeCloseTo(value, 5);
    expect(() => adam.loadStateDict(new Map(), 1)).toThrow(FormatError);
  });

  it('SGD with momentum and weight decay follows PyTorch', async () => {
    const net = new Vector();
    const sgd = new Sgd(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.01 });
    const w = [...start];
    const v = start.map(() => 0);
    for (const g of gradients) {
      net.give(g);
      sgd.step();
      w.forEach((value, i) => {
        v[i] = 0.9 * v[i] + g[i] + 0.01 * value;
        w[i] -= 0.1 * v[i];
      });
    }
    const got = await net.weight.read();
    for (const [i, value] of w.entries()) expect(got[i]).toBeCloseTo(value, 5);
  });

  it('update all parameters in one dispatch where each has its gradient, and those alone that have one', async () => {
    class Pair extends Module {
      readonly a: Tensor = engine.parameter([3], [1, 2, 3]);
      readonly b: Tensor = engine.parameter([5, 2], new Float32Array(10).fill(1));
      forward(): Tensor {
        return this.a;
      }
    }
    const net = new Pair();
    const { live } = engine.memory.stats();
    const sgd = new Sgd(net, { lr: 1 });
    const step = (...losses: (() => Tensor)[]) =>
      engine.profile(() => {
        using _scope = engine.scope();
        using tape = engine.record();
        for (const loss of losses) tape.backward(loss());
        sgd.step();
      });
    const count = (times: { label: string }[]) => times.filter(({ label }) => label === 'sgd.step').length;
    const [a, b] = [() => sum(net.a), () => sum(mul(net.b, net.b))];
    expect(count(await step(a, b))).toBe(1);
    expect([...(await net.a.read()), ...(await net.b.read())]).toEqual([0, 1, 2, ...new Array(10).fill(-1)]);
    expect(count(await step(a))).toBe(1);
    expect([...(await net.a.read()), ...(await net.b.read())]).toEqual([-1, 0, 1, ...new Array(10).fill(-1)]);
    expect(sgd.gradients()).toEqual([]);
    sgd.dispose();
    net.dispose();
    expect(engine.memory.stats().live).toBeLessThan(live);
  });

  describe('of parts of a network', () => {
    class Part extends Module {
      readonly weight: Tensor = engine.parameter([3], [1, 1, 1]);
      forward(): Tensor {
        return this.weight;
      }
    }
    class Whole extends Module {
      readonly a = new Part();
      readonly b = new Part();
      forward(): Tensor {
        return this.a.weight;
      }
    }
    /** What a, b and the averages of both are after one step of size 1 along gradients of 1. */
    const updated = async (make: (net: Whole) => [Sgd, Ema]) => {
      const net = new Whole();
      const [sgd, ema] = make(net);
      {
        using _scope = engine.scope();
        using tape = engine.record();
        tape.backward(sum(mul(net.a.weight, net.b.weight)));
        sgd.step();
        ema.update();
        net.a.weight.setGrad(undefined);
        net.b.weight.setGrad(undefined);
      }
      const first = async (x: Tensor) => (await x.read())[0];
      const averages = await ema.stateDict();
      const got = [await first(net.a.weight), await first(net.b.weight), averages.get('b.weight')!.data[0]];
      for (const owner of [sgd, ema, net]) owner.dispose();
      return got;
    };
    const shift = 1 - 2 / 11; // of the average's first update

    it('change those parts alone, whoever laid them flat first', async () => {
      const live = engine.memory.stats().live;
      const averageFirst = await updated((net) => {
        const ema = new Ema(net, 0.9);
        return [new Sgd(net.b, { lr: 1 }), ema];
      });
      expect(averageFirst).toEqual([1, 0, expect.closeTo(1 - shift, 6)]);
      const partFirst = await updated((net) => [new Sgd(net.a, { lr: 1 }), new Ema(net, 0.9)]);
      expect(partFirst).toEqual([0, 1, 1]);
      expect(engine.memory.stats().live).toBe(live);
    });

    it('take a weight that stands in two places as one', async () => {
      class Tied extends Module {
        readonly a = new Part();
        readonly b = this.a;
        forward(): Tensor {
          return this.a.weight;
        }
      }
      const net = new Tied();
      expect([...net.namedParameters()].map(([name]) => name)).toEqual(['a.weight']);
      const sgd = new Sgd(net, { lr: 0.25 });
      using _scope = engine.scope();
      using tape = engine.record();
      tape.backward(sum(mul(net.a.weight, net.b.weight)));
      sgd.step();
      expect([...(await net.a.weight.read())]).toEqual([0.5, 0.5, 0.5]);
      sgd.dispose();
      net.dispose();
    });
  });

  it('clips by the norm of all gradients together, and by value', async () => {
    const a = engine.tensor([3], [3, 0, 0]);
    const b = engine.tensor([2, 2, 1], [0, 4, 0, 0]);
    clipByNorm(engine, [a, b], 10);
    expect([...(await a.read())]).toEqual([3, 0, 0]);
    clipByNorm(engine, [a, b], 1);
    expect((await a.read())[0]).toBeCloseTo(0.6, 6);
    expect((await b.read())[1]).toBeCloseTo(0.8, 6);
    clipByValue(engine, [b], 0.5);
    expect([...(await b.read())]).toEqual([0, 0.5, 0, 0]);
  });
});

describe('schedules', () => {
  it('fall by steps, along a cosine, and when the loss stops falling', () => {
    const steps = stepRate(1, [10, 20], 0.1);
    expect([9, 10, 20].map((s) => steps.rate(s))).toEqual([1, 0.1, 0.010000000000000002]);
    const cosine = cosineRate(1, 100, 0.1, 10);
    expect(cosine.rate(0)).toBeCloseTo(0.1, 12);
    expect(cosine.rate(10)).toBe(1);
    expect(cosine.rate(55)).toBeCloseTo(0.55, 12);
    expect(cosine.rate(100)).toBeCloseTo(0.1, 12);
    const restarts = cosineRate(1, 100, 0.1, 10, 40);
    expect([0, 9, 10, 30, 49, 50, 90].map(restarts.rate)).toEqual([
      ...[0.1, 1, 1, expect.closeTo(0.55, 12), expect.closeTo(0.1, 2), 1, 1],
    ]);
    const polynomial = polynomialRate(1e-3, 100, 1e-4, 0.9);
    expect([0, 50, 100, 200].map(polynomial.rate)).toEqual([
      ...[1e-3, expect.closeTo(1e-4 + 9e-4 * 0.5 ** 0.9, 12), 1e-4, 1e-4],
    ]);
    const plateau = plateauRate(1, 0.1, 1);
    for (const loss of [3, 2, 2]) plateau.observe!(loss);
    expect(plateau.rate(0)).toBe(1);
    const resumed = plateauRate(5, 0.1, 1);
    resumed.restore!(plateau.state!());
    resumed.observe!(2);
    expect(resumed.rate(0)).toBeCloseTo(0.1, 12);
  });
});
