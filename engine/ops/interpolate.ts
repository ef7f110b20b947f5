import { interpolatedSize, interpolateMap } from '../axis-map.ts';
import { ShapeError } from '../errors.ts';
import { applySteps, applyTransposed, expectSome, factors, resized, type Step } from '../kernels/axis.ts';
import { defineOp, expectRank } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

/** Each mode with the number of axes that it takes. */
const ranks = { nearest: [4, 5], bilinear: [4], trilinear: [5] };

interface Attrs {
  /** One factor, or one for each spatial axis. Must be given. */
  scale_factor: number | readonly number[] | undefined;
  mode: keyof typeof ranks;
  align_corners: boolean;
}

/** The axis that grows less first, so that what lies between the passes stays small. */
function steps(input: Shape, { scale_factor, mode, align_corners }: Attrs): Step[] {
  return factors('interpolate scale_factor', scale_factor, input.length - 2)
    .map((s, a) => ({ s, axis: a + 2 }))
    .filter(({ s }) => s !== 1)
    .sort((one, other) => one.s - other.s)
    .map(({ s, axis }) => {
      const [inputs, outputs] = [input[axis], interpolatedSize(input[axis], s)];
      const options = {
        mode: mode === 'nearest' ? ('nearest' as const) : ('linear' as const),
        alignCorners: align_corners,
        scaleFactor: s,
      };
      const key = `${mode} ${inputs} ${s} ${align_corners}`;
      return { axis, inputs, outputs, key, build: () => interpolateMap(inputs, outputs, options) };
    });
}

/**
 * Interpolation as PyTorch's F.interpolate(x, scale_factor, mode, align_corners) does it, on all spatial axes. Output j of an
 * axis that grows by s looks at u: nearest takes x[⌊j / s⌋]; bilinear and trilinear mix the two neighbours of
 * u = max((j + ½)/s - ½, 0), or of u = j·(n - 1)/(⌊n·s⌋ - 1) with align_corners: y = (1 - t)·x[⌊u⌋] + t·x[⌊u⌋ + 1], t = u - ⌊u⌋.
 * @param input (N, C, H, W), or (N, C, D, H, W) for nearest and trilinear @returns each spatial size n becomes ⌊n·s⌋
 * @throws {ShapeError} when the mode does not fit the axes, a factor is not above zero, or nothing is left
 */
export const interpolate = defineOp({
  name: 'interpolate',
  inputs: ['input'],
  filters: [],
  attrs: { scale_factor: undefined, mode: 'nearest', align_corners: false } as Attrs,
  shape({ input }, attrs) {
    const { mode, align_corners } = attrs;
    if (!Object.hasOwn(ranks, mode)) {
      throw new ShapeError(`interpolate mode: expected ${Object.keys(ranks).join(', ')}, got ${mode}`);
    }
    expectRank(`interpolate input (${mode})`, input, ...ranks[mode]);
    if (mode === 'nearest' && align_corners) {
      throw new ShapeError('interpolate: align_corners is for the linear modes, got it with nearest');
    }
    const out = steps(input, attrs).reduce((shape, { axis, outputs }) => resized(shape, axis, outputs), [...input]);
    expectSome('interpolate', input, out);
    return out;
  },
  forward: ({ input }, { engine, attrs }) => applySteps(engine, input, steps(input.shape, attrs)),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input: () => applyTransposed(engine, dy, steps(shapes.input, attrs)),
  }),
  flops: ({ input }, { mode }, out) => (mode === 'nearest' ? 0 : 4 * size(out) * (input.length - 2)),
});
