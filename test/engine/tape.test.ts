import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError } from '../../engine/errors.ts';
import { checkpoint } from '../../engine/nn/checkpoint.ts';
import { Dropout } from '../../engine/nn/layers.ts';
import { Module, Noise } from '../../engine/nn/module.ts';
import { add, mul, sub } from '../../engine/ops/binary.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { reshape } from '../../engine/ops/reshape.ts';
import { mean, sum } from '../../engine/ops/sum.ts';
import { exp, relu, tanh } from '../../engine/ops/unary.ts';
import { clipByValue } from '../../engine/optim/clip.ts';
import { Sgd } from '../../engine/optim/sgd.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const X = [0.5, -1, 2];

/** y = w·x, its weight borrowed. */
class Scale extends Module {
  constructor(readonly w: Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return mul(x, this.w);
  }
}

/** The gradient of a scalar function of X, and of another leaf where it has one. */
async function gradient(f: (x: Tensor) => Tensor): Promise<number[]> {
  using _scope = engine.scope();
  using tape = engine.record();
  const x = engine.tensor([3], X).track();
  tape.backward(f(x));
  const result = [...(await x.grad!.read())];
  x.setGrad(undefined);
  return result;
}
const close = (got: number[], want: number[]): void => {
  for (const [i, w] of want.entries()) expect(got[i]).toBeCloseTo(w, 4);
};

describe('gradients', () => {
  it('add up where a tensor is used twice', async () => {
    close(
      await gradient((x) => sum(mul(x, x))),
      X.map((x) => 2 * x),
    );
    close(
      await gradient((x) => sum(add(x, x))),
      X.map(() => 2),
    );
    close(await gradient((x) => sum(sub(x, x))), [0, 0, 0]);
  });

  it('join at the far end of a diamond', async () => {
    // y = tanh(u) · e^u with u = x²
    close(
      await gradient((x) => {
        const u = mul(x, x);
        return sum(mul(tanh(u), exp(u)));
      }),
      X.map((x) => 2 * x * Math.exp(x * x) * (1 - Math.tanh(x * x) ** 2 + Math.tanh(x * x))),
    );
  });

  it('reach a leaf by a short and a long way', async () => {
    // y = x + relu(x + relu(x)): slopes 1 + 2 above zero; below, the inner relu is off and so is the outer
    close(await gradient((x) => sum(add(x, relu(add(x, relu(x)))))), [3, 1, 3]);
  });

  it('ignore what the result does not depend on', async () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const [x, other] = [engine.tensor([3], X).track(), engine.tensor([3], X).track()];
    exp(other);
    tape.backward(sum(x));
    expect(other.grad).toBeUndefined();
    expect([...(await x.grad!.read())]).toEqual([1, 1, 1]);
    x.setGrad(undefined);
  });

  it('stop at tensors that are not tracked', () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const [x, constant] = [engine.tensor([3], X).track(), engine.tensor([3], X)];
    const y = exp(constant);
    expect(y.tracked).toBe(false);
    tape.backward(sum(mul(x, y)));
    expect(constant.grad ?? y.grad).toBeUndefined();
    x.setGrad(undefined);
  });

  it('accumulate over backward passes', async () => {
    using _scope = engine.scope();
    const x = engine.parameter([3], X);
    for (const times of [1, 2]) {
      using tape = engine.record();
      tape.backward(sum(mul(x, x)));
      close(
        [...(await x.grad!.read())],
        X.map((v) => 2 * v * times),
      );
    }
    x.release();
  });

  it('start from the dy that is given', async () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const x = engine.tensor([3], X).track();
    const y = mul(x, x);
    expect(() => tape.backward(y)).toThrow(ShapeError);
    tape.backward(y, engine.tensor([3], [1, 10, 100]));
    close([...(await x.grad!.read())], [1, -20, 400]);
    x.setGrad(undefined);
  });

  it('are memory of their own for each leaf, although ops pass dy on', async () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const [a, b, c] = [0, 1, 2].map(() => engine.tensor([3], X).track());
    const dy = engine.tensor([3], [1, 2, 3]);
    const y = add(add(a, b), reshape(dropout(c, { training: false }), { shape: [3] }));
    tape.backward(y, dy);
    const storages = [a, b, c].map((x) => x.grad!.storage);
    expect(new Set([...storages, dy.storage]).size).toBe(4);
    for (const x of [a, b, c]) {
      expect([...(await x.grad!.read())]).toEqual([1, 2, 3]);
      x.setGrad(undefined);
    }
  });
});

describe('gradients of a sum of two numbers', () => {
  it('are not the one that backward starts from', async () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const [a, b] = [engine.tensor([1], [2]).track(), engine.tensor([1], [3]).track()];
    tape.backward(add(a, b));
    clipByValue(engine, [a.grad!, b.grad!], 0.25);
    expect([await a.grad!.item(), await b.grad!.item()]).toEqual([0.25, 0.25]);
    expect(await engine.one.item()).toBe(1);
    for (const x of [a, b]) x.setGrad(undefined);
  });
});

