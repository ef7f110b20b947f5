import { afterEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../engine/engine.ts';
import { knobs, readKnobs } from '../../engine/knobs.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { sum } from '../../engine/ops/sum.ts';
import { nodeGpu } from '../../io/gpu.ts';
import { cases, makeArray } from '../cases.ts';
import { Guard } from './guard.ts';
import { answer, distance, questionOf, run, termsOf } from './judge.ts';
import { withTensorCores } from './matrix-emulation.ts';
import { expectRight } from './walk.ts';

// The kernels for tensor cores, computed by an emulation of subgroup matrices (matrix-emulation.ts): all but the multiplication
// itself is the text that runs on a GPU. How a tensor core rounds is the subject of matrix-accuracy.test.ts.

vi.mock('../../shaders/conv.matrix.wgsl', emulated);
vi.mock('../../shaders/conv_dw.matrix.wgsl', emulated);

async function emulated(original: () => Promise<unknown>): Promise<{ default: string }> {
  const { emulateMatrices } = await import('./matrix-emulation.ts');
  return { default: emulateMatrices(((await original()) as { default: string }).default) };
}

/** An engine whose adapter claims tensor cores that multiply 16 x 16 by 16 x n matrices. */
async function matrixEngine(n: number, workgroupBytes?: number): Promise<Engine> {
  readKnobs(process.env);
  const { adapter } = await nodeGpu((process.env.SUBPIXEL_DEVICE ?? 'auto') as 'auto');
  return Engine.create(withTensorCores(adapter, n, workgroupBytes));
}

const { adapter } = await nodeGpu((process.env.SUBPIXEL_DEVICE ?? 'auto') as 'auto');
const withF16 = describe.skipIf(!adapter.features.has('shader-f16')); // the tiles are of f16

afterEach(() => {
  knobs.kernel = {};
  knobs.precision = 'f32';
});

const small = [
  'conv2d: 3x3 odd channels',
  'conv2d: lists per axis',
  'conv2d: 64 to 3',
  'conv3d: 3x3x3',
  'conv3d: stride 2',
  'conv_transpose2d: holes',
  'conv_transpose3d: FSTRN, with holes',
];
const wide = ['conv2d: 67 to 65', 'conv3d: 64 to 64', 'conv2d: 64 to 256, 1x1'];
const fused = [
  'fused_conv2d: shuffle 3, all at once',
  'fused_conv2d: 64 to 3',
  'fused_conv2d: stride 2',
  'fused_conv3d: FSTRN block, spatial',
  'fused_conv3d: FSTRN block, temporal',
];

/** What a rounding of both inputs to f16 may change in a term, in the units of `distance`. */
const F16 = 2 ** 14;

const settings: { n: 16 | 8; precision: 'f32' | 'f16'; bytes?: number; chosen: string[] }[] = [
  { n: 16, precision: 'f32', chosen: [...small, ...wide, ...fused] },
  { n: 8, precision: 'f32', chosen: [...small.slice(0, 2), ...wide] },
  { n: 16, precision: 'f16', chosen: [...small.slice(0, 2), ...wide] },
  { n: 16, precision: 'f32', bytes: 16_384, chosen: ['conv2d: 67 to 65'] },
];

withF16('the matrix variants', () => {
  const labels = async (engine: Engine, inputs: number, outputs: number) => {
    using _scope = engine.scope();
    const x = engine.zeros([1, inputs, 4, 4]).track();
    const w = engine.zeros([outputs, inputs, 1, 1], 'filter').track();
    using tape = engine.record();
    const times = await engine.profile(() => tape.backward(sum(conv2d(x, w))));
    for (const leaf of [x, w]) leaf.setGrad(undefined);
    return times.map(({ label }) => label).filter((label) => /\((matrix|direct)\)$/.test(label));
  };

  it('take what is wide enough, and thin channels where asked to', async () => {
    const engine = await matrixEngine(16);
    engine.choices = { conv: ['matrix', 'direct'], conv_dw: ['matrix', 'direct'] };
    expect(await labels(engine, 12, 12)).toEqual(Array(3).fill(expect.stringMatching(/\(matrix\)/)));
    expect(await labels(engine, 8, 12)).toEqual(Array(3).fill(expect.stringMatching(/\(direct\)/)));
    knobs.kernel = { conv: 'matrix', conv_dw: 'matrix' };
    expect(await labels(engine, 8, 12)).toEqual(Array(3).fill(expect.stringMatching(/\(matrix\)/)));
    engine.destroy();
  });

  it('give the same bits whatever power of two scales an operand', async () => {
    const engine = await matrixEngine(16);
    knobs.kernel = { conv: 'matrix', conv_dw: 'matrix' };
    const image = makeArray([1, 17, 5, 6], 'scaled image').data;
    const filter = makeArray([19, 17, 3, 3], 'scaled filter').data;
    const convolve = async (x: number, w: number): Promise<Float32Array> => {
      using _scope = engine.scope();
      const scaled = (data: Float64Array, by: number) => Float32Array.from(data, (v) => v * by);
      const input = engine.tensor([1, 17, 5, 6], scaled(image, x));
      const y = await conv2d(input, engine.tensor([19, 17, 3, 3], scaled(filter, w), 'filter'), undefined).read();
      return y.map((v) => v / x / w);
    };
    const plain = await convolve(1, 1);
    expect(await convolve(2 ** -40, 2 ** 20)).toEqual(plain); // a gradient far below what f16 holds
    expect(await convolve(2 ** 90, 2 ** -100)).toEqual(plain); // and numbers far above
    engine.destroy();
  });

  it('let no number that is none pass for one, and leave results alone that do not see it', async () => {
    const engine = await matrixEngine(16);
    knobs.kernel = { conv: 'matrix', conv_dw: 'matrix' };
    using _scope = engine.scope();
    const values = new Float32Array(12 * 25).fill(1);
    values[0] = Number.POSITIVE_INFINITY;
    values[24] = Number.NaN;
    const ones = engine.tensor([12, 12, 1, 1], new Float32Array(144).fill(1), 'filter');
    const y = await conv2d(engine.tensor([1, 12, 5, 5], values), ones).read();
    expect(y.map((v, i) => (i % 25 === 0 || i % 25 === 24 ? Number(Number.isFinite(v)) : v - 12))).toEqual(
      new Float32Array(300),
    );
    engine.destroy();
  });
});

withF16('convolutions on emulated tensor cores', () => {
  for (const { n, precision, bytes, chosen } of settings) {
    describe(`16x${n}, ${precision}${bytes ? `, ${bytes} bytes of workgroup memory` : ''}`, async () => {
      const engine = await matrixEngine(n, bytes);
      for (const test of cases.filter(({ op, name }) => chosen.includes(`${op}: ${name}`))) {
        it(`${test.op}: ${test.name}`, async () => {
          Object.assign(knobs, { precision, kernel: { conv: 'matrix', conv_dw: 'matrix' } });
          const question = questionOf(test);
          using guard = new Guard(engine);
          const got = await run(engine, question);
          expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
          const want = answer(question);
          if (precision === 'f32') {
            expectRight(got, want, question);
            return;
          }
          const terms = termsOf(question, want);
          expect(distance(got.y, want.y, terms.y)).toBeLessThan(F16);
          for (const [name, grad] of Object.entries(want.grads)) {
            expect(distance(got.grads[name], grad, terms[name]), name).toBeLessThan(F16);
          }
        });
      }
    });
  }
});
