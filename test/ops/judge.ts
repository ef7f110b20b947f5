import type { Engine } from '../../engine/engine.ts';
import { ops } from '../../engine/ops/index.ts';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import { extent, type Tensor } from '../../engine/tensor.ts';
import { linearInputs, makeInputs, makeOutputGradient, type OpCase } from '../cases.ts';

/** One call of an op, forward and backward. */
export interface Question {
  readonly op: string;
  readonly attrs: object;
  readonly inputs: Record<string, NDArray>;
  readonly dy: NDArray;
}

export interface Judged {
  y: Float32Array;
  grads: Record<string, Float32Array>;
}

export interface Referred {
  y: NDArray;
  grads: Record<string, NDArray>;
}

export function questionOf(test: OpCase): Question {
  const { op, attrs = {} } = test;
  const inputs = makeInputs(test);
  return { op, attrs, inputs, dy: makeOutputGradient(test, references[op].forward(inputs, attrs).shape) };
}

/** The inputs of an op on the device, in its order. */
export function upload(engine: Engine, op: string, inputs: Record<string, NDArray>): (Tensor | undefined)[] {
  const { spec } = ops[op];
  return (spec.inputs as string[]).map((input) => {
    const name = input.replace('?', '');
    const array = inputs[name];
    return array && engine.tensor(array.shape, array.data, spec.filters?.includes(name) ? 'filter' : 'image');
  });
}

/** Runs an op forward and backward on the device. @throws when a result's padding is not zero */
export async function run(engine: Engine, { op, attrs, inputs, dy }: Question): Promise<Judged> {
  using _scope = engine.scope();
  const tensors = upload(engine, op, inputs);
  for (const x of tensors) x?.track();
  using tape = engine.record();
  const y = ops[op](...tensors, attrs);
  tape.backward(y, engine.tensor(y.shape, dy.data, y.layout));
  const grads: Record<string, Float32Array> = {};
  for (const [i, name] of (ops[op].spec.inputs as string[]).entries()) {
    const x = tensors[i];
    if (!x?.grad) continue;
    grads[name.replace('?', '')] = await read(x.grad);
    x.setGrad(undefined);
  }
  return { y: await read(y), grads };
}

export const runCase = (engine: Engine, test: OpCase): Promise<Judged> => run(engine, questionOf(test));

/** The result of an op, without gradients. */
export async function runForward(engine: Engine, { op, attrs, inputs }: Question): Promise<Float32Array> {
  using _scope = engine.scope();
  return ops[op](...upload(engine, op, inputs), attrs).read();
}

/** A tensor's values, once its padding is seen to be zero. */
async function read(x: Tensor): Promise<Float32Array> {
  const { inner, rows, channels } = extent(x.shape, x.layout);
  const pitch = Math.ceil(channels / 4) * 4;
  if (rows !== inner || channels !== pitch) {
    const stored = new Float32Array(await x.engine.readRaw(x.storage));
    const at = stored.findIndex((v, i) => v !== 0 && (i % pitch >= channels || Math.floor(i / pitch) % rows >= inner));
    if (at >= 0) throw new Error(`padding of a tensor of shape (${x.shape}) holds ${stored[at]} at ${at}`);
  }
  return x.read();
}

/** What the float64 reference says about it. */
export function answer({ op, attrs, inputs, dy }: Question): Referred {
  return { y: references[op].forward(inputs, attrs), grads: references[op].backward(dy, inputs, attrs) };
}

const absolute = ({ shape, data }: NDArray): NDArray => ({ shape, data: data.map(Math.abs) });

const negative = ({ shape, data }: NDArray): NDArray => ({ shape, data: data.map((v) => -v) });
const ones = ({ shape, data }: NDArray): NDArray => ({ shape, data: data.map(() => 1) });

export const refer = (test: OpCase): Referred => answer(questionOf(test));

/**
 * Results that are judged by the largest value of their array: their terms change sign by themselves (the kernel of imresize,
 * differences between pixels in the gradient of a flow, products of two inputs, softmax), or have an absolute error (weights of warp, from the fraction of a
 * flow; log near 1, tanh near 0 and sigmoid far from it, as WGSL allows).
 */
const byLargest = {
  imresize: ['y', 'input'],
  resize_tf1: ['y', 'input'],
  warp: ['y', 'image', 'flow'],
  splat: ['y', 'image', 'flow'],
  dynamic_filter: ['y', 'image', 'filters'],
  grid_sample: ['y', 'image', 'grid'],
  affine_grid: ['y', 'theta'],
  log: ['y'],
  tanh: ['y', 'input'],
  sigmoid: ['y', 'input'],
  softmax: ['y', 'input'],
  log_sum_exp: ['y', 'input'],
  bce_with_logits: ['input'],
  cross_entropy: ['input', 'target'],
  batch_norm: ['y', 'input', 'weight', 'bias', 'running_mean', 'running_var'],
  instance_norm: ['y', 'input', 'weight', 'bias', 'running_mean', 'running_var'],
  lstm_cell: ['y', 'gates', 'cell'],
} as Record<string, string[] | undefined>;

/** Σ|terms| of every number in a result: the reference on absolute values, in the inputs that the op is linear in. */
export function termsOf(question: Question, want: Referred): Record<string, Float64Array> {
  const { op, inputs, dy } = question;
  const isLinear = (name: string) => op.startsWith('fused_') || (linearInputs[op]?.includes(name) ?? false);
  const entries = Object.entries(inputs).map(([name, x]) => [name, isLinear(name) ? absolute(x) : x]);
  if (inputs.slope) {
    // A PReLU lets all of |x| through, and its slope meets all of it, where x is negative and the slope is -1.
    entries.push(['input', negative(absolute(inputs.input))], ['slope', negative(ones(inputs.slope))]);
  }
  const sums = answer({ ...question, inputs: Object.fromEntries(entries), dy: absolute(dy) });
  const terms = (name: string, sum: NDArray, value: NDArray): Float64Array => {
    if (!byLargest[op]?.includes(name)) return sum.data.map((v, i) => Math.max(Math.abs(v), Math.abs(value.data[i])));
    return new Float64Array(value.data.length).fill(value.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0));
  };
  const result: Record<string, Float64Array> = { y: terms('y', sums.y, want.y) };
  for (const name of Object.keys(want.grads)) result[name] = terms(name, sums.grads[name], want.grads[name]);
  return result;
}

/** The largest |got - want| of an array in units of 2⁻²⁴·terms; infinite where something is no number. */
export function distance(got: ArrayLike<number>, want: NDArray, terms?: Float64Array): number {
  if (got.length !== want.data.length) return Number.POSITIVE_INFINITY;
  const largest = want.data.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-30);
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const error = Math.abs(got[i] - want.data[i]);
    const units = error === 0 ? 0 : error / ((terms?.[i] ?? largest) * 2 ** -24);
    if (!(units <= worst)) worst = Number.isNaN(units) ? Number.POSITIVE_INFINITY : units;
  }
  return worst;
}
