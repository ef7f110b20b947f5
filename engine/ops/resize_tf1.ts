import { tf1Map } from '../axis-map.ts';
import { ShapeError } from '../errors.ts';
import { applySteps, applyTransposed, type Step } from '../kernels/axis.ts';
import { defineOp, expectRank } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

const modes = ['bilinear', 'bicubic'];

interface Attrs {
  /** How much height and width grow. Must be given. */
  factor: number | undefined;
  mode: 'bilinear' | 'bicubic';
}

/** Rows, then columns. */
const steps = (input: Shape, { factor, mode }: Attrs): Step[] =>
  [input.length - 2, input.length - 1].map((axis) => ({
    axis,
    inputs: input[axis],
    outputs: input[axis] * factor!,
    key: `tf1 ${mode} ${input[axis]} ${factor}`,
    build: () => tf1Map(input[axis], factor!, mode),
  }));

/**
 * Enlarging as TensorFlow 1's resize_images does it without align_corners, per channel and frame: no half-pixel centres, output
 * j of an axis looks at u = j/r, so that pixel i of the input stands on r·i. Bilinear mixes the two neighbours of u; bicubic
 * four, by Keys 1981 with a = -3/4. The last row and column go on beyond the border, as does the first one.
 * @param input (N, C, H, W) or (N, C, D, H, W) @returns (..., r·H, r·W)
 * @throws {ShapeError} when the factor is no whole number of at least 1, or the mode is unknown
 */
export const resize_tf1 = defineOp({
  name: 'resize_tf1',
  inputs: ['input'],
  filters: [],
  attrs: { factor: undefined, mode: 'bilinear' } as Attrs,
  shape({ input }, { factor, mode }) {
    expectRank('resize_tf1 input', input, 4, 5);
    if (factor === undefined || !Number.isInteger(factor) || factor < 1) {
      throw new ShapeError(`resize_tf1 factor: expected a whole number of at least 1, got ${factor ?? 'none'}`);
    }
    if (!modes.includes(mode)) throw new ShapeError(`resize_tf1 mode: expected ${modes.join(' or ')}, got ${mode}`);
    return input.map((n, a) => (a >= input.length - 2 ? n * factor : n));
  },
  forward: ({ input }, { engine, attrs }) => applySteps(engine, input, steps(input.shape, attrs)),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input: () => applyTransposed(engine, dy, steps(shapes.input, attrs)),
  }),
  flops: (_, { mode }, out) => (mode === 'bilinear' ? 8 : 16) * size(out),
});
