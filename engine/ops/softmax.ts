import wgsl from '../../shaders/softmax.wgsl';
import { type Constants, Kernel, type Uniforms } from '../kernel.ts';
import { axisOf, lieOf } from '../kernels/axis.ts';
import { defineOp } from '../op.ts';
import { extent, padded, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('softmax', wgsl);
const WORKGROUP = 64;
/** Of channels that an invocation takes alone. Sharing them costs barriers, which processors pay dearly for. */
const QUADS = 16;

interface Plan {
  readonly entry: 'channels' | 'columns';
  readonly constants: Constants;
  readonly uniforms: Uniforms;
  readonly threads: number;
}

/** How the axis lies, and who computes what of it. */
function plan(shape: Shape, dim: number): Plan {
  const { channels: along, outer, size: middle, inner } = lieOf(shape, axisOf('softmax', dim, shape));
  const { channels } = extent(shape, 'image');
  const C4 = padded(channels) / 4;
  const LANES = ((channels - 1) % 4) + 1;
  if (!along) {
    const positions = outer * inner;
    const constants = { C4: LANES === 4 ? 1 : C4, LANES };
    return { entry: 'columns', constants, uniforms: { middle, inner, positions }, threads: positions };
  }
  const SHARE = Math.min(2 ** Math.ceil(Math.log2(Math.max(C4 / QUADS, 1))), WORKGROUP);
  const uniforms = { middle: 1, inner: 1, positions: outer };
  return { entry: 'channels', constants: { C4, LANES, SHARE }, uniforms, threads: outer * SHARE };
}

/**
 * y = e^input / Σ e^input, the sum along one axis, `dim`.
 * @param input any shape of one axis or more @throws {ShapeError} when there is no such axis
 */
export const softmax = defineOp({
  name: 'softmax',
  inputs: ['input'],
  filters: [],
  attrs: { dim: 1 },
  shape({ input }, { dim }) {
    axisOf('softmax', dim, input);
    return input;
  },
  forward({ input: x }, { attrs: { dim }, shape, run }) {
    const { entry, ...how } = plan(shape, dim);
    return run(kernel, entry, { ...how, bind: { x }, out: shape, flops: 5 * size(shape), label: 'softmax' });
  },
  saves: ['y'],
  backward: (dy, { y }, { attrs: { dim }, shape, run }) => ({
    input() {
      const { entry, ...how } = plan(shape, dim);
      const options = { ...how, bind: { y, dy }, out: shape, flops: 4 * size(shape), label: 'softmax.dx' };
      return run(kernel, `${entry}_gradient`, options);
    },
  }),
  flops: ({ input }) => 5 * size(input),
});
