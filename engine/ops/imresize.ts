import { imresizeMap } from '../axis-map.ts';
import { applySteps, applyTransposed, factors, resized, type Step } from '../kernels/axis.ts';
import { defineOp, expectRank } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

interface Attrs {
  /** One factor, or (vertical, horizontal). Must be given. */
  scale: number | readonly number[] | undefined;
  /** Stretch the kernel when shrinking, as MATLAB does unless told. */
  antialias: boolean;
}

/** As in MATLAB: the axis that grows less first, rows before columns where they grow alike. */
function steps(input: Shape, { scale, antialias }: Attrs): Step[] {
  return factors('imresize scale', scale, 2)
    .map((s, a) => ({ s, axis: input.length - 2 + a }))
    .filter(({ s }) => s !== 1)
    .sort((one, other) => one.s - other.s)
    .map(({ s, axis }) => ({
      axis,
      inputs: input[axis],
      outputs: Math.ceil(input[axis] * s),
      key: `imresize ${input[axis]} ${s} ${antialias}`,
      build: () => imresizeMap(input[axis], s, antialias),
    }));
}

/**
 * Resizing as MATLAB's imresize(x, scale, 'bicubic') does it, per channel and frame. Along each axis output j (from 0) looks at
 * u = (j + ½)/s - ½; y[j] = Σ_i w_i · x[i] / Σ_i w_i with w_i = k(u - i), or k(s·(u - i)) when shrinking with antialias, where
 * k is the cubic of Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15, a = -1/2. Beyond the
 * border x is mirrored, its edge repeated. Neither rounded nor clipped.
 * @param input (N, C, H, W) or (N, C, D, H, W) @returns (..., ⌈H·s⌉, ⌈W·s⌉)
 * @throws {ShapeError} when the scale is missing or not above zero
 */
export const imresize = defineOp({
  name: 'imresize',
  inputs: ['input'],
  filters: [],
  attrs: { scale: undefined, antialias: true } as Attrs,
  shape({ input }, attrs) {
    expectRank('imresize input', input, 4, 5);
    return steps(input, attrs).reduce((shape, { axis, outputs }) => resized(shape, axis, outputs), [...input]);
  },
  forward: ({ input }, { engine, attrs }) => applySteps(engine, input, steps(input.shape, attrs)),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input: () => applyTransposed(engine, dy, steps(shapes.input, attrs)),
  }),
  flops: (_, { scale, antialias }, out) => {
    const taps = factors('imresize scale', scale, 2).map((s) => (antialias && s < 1 ? 4 / s : 4));
    return 2 * size(out) * (taps[0] + taps[1]);
  },
});
