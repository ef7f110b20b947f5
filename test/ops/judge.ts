import type { Engine } from '../../engine/engine.ts';
import { ops } from '../../engine/ops/index.ts';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { makeInputs, makeOutputGradient, type OpCase } from '../cases.ts';

export interface Judged {
  y: Float32Array;
  grads: Record<string, Float32Array>;
}

/** Runs a case forward and backward on the device. */
export async function runCase(engine: Engine, test: OpCase): Promise<Judged> {
  const op = ops[test.op];
  using _scope = engine.scope();
  const arrays = makeInputs(test);
  const names = (op.spec.inputs as string[]).map((n) => n.replace('?', ''));
  const inputs = names.map((name) => {
    const array = arrays[name];
    if (!array) return undefined;
    const layout = op.spec.filters?.includes(name) ? 'filter' : 'image';
    return engine.tensor(array.shape, array.data, layout).track();
  });
  using tape = engine.record();
  const y: Tensor = op(...inputs, test.attrs ?? {});
  const dy = makeOutputGradient(test, y.shape);
  tape.backward(y, engine.tensor(y.shape, dy.data, y.layout));
  const grads: Record<string, Float32Array> = {};
  for (const [i, name] of names.entries()) {
    const grad = inputs[i]?.grad;
    if (!grad) continue;
    grads[name] = await grad.read();
    inputs[i]?.setGrad(undefined);
  }
  return { y: await y.read(), grads };
}

/** What the float64 reference says about the same case. */
export function refer(test: OpCase): { y: NDArray; grads: Record<string, NDArray> } {
  const inputs = makeInputs(test);
  const y = references[test.op].forward(inputs, test.attrs ?? {});
  const dy = makeOutputGradient(test, y.shape);
  return { y, grads: references[test.op].backward(dy, inputs, test.attrs ?? {}) };
}

/**
 * The largest distance between two arrays, in units of float32 rounding at the array's scale. Each value is a sum of
 * `terms` products, whose rounding errors add up like a random walk: `bound` allows a few times its length.
 */
export function distance(got: Float32Array, want: NDArray): number {
  if (got.length !== want.data.length) return Number.POSITIVE_INFINITY;
  let scale = 1e-30;
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    scale = Math.max(scale, Math.abs(want.data[i]));
    const d = Math.abs(got[i] - want.data[i]);
    if (!(d <= worst)) worst = d; // NaN counts as worst
  }
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst / (scale * 2 ** -24);
}
