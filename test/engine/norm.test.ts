import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { checkpoint } from '../../engine/nn/checkpoint.ts';
import { Conv2d } from '../../engine/nn/layers.ts';
import { type Build, Module, Noise } from '../../engine/nn/module.ts';
import { BatchNorm, InstanceNorm } from '../../engine/nn/norm.ts';
import { batch_norm } from '../../engine/ops/batch_norm.ts';
import { instance_norm } from '../../engine/ops/instance_norm.ts';
import { sum } from '../../engine/ops/sum.ts';
import { Random } from '../../engine/random.ts';
import { Replay } from '../../engine/replay.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { makeArray } from '../op-case.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
let build: Build;
beforeAll(async () => {
  engine = await testEngine();
  build = { engine, random: new Random(1), noise: new Noise(2) };
});
afterAll(() => engine.destroy());

const shape = [2, 5, 3, 4];
const values = 24; // of a channel
const batches = [0, 1, 2].map((i) => makeArray(shape, `batch ${i}`, { low: 9, high: 11 }).data);

/** Mean and Σ(x - mean)² of a channel. */
function moments(x: Float64Array, channel: number): [mean: number, squares: number] {
  const own = x.filter((_, i) => Math.floor(i / 12) % 5 === channel);
  const mean = own.reduce((a, b) => a + b) / values;
  return [mean, own.reduce((a, b) => a + (b - mean) ** 2, 0)];
}

/** Running statistics of every channel after the batches, from mean 0 and variance 1. */
function expectRunning(norm: { mean: Float32Array; variance: Float32Array }, momentum: number, count: number): void {
  for (let c = 0; c < 5; c++) {
    let [mean, variance] = [0, 1];
    for (const x of batches) {
      const [m, squares] = moments(x, c);
      mean += momentum * (m - mean);
      variance += momentum * (squares / count - variance);
    }
    expect(norm.mean[c]).toBeCloseTo(mean, 5);
    expect(norm.variance[c]).toBeCloseTo(variance, 5);
  }
}

const running = async (norm: BatchNorm) => ({
  mean: await norm.running_mean.read(),
  variance: await norm.running_var.read(),
});

describe('running statistics', () => {
  it('of instances: the mean of their means, and of their unbiased variances', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([2, 1, 2], [1, 3, 5, 9]);
    const [mean, variance] = [engine.tensor([1], [0]), engine.tensor([1], [1])];
    instance_norm(x, undefined, undefined, mean, variance, { momentum: 0.1 });
    expect(await mean.item()).toBeCloseTo(0.1 * 4.5, 6);
    expect(await variance.item()).toBeCloseTo(0.9 + 0.1 * 5, 6);
  });

  it.each([
    ['of unbiased variances, as PyTorch', 0.1, true, values - 1],
    ['of biased variances, as TensorFlow', 0.3, false, values],
  ] as const)('%s', async (_, momentum, unbiased, count) => {
    const norm = new BatchNorm(build, 5, { momentum, unbiased });
    for (const x of batches) {
      using _scope = engine.scope();
      norm.forward(engine.tensor(shape, x));
    }
    expectRunning(await running(norm), momentum, count);
    norm.dispose();
  });

  it('move in a captured step each time it is replayed', async () => {
    using _scope = engine.scope();
    const norm = new BatchNorm(build, 5);
    const x = engine.tensor(shape, batches[0]).track();
    const step = (): Tensor => {
      using scope = engine.scope();
      using tape = engine.record();
      const loss = sum(norm.forward(x));
      tape.backward(loss);
      return scope.keep(loss);
    };
    step();
    engine.write(x, batches[1]);
    const replay = Replay.capture(engine, step);
    engine.write(x, batches[2]);
    replay.run();
    expectRunning(await running(norm), 0.1, values - 1);
    for (const t of [x, norm.weight, norm.bias]) t.setGrad(undefined);
    replay.dispose();
    norm.dispose();
  });

  it('move once where a block is computed again for its gradients, which are the same', async () => {
    class Block extends Module {
      readonly conv = new Conv2d(build, {
        in: 5,
        out: 5,
        kernel: [1, 1],
        init: (s) => new Float32Array(25).fill(1 / s[0]),
      });
      readonly norm = new BatchNorm(build, 5);
      forward(x: Tensor): Tensor {
        return this.norm.forward(this.conv.forward(x));
      }
    }
    const seen: Float32Array[][] = [];
    for (const again of [false, true]) {
      using _scope = engine.scope();
      const block = new Block();
      const x = engine.tensor(shape, batches[0]).track();
      using tape = engine.record();
      const y = again ? checkpoint(block, x) : block.forward(x);
      tape.backward(y, engine.tensor(shape, batches[1]));
      const { mean, variance } = await running(block.norm);
      seen.push([mean, variance, await x.grad!.read(), await block.conv.weight.grad!.read()]);
      for (const t of [x, ...block.parameters()]) t.setGrad(undefined);
      block.dispose();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(engine.repeating).toBe(false);
  });

  it('rest where the layer is frozen, or the network evaluates, and y comes from them', async () => {
    using _scope = engine.scope();
    const norm = new BatchNorm(build, 5);
    engine.write(norm.running_mean, [10, 10, 10, 10, 10]);
    norm.frozen = true;
    const x = engine.tensor(shape, batches[0]);
    const frozen = await norm.forward(x).read();
    norm.frozen = false;
    const evaluated = await norm.train(false).forward(x).read();
    expect(evaluated).toEqual(frozen);
    batches[0].forEach((v, i) => {
      expect(frozen[i]).toBeCloseTo((v - 10) / Math.sqrt(1 + 1e-5), 5);
    });
    expect(await norm.running_var.read()).toEqual(new Float32Array(5).fill(1));
    norm.dispose();
  });
});

const none = [undefined, undefined, undefined, undefined] as const;
it('statistics stay exact where means are a thousand times the deviation', async () => {
  using _scope = engine.scope();
  const x = makeArray([1, 1, 300, 300], 'far', { low: 999.5, high: 1000.5 });
  const y = await batch_norm(engine.tensor(x.shape, x.data), ...none, { training: true }).read();
  const mean = x.data.reduce((a, b) => a + b) / x.data.length;
  const variance = x.data.reduce((a, b) => a + (b - mean) ** 2, 0) / x.data.length;
  const worst = y.reduce(
    (most, v, i) => Math.max(most, Math.abs(v - (x.data[i] - mean) / Math.sqrt(variance + 1e-5))),
    0,
  );
  expect(worst).toBeLessThan(2 ** -15 / Math.sqrt(variance) + 1e-6); // what rounding the mean to float32 costs
});

it('layers name their tensors as PyTorch does; only batch norm has buffers', () => {
  const [batch, instance, plain] = [
    new BatchNorm(build, 3),
    new InstanceNorm(build, 3),
    new InstanceNorm(build, 3, { affine: false }),
  ];
  const names = (module: Module) => Array.from(module.namedTensors(), ([name]) => name);
  expect(names(batch)).toEqual(['weight', 'bias', 'running_mean', 'running_var']);
  expect(batch.parameterCount()).toBe(6);
  expect(names(instance)).toEqual(['weight', 'bias']);
  expect(names(plain)).toEqual([]);
  for (const module of [batch, instance]) module.dispose();
});
