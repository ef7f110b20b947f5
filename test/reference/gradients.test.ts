import { describe, expect, it } from 'vitest';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import {
  cases,
  linearInputs,
  linearInputsOf,
  makeArray,
  makeInputs,
  makeOutputGradient,
  type OpCase,
} from '../cases.ts';

const dot = (a: NDArray, b: NDArray): number => a.data.reduce((sum, x, i) => sum + x * b.data[i], 0);

/** Which of `count` elements to move, each at the price of two forward passes: fewer where a pass is dear. */
function sample(count: number, inputs: Record<string, NDArray>): number[] {
  const work = Object.values(inputs).reduce((sum, { data }) => sum + data.length, 0);
  const most = work > 10_000 ? 6 : 48;
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.floor(((i + 0.5) * count) / most));
}

/** d Σ dy·y / d input[element] by central differences. */
function difference(c: OpCase, dy: NDArray, inputs: Record<string, NDArray>, name: string, element: number): number {
  const h = 1e-5;
  const at = (step: number) => {
    const data = inputs[name].data.slice();
    data[element] += step;
    const moved = { ...inputs, [name]: { shape: inputs[name].shape, data } };
    const y = references[c.op].forward(moved, c.attrs ?? {});
    return { y, step: data[element] };
  };
  const [up, down] = [at(h), at(-h)];
  // differences of y before the sum: its unmoved elements cancel exactly
  const change = up.y.data.reduce((sum, value, i) => sum + dy.data[i] * (value - down.y.data[i]), 0);
  return change / (up.step - down.step);
}

const small = cases.filter((c) => !c.large);

describe('gradient of the reference against central differences', () => {
  for (const c of small.filter((c) => !c.kinks)) {
    it(`${c.op}: ${c.name}`, () => {
      const inputs = makeInputs(c);
      const attrs = c.attrs ?? {};
      const y = references[c.op].forward(inputs, attrs);
      const dy = makeOutputGradient(c, y.shape);
      const gradients = references[c.op].backward(dy, inputs, attrs);
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(inputs).sort());
      for (const name of Object.keys(inputs)) {
        const gradient = gradients[name];
        expect(gradient.shape).toEqual(inputs[name].shape);
        const scale = gradient.data.reduce((most, g) => Math.max(most, Math.abs(g)), 1e-3);
        for (const element of sample(gradient.data.length, inputs)) {
          const error = Math.abs(gradient.data[element] - difference(c, dy, inputs, name, element)) / scale;
          expect(error, `d ${name}[${element}]`).toBeLessThan(1e-6);
        }
      }
    });
  }
});

describe('adjoint identity <A v, dy> = <v, Aᵀ dy> of ops that are linear in an input', () => {
  for (const c of small.filter((c) => c.op in linearInputs)) {
    it(`${c.op}: ${c.name}`, () => {
      const inputs = makeInputs(c);
      const attrs = c.attrs ?? {};
      const forward = (changed: Record<string, NDArray>) => references[c.op].forward({ ...inputs, ...changed }, attrs);
      const y = forward({});
      const dy = makeOutputGradient(c, y.shape);
      const gradients = references[c.op].backward(dy, inputs, attrs);
      for (const name of linearInputsOf(c)) {
        const v = makeArray(inputs[name].shape, `${c.op}/${c.name}/${name}/adjoint`);
        const zero = { shape: v.shape, data: new Float64Array(v.data.length) };
        // A v = f(v) - f(0): what does not depend on this input (a bias) drops out
        const rest = forward({ [name]: zero });
        const av = { shape: y.shape, data: forward({ [name]: v }).data.map((value, i) => value - rest.data[i]) };
        const terms = av.data.reduce((sum, value, i) => sum + Math.abs(value * dy.data[i]), 1e-3);
        expect(Math.abs(dot(av, dy) - dot(v, gradients[name])) / terms, name).toBeLessThan(1e-12);
      }
    });
  }
});
