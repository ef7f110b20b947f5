import { expect, it } from 'vitest';
import { ops } from '../../engine/ops/index.ts';
import { opTable } from '../op-table.ts';
import { families } from './walk.ts';

it('the engine has every op of the table, with the inputs that it promises', () => {
  for (const [name, inputs] of Object.entries(opTable)) {
    expect(ops[name]?.spec.inputs, name).toEqual(inputs);
    expect(ops[name].spec.name).toBe(name);
  }
});

it('a test file walks the cases of every op', () => {
  expect(Object.values(families).flat().sort()).toEqual(Object.keys(opTable).sort());
});