describe('a tape', () => {
  it('records only while it lives, and the innermost one does', () => {
    using _scope = engine.scope();
    const x = engine.tensor([3], X).track();
    expect(exp(x).tracked).toBe(false);
    {
      using outer = engine.record();
      {
        using inner = engine.record();
        expect(engine.tape).toBe(inner);
      }
      expect(engine.tape).toBe(outer);
      expect(exp(x).tracked).toBe(true);
    }
    expect(engine.tape).toBeUndefined();
  });

  it('goes back beside another that records, and leaves that one in place', () => {
    using _scope = engine.scope();
    const x = engine.tensor([3], X).track();
    using outer = engine.record();
    const y = sum(exp(x));
    using inner = engine.record();
    outer.backward(y);
    expect(engine.tape).toBe(inner);
    x.setGrad(undefined);
  });

  it('holds nothing after backward, and nothing when a gradient fails', () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 4, 16, 16], new Float32Array(1024)).track();
    const live = engine.memory.stats().live;
    {
      using _inner = engine.scope();
      using tape = engine.record();
      tape.backward(mean(exp(exp(x))));
      x.setGrad(undefined);
    }
    expect(engine.memory.stats().live).toBe(live);
    {
      using _inner = engine.scope();
      using tape = engine.record();
      const y = exp(exp(x));
      const z = engine.zeros([]);
      tape.add({
        name: 'broken',
        inputs: { y },
        output: z,
        saved: [y],
        backward: () => {
          throw new Error('no gradient today');
        },
      });
      expect(() => tape.backward(z)).toThrow('no gradient today');
      expect(engine.tape).toBe(tape);
    }
    expect(engine.memory.stats().live).toBe(live);
  });
});

describe('a tape that saves memory', () => {
  it('adds up gradients of a weight inside and outside of a checkpointed module, where an optimizer keeps a place', async () => {
    const scale = new Scale(engine.parameter([3], [2, 2, 2]));
    const sgd = new Sgd(scale, { lr: 1 });
    using _scope = engine.scope();
    const x = engine.tensor([3], X);
    for (const _ of [1, 2]) {
      engine.write(scale.w, [2, 2, 2]);
      using tape = engine.record();
      tape.backward(sum(mul(checkpoint(scale, checkpoint(scale, x)), scale.w))); // x·w³, slope 3·x·w²
      sgd.step();
      close(
        [...(await scale.w.read())],
        X.map((v) => 2 - 12 * v),
      );
    }
    sgd.dispose();
    scale.dispose();
  });

  it('checkpoints a module of several inputs, whatever it reads of them', async () => {
    class Product extends Module {
      constructor(readonly w: Tensor) {
        super();
      }
      forward(a: Tensor, b: Tensor, _unread: Tensor): Tensor {
        return mul(mul(a, b), this.w);
      }
    }
    const product = new Product(engine.parameter([3], [2, 2, 2]));
    using _scope = engine.scope();
    using tape = engine.record();
    const [a, unread] = [engine.tensor([3], X).track(), engine.tensor([3], X).track()];
    tape.backward(sum(checkpoint(product, a, a, unread))); // w·x²
    const read = async (x: Tensor) => [...(await x.grad!.read())];
    close(
      await read(a),
      X.map((v) => 4 * v),
    );
    close(
      await read(product.w),
      X.map((v) => v * v),
    );
    expect(await read(unread)).toEqual([0, 0, 0]);
    for (const x of [a, unread, product.w]) x.setGrad(undefined);
    product.dispose();
  });

  it('refuses to checkpoint what would draw other numbers the second time', () => {
    const build = { engine, random: new Random(1), noise: new Noise(1) };
    using _scope = engine.scope();
    using _tape = engine.record();
    expect(() => checkpoint(new Dropout(build, 0.5), engine.zeros([1, 4, 2, 2]).track())).toThrow(
      /draws random numbers/,
    );
  });

  it('rounds to 16 bits anew after each backward pass', async () => {
    using _scope = engine.scope();
    using tape = engine.record({ activations: 'f16' });
    const x = engine.tensor([1, 4, 32, 32], new Float32Array(4096).fill(3)).track();
    const w = engine.tensor([1, 4, 32, 32], new Float32Array(4096).fill(1)).track();
    const y = mul(x, x);
    for (let pass = 0; pass < 2; pass++) {
      tape.backward(sum(mul(y, w)));
      expect((await w.grad!.read()).every((v) => v === 9)).toBe(true);
      w.setGrad(undefined);
    }
    x.setGrad(undefined);
  });
});
