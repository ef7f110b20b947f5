import { ShapeError } from '../errors.ts';
import type { Uniforms, Varying } from '../kernel.ts';
import { dropoutMask, dropped } from '../kernels/random-tensor.ts';
import { defineOp } from '../op.ts';
import { size } from '../tensor.ts';

interface DropoutAttrs {
  p: number;
  training: boolean;
  seed: number;
  counter: number;
  /** In place of seed and counter: a mask that a captured step draws anew at each replay (`dropoutMask` makes its values). */
  mask: Varying | undefined;
}

const maskOf = ({ p, seed, counter, mask }: DropoutAttrs): Uniforms | Varying => mask ?? dropoutMask(p, seed, counter);

/**
 * Dropout: y = x / (1 - p), or 0 with probability p; x itself when not training. Srivastava et al. 2014, §10, scaled while
 * training. The mask is a function of (seed, counter, place in memory): backward draws it again, nothing is stored. Whoever
 * calls gives a new counter each time, and keeps it in the checkpoint.
 * @throws {ShapeError} when p is not in 0..1, or seed and counter are not whole numbers from 0 to 2^53 - 1
 */
export const dropout = defineOp({
  name: 'dropout',
  inputs: ['input'],
  attrs: { p: 0.5, training: true, seed: 0, counter: 0, mask: undefined } as DropoutAttrs,
  shape({ input }, { p, seed, counter }) {
    if (!(p >= 0 && p <= 1)) throw new ShapeError(`dropout p: expected a probability from 0 to 1, got ${p}`);
    for (const [name, n] of Object.entries({ seed, counter })) {
      if (!Number.isSafeInteger(n) || n < 0) {
        throw new ShapeError(`dropout ${name}: expected a whole number from 0 to 2^53 - 1, got ${n}`);
      }
    }
    return input;
  },
  forward: ({ input }, { engine, attrs }) =>
    attrs.training && attrs.p > 0 ? dropped(input, maskOf(attrs)) : engine.view(input, input.shape),
  saves: [],
  backward: (dy, _, { attrs }) => ({
    input: () => (attrs.training && attrs.p > 0 ? dropped(dy, maskOf(attrs)) : dy),
  }),
  flops: ({ input }) => size(input),
});
