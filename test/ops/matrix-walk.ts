import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { knobs } from '../../engine/knobs.ts';
import { cases } from '../cases.ts';
import { Guard } from './guard.ts';
import { answer, distance, questionOf, run, termsOf } from './judge.ts';
import { expectRight } from './walk.ts';

export const thinCases = ['conv2d: 3x3 odd channels', 'conv2d: lists per axis'];
export const wideCases = ['conv2d: 67 to 65', 'conv3d: 64 to 64', 'conv2d: 64 to 256, 1x1'];
export const otherCases = [
  'conv2d: 257x255, stride 2',
  'conv2d: 64 to 3',
  'conv3d: 3x3x3',
  'conv3d: stride 2',
  'conv_transpose2d: holes',
  'conv_transpose2d: kernel of 2 strides, 32 to 32',
  'conv_transpose3d: FSTRN, with holes',
  'fused_conv2d: shuffle 3, all at once',
  'fused_conv2d: 64 to 3',
  'fused_conv2d: stride 2',
  'fused_conv3d: FSTRN block, spatial',
  'fused_conv3d: FSTRN block, temporal',
];

/** What the rounding of both inputs to f16 may change in a term, in the units of `distance`. */
export const F16 = 2 ** 14;

/** Holds the matrix variants against the reference, wherever they can do a case. */
export function walkMatrixCases(
  open: () => Promise<Engine>,
  precision: 'f32' | 'f16',
  chosen: readonly string[],
): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.destroy());
  afterEach(() => Object.assign(knobs, { precision: 'f32', kernel: {} }));

  it.each(chosen)(`%s in ${precision}`, async (name) => {
    Object.assign(knobs, { precision, kernel: { conv: 'matrix', conv_dw: 'matrix' } });
    const question = questionOf(cases.find((test) => `${test.op}: ${test.name}` === name)!);
    using guard = new Guard(engine);
    const got = await run(engine, question);
    expect(await guard.check(), 'written behind blocks of so many bytes').toEqual([]);
    const want = answer(question);
    if (precision === 'f32') {
      expectRight(got, want, question);
      return;
    }
    const terms = termsOf(question, want);
    expect(distance(got.y, want.y, terms.y)).toBeLessThan(F16);
    for (const [input, grad] of Object.entries(want.grads)) {
      expect(distance(got.grads[input], grad, terms[input]), input).toBeLessThan(F16);
    }
  });
}
