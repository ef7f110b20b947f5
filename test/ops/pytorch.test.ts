import { it } from 'vitest';
import { opFixtures } from '../fixtures/ops.ts';
import type { Question } from './judge.ts';
import { run } from './judge.ts';
import { expectRight, useEngine } from './walk.ts';

// What PyTorch said about every op, directly against the device. The file holds float32, which is half a unit more.

const engine = useEngine();

for (const { op, name, attrs, inputs, dy, y, grads } of opFixtures) {
  it(`${op}: ${name}`, async () => {
    const question: Question = { op, attrs, inputs, dy };
    expectRight(await run(engine(), question), { y, grads }, question);
  });
}
