import { expect, it } from 'vitest';
import { references } from '../../engine/reference/index.ts';
import { cases, linearInputs, makeInputs } from '../cases.ts';
import { refusals } from '../refusals.ts';

/** The ops that the command line promises, and their inputs (those with ? may be left out). */
const table: Record<string, string[]> = {
  conv2d: ['input', 'weight', 'bias?'],
  conv3d: ['input', 'weight', 'bias?'],
  conv_transpose2d: ['input', 'weight', 'bias?'],
  conv_transpose3d: ['input', 'weight', 'bias?'],
  separable_conv3d: ['input', 'weight_s', 'bias_s?', 'weight_t', 'bias_t?'],
  pixel_shuffle: ['input'],
  pixel_unshuffle: ['input'],
  warp: ['image', 'flow'],
  imresize: ['input'],
  interpolate: ['input'],
  relu: ['input'],
  leaky_relu: ['input'],
  prelu: ['input', 'weight'],
  sigmoid: ['input'],
  tanh: ['input'],
  abs: ['input'],
  sqrt: ['input'],
  exp: ['input'],
  log: ['input'],
  clamp: ['input'],
  add: ['a', 'b'],
  sub: ['a', 'b'],
  mul: ['a', 'b'],
  div: ['a', 'b'],
  concat: ['a', 'b'],
  slice: ['input'],
  pad: ['input'],
  sum: ['input'],
  mean: ['input'],
  l1_loss: ['input', 'target'],
  mse_loss: ['input', 'target'],
  charbonnier_loss: ['input', 'target'],
  huber_loss: ['input', 'target'],
};

it('every op of the table has a reference, and there is no other', () => {
  expect(Object.keys(references).sort()).toEqual(Object.keys(table).sort());
  expect(Object.keys(linearInputs).filter((op) => !(op in table))).toEqual([]);
  expect(refusals.filter(({ op }) => !(op in table))).toEqual([]);
});

it('every op has cases, a large one where size matters, and names that tell them apart', () => {
  for (const op of Object.keys(table)) expect(cases.filter((c) => c.op === op).length, op).toBeGreaterThan(3);
  const names = [...cases, ...refusals].map((c) => `${c.op}/${c.name}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

it('every case gives the inputs of its op by their names; optional ones are tried with and without', () => {
  for (const [op, inputs] of Object.entries(table)) {
    const required = inputs.filter((name) => !name.endsWith('?'));
    const optional = inputs.filter((name) => name.endsWith('?')).map((name) => name.slice(0, -1));
    const given = cases.filter((c) => c.op === op).map((c) => Object.keys(c.inputs));
    for (const names of given) {
      expect(names, op).toEqual(expect.arrayContaining(required));
      expect([...required, ...optional], op).toEqual(expect.arrayContaining(names));
    }
    for (const name of optional)
      expect(new Set(given.map((names) => names.includes(name))).size, `${op} ${name}`).toBe(2);
  }
});

it('inputs are float32 values, the same at every call', () => {
  for (const c of cases.filter((c) => !c.large)) {
    const [once, again] = [makeInputs(c), makeInputs(c)];
    for (const [name, { data }] of Object.entries(once)) {
      const differs = data.findIndex((x, i) => x !== Math.fround(x) || x !== again[name].data[i]);
      expect(differs, `${c.op}/${c.name}/${name}`).toBe(-1);
    }
  }
});
