import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { cases, linearInputsOf, makeArray, type OpCase } from '../cases.ts';
import { testEngine } from './engine.ts';
import { Guard } from './guard.ts';
import {
  answer,
  distance,
  type Judged,
  type Question,
  questionOf,
  type Referred,
  run,
  runForward,
  termsOf,
} from './judge.ts';

/** Ops by the test file that walks their cases. */
export const families = {
  conv2d: ['conv2d'],
  conv3d: ['conv3d'],
  separable: ['separable_conv3d'],
  'fused-conv': ['fused_conv2d', 'fused_conv3d'],
  'conv-transpose': ['conv_transpose2d', 'conv_transpose3d'],
  resampling: ['pixel_shuffle', 'pixel_unshuffle', 'warp', 'imresize', 'interpolate'],
  'resize-tf1': ['resize_tf1'],
  video: ['splat', 'dynamic_filter', 'grid_sample', 'affine_grid', 'correlation'],
  shaping: ['concat', 'slice', 'pad'],
  pointwise: ['relu', 'leaky_relu', 'prelu', 'sigmoid', 'tanh', 'abs', 'sqrt', 'exp', 'log', 'clamp'],
  arithmetic: ['add', 'sub', 'mul', 'div'],
  pooling: [
    'max_pool2d',
    'max_pool3d',
    'avg_pool2d',
    'global_avg_pool',
    'linear',
    'reshape',
    'frames_to_batch',
    'batch_to_frames',
    'softmax',
    'log_sum_exp',
    'bce_with_logits',
    'cross_entropy',
  ],
  norm: ['batch_norm', 'instance_norm'],
  lstm: ['lstm_cell'],
  reducing: ['sum', 'mean', 'l1_loss', 'mse_loss', 'charbonnier_loss', 'huber_loss'],
};

/** One engine for a test file. */
export function useEngine(): () => Engine {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.destroy());
  return () => engine;
}

/** For what is built of exp: what WGSL allows it, 3 + 2|x| ulp, |x| up to 4, or up to 14 where y comes from far sums. */
const OF_EXP: Record<string, number | undefined> = {
  exp: 22,
  softmax: 22,
  log_sum_exp: 62,
  cross_entropy: 62,
  dynamic_filter: 22,
  lstm_cell: 22,
};

/**
 * Units of 2⁻²⁴·Σ|terms| that a result may be off: a few roundings; twice the few for normalisation, which rounds a mean, a
 * variance, its root and a quotient.
 */
const tolerance = (op: string): number => OF_EXP[op] ?? (op.endsWith('_norm') ? 16 : 8);
/** The same for a sum over all results, whose errors cancel. */
const ADJOINT_TOLERANCE = 2;

/** Holds every result of the device against the reference, to `most` units. */
export function expectRight(got: Judged, want: Referred, question: Question, most = tolerance(question.op)): void {
  const terms = termsOf(question, want);
  expect(distance(got.y, want.y, terms.y), 'y').toBeLessThan(most);
  expect(Object.keys(got.grads).sort()).toEqual(Object.keys(want.grads).sort());
  for (const [name, grad] of Object.entries(want.grads)) {
    expect(distance(got.grads[name], grad, terms[name]), `d_${name}`).toBeLessThan(most);
  }
}

const bits = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);

function expectSameBits(one: Judged, other: Judged): void {
  expect(bits(one.y).equals(bits(other.y)), 'y').toBe(true);
  for (const name of Object.keys(one.grads)) {
    expect(bits(one.grads[name]).equals(bits(other.grads[name])), `d_${name}`).toBe(true);
  }
}

/** <A v, dy> = <v, Aᵀ dy> in every input that the op is linear in, both sides from the device. */
async function expectAdjoint(engine: Engine, test: OpCase, question: Question, grads: Judged['grads']): Promise<void> {
  const { op, inputs, dy } = question;
  for (const name of linearInputsOf(question)) {
    const v = makeArray(inputs[name].shape, `${op}/${test.name}/${name}/adjoint`);
    const zero = { shape: v.shape, data: new Float64Array(v.data.length) };
    const at = (x: typeof v) => runForward(engine, { ...question, inputs: { ...inputs, [name]: x } });
    // A v = f(v) - f(0): what does not depend on this input (a bias) drops out
    const [moved, rest] = [await at(v), await at(zero)];
    let [difference, terms] = [0, 0];
    for (let i = 0; i < moved.length; i++) {
      difference += (moved[i] - rest[i]) * dy.data[i];
      terms += (Math.abs(moved[i]) + Math.abs(rest[i])) * Math.abs(dy.data[i]);
    }
    for (let i = 0; i < v.data.length; i++) {
      difference -= v.data[i] * grads[name][i];
      terms += Math.abs(v.data[i] * grads[name][i]);
    }
    expect(Math.abs(difference) / (terms * 2 ** -24 || 1), `adjoint in ${name}`).toBeLessThan(ADJOINT_TOLERANCE);
  }
}

/** Every case of a family, on poisoned memory and again on recycled: right, inside its bounds, repeatable, nothing kept. */
export function walk(family: keyof typeof families): void {
  const engine = useEngine();
  for (const test of cases.filter((c) => families[family].includes(c.op))) {
    it(`${test.op}: ${test.name}`, async () => {
      const question = questionOf(test);
      let first: Judged;
      {
        using guard = new Guard(engine());
        first = await run(engine(), question);
        expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
      }
      expectRight(first, answer(question), question);
      const { live } = engine().memory.stats();
      expectSameBits(first, await run(engine(), question));
      await expectAdjoint(engine(), test, question, first.grads);
      expect(engine().memory.stats().live, 'bytes kept').toBe(live);
    });
  }
}
