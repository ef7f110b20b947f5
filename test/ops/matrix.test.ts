import { afterEach, describe, expect, it, vi } from 'vitest';
import { Engine } from '../../engine/engine.ts';
import { knobs, readKnobs } from '../../engine/knobs.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { sum } from '../../engine/ops/sum.ts';
import { references } from '../../engine/reference/index.ts';
import { nodeGpu } from '../../io/gpu.ts';
import { makeArray } from '../cases.ts';
import { distance, runForward } from './judge.ts';
import { withTensorCores } from './matrix-emulation.ts';
import { F16, otherCases, thinCases, walkMatrixCases, wideCases } from './matrix-walk.ts';

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

  it('multiply 4 x 4 matrices to a subgroup where there are positions enough', async () => {
    const engine = await matrixEngine(16);
    Object.assign(knobs, { precision: 'f16', kernel: { conv: 'matrix' } });
    const inputs = {
      input: makeArray([1, 9, 1, 131_073], 'long row'),
      weight: makeArray([61, 9, 1, 1], 'long filter'),
    };
    const y = references.conv2d.forward(inputs, {});
    const question = { op: 'conv2d', attrs: {}, inputs, dy: y };
    expect(distance(await runForward(engine, question), y)).toBeLessThan(F16);
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
  describe('of 16x16', () => {
    walkMatrixCases(() => matrixEngine(16), 'f32', [...thinCases, ...wideCases, ...otherCases]);
    walkMatrixCases(() => matrixEngine(16), 'f16', [...thinCases, ...wideCases]);
  });
  describe('of 16x8', () => walkMatrixCases(() => matrixEngine(8), 'f32', [...thinCases, ...wideCases]));
  describe('with 16 KiB of workgroup memory', () => walkMatrixCases(() => matrixEngine(16, 16_384), 'f32', wideCases));
});
