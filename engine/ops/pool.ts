import wgsl from '../../shaders/pool.wgsl';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel, type Uniforms } from '../kernel.ts';
import { expand } from '../kernels/broadcast.ts';
import { type Vec3, volume } from '../kernels/conv/geometry.ts';
import { sumAxes } from '../kernels/reduce.ts';
import { defineOp, expectRank } from '../op.ts';
import { padded, type Shape, size } from '../tensor.ts';
import { type PerAxis, perAxis } from './conv.ts';

const kernel = new Kernel('pool', wgsl);
/** Taps whose number a 16-bit float holds, for activations that wait rounded. */
const MOST_TAPS = 2048;

export interface PoolAttrs {
  /** Must be given. */
  kernel_size: PerAxis | undefined;
  /** The kernel's size if not given. */
  stride: PerAxis | undefined;
  /** At most half of the kernel. */
  padding: PerAxis;
  /** Whether a last window that is only partly there counts; it must begin inside, or in the padding before. */
  ceil_mode: boolean;
}

const attrs: PoolAttrs = { kernel_size: undefined, stride: undefined, padding: 0, ceil_mode: false };

interface MaxPoolAttrs extends PoolAttrs {
  /** Steps from one tap of a window to the next. */
  dilation: PerAxis;
}

interface Windows {
  readonly kernel: Vec3;
  readonly stride: Vec3;
  readonly padding: Vec3;
  readonly dilation: Vec3;
  readonly count: Vec3;
}

