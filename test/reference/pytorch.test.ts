import { expect, it } from 'vitest';
import { references } from '../../engine/reference/index.ts';
import { opFixtures } from '../fixtures/ops.ts';
import { relativeError } from '../fixtures/read.ts';

// both sides compute in float64; the file rounds to float32, and so to 6e-8
const tolerance = 1e-7;

it('PyTorch has judged every op', () => {
  expect([...new Set(opFixtures.map((c) => c.op))].sort()).toEqual(Object.keys(references).sort());
});

for (const { op, name, attrs, inputs, dy, y, grads } of opFixtures) {
  it(`${op}: ${name}`, () => {
    expect(relativeError(references[op].forward(inputs, attrs), y), 'y').toBeLessThan(tolerance);
    const gradients = references[op].backward(dy, inputs, attrs);
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(grads).sort());
    for (const input of Object.keys(grads))
      expect(relativeError(gradients[input], grads[input]), `d ${input}`).toBeLessThan(tolerance);
  });
}
