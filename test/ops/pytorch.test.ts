import { it } from 'vitest';
import { readFixture } from '../fixtures/read.ts';
import { type Question, run } from './judge.ts';
import { expectRight, useEngine } from './walk.ts';

// What PyTorch said about every op, directly against the device. The file holds float32, which is half a unit more.

interface FixtureCase {
  op: string;
  name: string;
  attrs: object;
  inputs: string[];
}

const { metadata, tensors } = readFixture('ops');
const cases: FixtureCase[] = JSON.parse(metadata.cases);
const engine = useEngine();

cases.forEach(({ op, name, attrs, inputs }, i) => {
  it(`${op}: ${name}`, async () => {
    const pick = (prefix: string) => Object.fromEntries(inputs.map((n) => [n, tensors[`${i}.${prefix}${n}`]]));
    const question: Question = { op, attrs, inputs: pick(''), dy: tensors[`${i}.dy`] };
    expectRight(await run(engine(), question), { y: tensors[`${i}.y`], grads: pick('d_') }, question);
  });
});
