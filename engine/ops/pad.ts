import { expectPad, type PadMode, padMap } from '../axis-map.ts';
import { ShapeError } from '../errors.ts';
import { applySteps, applyTransposed, type Step } from '../kernels/axis.ts';
import { defineOp } from '../op.ts';
import type { Shape } from '../tensor.ts';
import { window } from './slice.ts';

const modes: readonly PadMode[] = ['zeros', 'replicate', 'reflect'];

interface Attrs {
  /** Pairs (before, after) from the last axis backwards; negative ones crop. Must be given. */
  pad: readonly number[] | undefined;
  mode: PadMode;
}

interface Margin {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

/** The axes that change, the last one first. @throws {ShapeError} */
function margins(input: Shape, { pad, mode }: Attrs): Margin[] {
  if (!modes.includes(mode)) throw new ShapeError(`pad mode: expected ${modes.join(', ')}, got ${mode}`);
  if (!Array.isArray(pad) || pad.length % 2 !== 0 || pad.length > 2 * input.length) {
    throw new ShapeError(
      `pad: expected pairs (before, after) for up to ${input.length} axes, got ${JSON.stringify(pad) ?? 'none'}`,
    );
  }
  const pairs = Array.from({ length: pad.length / 2 }, (_, i) => {
    return { axis: input.length - 1 - i, before: pad[2 * i], after: pad[2 * i + 1] };
  });
  for (const { axis, before, after } of pairs) expectPad(input[axis], before, after, mode);
  return pairs.filter(({ before, after }) => before !== 0 || after !== 0);
}

/** Padding that copies from inside, as axis maps. */
const steps = (input: Shape, attrs: Attrs): Step[] =>
  margins(input, attrs).map(({ axis, before, after }) => ({
    axis,
    inputs: input[axis],
    outputs: before + input[axis] + after,
    key: `pad ${input[axis]} ${before} ${after} ${attrs.mode}`,
    build: () => padMap(input[axis], before, after, attrs.mode),
  }));

/**
 * PyTorch's F.pad: y[j] = input[j - before] along each axis, beyond the ends 0, the edge (replicate), or the mirror image
 * without the edge (reflect).
 * @param input any shape of one axis or more @returns each size n becomes before + n + after
 * @throws {ShapeError} when pairs do not fit the axes, a reflection reaches beyond the mirror, or nothing is left
 */
export const pad = defineOp({
  name: 'pad',
  inputs: ['input'],
  filters: [],
  attrs: { pad: undefined, mode: 'zeros' } as Attrs,
  shape({ input }, attrs) {
    const shape = [...input];
    for (const { axis, before, after } of margins(input, attrs)) shape[axis] += before + after;
    return shape;
  },
  forward({ input }, { engine, attrs, shape }) {
    if (attrs.mode !== 'zeros') return applySteps(engine, input, steps(input.shape, attrs));
    return margins(input.shape, attrs).reduce(
      (x, { axis, before }) => window(engine, x, axis, -before, shape[axis]),
      engine.view(input, input.shape),
    );
  },
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input() {
      if (attrs.mode !== 'zeros') return applyTransposed(engine, dy, steps(shapes.input, attrs));
      return margins(shapes.input, attrs).reduce(
        (g, { axis, before }) => window(engine, g, axis, before, shapes.input[axis]),
        dy,
      );
    },
  }),
  flops: () => 0,
});
