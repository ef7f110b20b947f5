import { expect, it } from 'vitest';
import { references } from '../../engine/reference/index.ts';
import { cases, linearInputs, makeInputs } from '../cases.ts';
import { opTable as table } from '../op-table.ts';
import { refusals } from '../refusals.ts';

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
