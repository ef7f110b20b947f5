import { expect, it } from 'vitest';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { ops } from '../../engine/ops/index.ts';
import { reshape } from '../../engine/ops/reshape.ts';
import { slice } from '../../engine/ops/slice.ts';
import { type NDArray, size } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import type { Shape, Tensor } from '../../engine/tensor.ts';
import { emitters } from '../../io/onnx/operators/index.ts';
import { generalise, type Program, type Sizes } from '../../io/onnx/sizes.ts';
import { trace } from '../../io/onnx/trace.ts';
import { writeProgram } from '../../io/onnx/write.ts';
import { type SilentEngine, silentEngine } from '../../io/silent-engine.ts';
import { joined } from '../../nets/frames.ts';
import { cases, makeInputs, type OpCase } from '../cases.ts';
import { runOnnx } from './onnx-runtime.ts';

/** Networks are written in evaluation mode. */
const casesOf = (op: string): OpCase[] => cases.filter((c) => c.op === op && !c.large && !c.attrs?.training);

/** A case's inputs on an engine that computes nothing: filters hold their values, the others come from `next`. */
function call({ engine }: SilentEngine, test: OpCase, next: (name: string, array: NDArray) => Tensor): Tensor {
  const { spec } = ops[test.op];
  const arrays = makeInputs(test);
  const tensors = (spec.inputs as string[]).map((input) => {
    const name = input.replace('?', '');
    const array = arrays[name];
    if (!array) return undefined;
    return spec.filters?.includes(name) ? engine.tensor(array.shape, array.data, 'filter') : next(name, array);
  });
  return ops[test.op](...tensors, test.attrs ?? {});
}

const floating = (test: OpCase): [string, NDArray][] =>
  Object.entries(makeInputs(test)).filter(([name]) => !ops[test.op].spec.filters?.includes(name));

const write = (program: Program, inputs: readonly string[]): Uint8Array =>
  writeProgram(program, {
    ...{ graph: 'cases', inputs, output: 'y' },
    ...{ parameters: new Map(), producerVersion: '', metadata: {} },
  }).bytes;

function expectLike(got: ArrayLike<number>, test: OpCase): number {
  const want = references[test.op].forward(makeInputs(test), test.attrs ?? {});
  const most = want.data.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  const error = want.data.reduce((m, v, i) => Math.max(m, Math.abs(v - got[i])), 0) / most;
  expect(error, test.name).toBeLessThan(1e-5);
  return want.data.length;
}

/** All cases of an op as one model: their inputs lie in x one after the other, their results in y. */
it.each(Object.keys(emitters))('%s: every case as ONNX Runtime computes it', async (op) => {
  const silent = await silentEngine();
  const tests = casesOf(op);
  expect(tests.length).toBeGreaterThan(0);
  const data = Float64Array.from(tests.flatMap((test) => floating(test).flatMap(([, { data }]) => Array.from(data))));
  const forward = (x: Tensor) => {
    let at = 0;
    const results = tests.map((test) => {
      const y = call(silent, test, (_, { shape }) => {
        const start = at;
        at += size(shape);
        return reshape(slice(x, { axis: 0, start, end: at }), { shape });
      });
      return reshape(y, { shape: [-1] });
    });
    return joined(results, 0);
  };
  const program = generalise(() => trace(silent, [[data.length]], forward), { n: 1, t: 1, h: 1, w: 1 }, []);
  const y = await runOnnx(write(program, ['x']), { x: { shape: [data.length], data } });
  const end = tests.reduce((at, test) => at + expectLike(y.data.subarray(at), test), 0);
  expect(end).toBe(y.data.length);
});

/** The ops whose form depends on whether a size is known. */
const sized: [op: string, fixed: string[]][] = [
  ['imresize', ['1.5 times']],
  ['interpolate', []],
  ['resize_tf1', []],
  ['pixel_shuffle', []],
  ['warp', []],
  ['grid_sample', []],
  ['splat', []],
  ['dynamic_filter', []],
  ['correlation', []],
  ['frames_to_batch', []],
  ['fused_conv3d', []],
];

it.each(sized)('%s: the same where samples, rows and columns are free', async (op, fixed) => {
  const silent = await silentEngine();
  const refused: string[] = [];
  for (const test of casesOf(op)) {
    const inputs = floating(test);
    const [first, ...others] = inputs.map(([, { shape }]) => shape).filter((shape) => shape.length >= 4);
    const plane = ([n, , ...rest]: Shape) => [n, ...rest.slice(-2)].join();
    if (others.some((shape) => plane(shape) !== plane(first))) continue;
    const at = (shape: Shape, { n, h, w }: Sizes) => (shape.length < 4 ? shape : [n, ...shape.slice(1, -2), h, w]);
    const run = (sizes: Sizes) => {
      const shapes = inputs.map(([, { shape }]) => at(shape, sizes));
      return trace(silent, shapes, (...tensors) =>
        call(silent, test, (name) => tensors[inputs.findIndex(([input]) => input === name)]),
      );
    };
    try {
      const program = generalise(run, { n: 2, t: 1, h: 17, w: 19 }, ['n', 'h', 'w']);
      expect(program.free, test.name).toEqual(['n', 'h', 'w']);
      const model = write(
        program,
        inputs.map(([name]) => name),
      );
      expectLike((await runOnnx(model, Object.fromEntries(inputs))).data, test);
    } catch (error) {
      if (!(error instanceof UsageError || error instanceof ShapeError)) throw error;
      refused.push(test.name);
    }
  }
  expect(refused).toEqual(fixed);
});