/** The windows that attributes describe, and how many there are along each axis. @throws {ShapeError} */
function windowsOf(name: string, input: Shape, given: PoolAttrs & Partial<MaxPoolAttrs>, axes: 2 | 3): Windows {
  expectRank(`${name} input`, input, axes + 2);
  const { kernel_size, stride = kernel_size, padding, dilation = 1, ceil_mode } = given;
  if (kernel_size === undefined) throw new ShapeError(`${name}: kernel_size is missing`);
  const windows = {
    kernel: perAxis(`${name} kernel_size`, kernel_size, axes, 1, 1),
    stride: perAxis(`${name} stride`, stride as PerAxis, axes, 1, 1),
    padding: perAxis(`${name} padding`, padding, axes, 0, 0),
    dilation: perAxis(`${name} dilation`, dilation, axes, 1, 1),
  };
  const { kernel: k, stride: s, padding: p, dilation: d } = windows;
  if (size(k) > MOST_TAPS) throw new ShapeError(`${name}: expected at most ${MOST_TAPS} taps, got ${size(k)}`);
  if (p.some((n, i) => 2 * n > k[i])) {
    throw new ShapeError(`${name} padding: expected at most half of the kernel, got ${JSON.stringify(padding)}`);
  }
  const count = volume(input).map((n, i) => {
    const steps = (n + 2 * p[i] - d[i] * (k[i] - 1) - 1) / s[i];
    const all = (ceil_mode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    return (all - 1) * s[i] >= n + p[i] ? all - 1 : all;
  });
  if (count.some((n) => n < 1)) {
    throw new ShapeError(`${name}: a window ${shapeText(k.slice(3 - axes))} is larger than ${shapeText(input)}`);
  }
  const inside = (i: number, window: number) =>
    Array.from({ length: k[i] }, (_, tap) => window * s[i] - p[i] + tap * d[i]).some(
      (at) => at >= 0 && at < volume(input)[i],
    );
  if (d.some((step, i) => step > 1 && Array.from({ length: count[i] }, (_, o) => inside(i, o)).includes(false))) {
    throw new ShapeError(`${name} dilation: a window of ${shapeText(input)} would have no tap but in the padding`);
  }
  return { ...windows, count: count as unknown as Vec3 };
}

const uniforms = (input: Shape, { count, ...windows }: Windows): Uniforms => ({
  src: [...volume(input), padded(input[1]) / 4],
  dst: count,
  ...windows,
});

const shapeOf = (input: Shape, { count }: Windows, axes: 2 | 3): Shape => [
  ...input.slice(0, 2),
  ...count.slice(3 - axes),
];

function maxPool(name: string, axes: 2 | 3) {
  return defineOp({
    name,
    inputs: ['input'],
    filters: [],
    attrs: { ...attrs, dilation: 1 } as MaxPoolAttrs,
    shape: ({ input }, given) => shapeOf(input, windowsOf(name, input, given, axes), axes),
    forward({ input: x }, { engine, attrs: given, shape, run, keep }) {
      const windows = windowsOf(name, x.shape, given, axes);
      const options = {
        ...{ uniforms: uniforms(x.shape, windows), constants: { DILATED: size(windows.dilation) > 1 } },
        ...{ out: shape, flops: size(shape) * size(windows.kernel) },
      };
      if (!keep) return run(kernel, 'largest', { ...options, bind: { x }, label: name });
      const taps = engine.empty(shape);
      keep('taps', taps);
      return run(kernel, 'largest_and_tap', { ...options, bind: { x, taps }, label: name });
    },
    saves: [],
    backward: (dy, _, { attrs: given, shapes, kept, run }) => ({
      input: () =>
        run(kernel, 'largest_gradient', {
          bind: { dy, chosen: kept.taps! },
          uniforms: uniforms(shapes.input, windowsOf(name, shapes.input, given, axes)),
          out: shapes.input,
          label: `${name}.dx`,
        }),
    }),
    flops: ({ input }, given, out) => size(out) * size(windowsOf(name, input, given, axes).kernel),
  });
}

/**
 * The largest value of each window of kernel_size, as in PyTorch; padding never wins, of equal values the first one gets the
 * gradient.
 * @param input (N, C, H, W)
 * @returns (N, C, ⌊(H + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1, ...), with ceil_mode rounded up
 * @throws {ShapeError} when kernel_size is missing or larger than the padded input, padding is more than half of it, or a
 * window has no tap but in the padding
 */
export const max_pool2d = maxPool('max_pool2d', 2);

/** As max_pool2d over frames, rows and columns; input (N, C, D, H, W). */
export const max_pool3d = maxPool('max_pool3d', 3);

/**
 * The mean of each window of kernel_size, as in PyTorch: padding counts as zeros, or with count_include_pad false not at all.
 * @param input (N, C, H, W) @returns the shape that max_pool2d has @throws {ShapeError} as max_pool2d
 */
export const avg_pool2d = defineOp({
  name: 'avg_pool2d',
  inputs: ['input'],
  filters: [],
  attrs: { ...attrs, count_include_pad: true },
  shape: ({ input }, given) => shapeOf(input, windowsOf('avg_pool2d', input, given, 2), 2),
  forward({ input: x }, { attrs: given, shape, run }) {
    const windows = windowsOf('avg_pool2d', x.shape, given, 2);
    return run(kernel, 'mean', {
      bind: { x },
      constants: { MARGIN: given.count_include_pad },
      uniforms: uniforms(x.shape, windows),
      out: shape,
      flops: size(shape) * size(windows.kernel),
      label: 'avg_pool2d',
    });
  },
  saves: [],
  backward: (dy, _, { attrs: given, shapes, run }) => ({
    input: () =>
      run(kernel, 'mean_gradient', {
        bind: { dy },
        constants: { MARGIN: given.count_include_pad },
        uniforms: uniforms(shapes.input, windowsOf('avg_pool2d', shapes.input, given, 2)),
        out: shapes.input,
        label: 'avg_pool2d.dx',
      }),
  }),
  flops: ({ input }, given, out) => size(out) * size(windowsOf('avg_pool2d', input, given, 2).kernel),
});

/**
 * The mean of each channel over all its positions, which stay with size 1.
 * @param input (N, C, spatial...) @returns (N, C, 1, ...) @throws {ShapeError} without a spatial axis
 */
export const global_avg_pool = defineOp({
  name: 'global_avg_pool',
  inputs: ['input'],
  filters: [],
  attrs: {},
  shape({ input }) {
    expectRank('global_avg_pool input', input, 3, 4, 5);
    return input.map((n, axis) => (axis < 2 ? n : 1));
  },
  forward: ({ input }, { engine }) =>
    sumAxes(
      engine,
      input,
      input.shape.map((_, axis) => axis >= 2),
      1 / size(input.shape.slice(2)),
    ),
  saves: [],
  backward: (dy, _, { engine, shapes: { input } }) => ({
    input: () => expand(engine, dy, input, 1 / size(input.slice(2))),
  }),
  flops: ({ input }) => size(input),
});
