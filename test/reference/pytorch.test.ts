import { expect, it } from 'vitest';
import { references } from '../../engine/reference/index.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';

interface FixtureCase {
  op: string;
  name: string;
  attrs: Record<string, unknown>;
  inputs: string[];
}

const { metadata, tensors } = readFixture('ops');
const cases: FixtureCase[] = JSON.parse(metadata.cases);

// both sides compute in float64; the file rounds to float32, and so to 6e-8
const tolerance = 1e-7;

it('PyTorch has judged every op', () => {
  expect([...new Set(cases.map((c) => c.op))].sort()).toEqual(Object.keys(references).sort());
});

cases.forEach(({ op, name, attrs, inputs }, i) => {
  it(`${op}: ${name}`, () => {
    const values = Object.fromEntries(inputs.map((input) => [input, tensors[`${i}.${input}`]]));
    const y = references[op].forward(values, attrs);
    expect(relativeError(y, tensors[`${i}.y`]), 'y').toBeLessThan(tolerance);
    const gradients = references[op].backward(tensors[`${i}.dy`], values, attrs);
    for (const input of inputs)
      expect(relativeError(gradients[input], tensors[`${i}.d_${input}`]), `d ${input}`).toBeLessThan(tolerance);
  });
});
