import wgsl from '../../shaders/unary.wgsl';
import { ShapeError } from '../errors.ts';
import { type Constants, Kernel } from '../kernel.ts';
import { defineOp } from '../op.ts';
import { extent, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('unary', wgsl);
/** In the order of the shader's consts. */
const KINDS = ['relu', 'leaky_relu', 'sigmoid', 'tanh', 'abs', 'sqrt', 'exp', 'log', 'clamp'] as const;

interface Unary<A> {
  /** What the derivative is written in. The result is mostly kept for the next op anyway, so y where it can be. */
  readonly saves: 'input' | 'y';
  /** f(0) = 0 and f'(0) is finite: then padding stays zero by itself, and one pipeline serves all channel counts. */
  readonly keepsZero: boolean;
  readonly attrs: A;
  /** Attributes as the shader takes them. @throws {ShapeError} */
  values?(attrs: A): { low: number; high: number };
}

function unary<A extends object>(name: (typeof KINDS)[number], f: Unary<A>) {
  const values = f.values ?? (() => ({ low: 0, high: 0 }));
  const KIND = KINDS.indexOf(name);
  const constants = (shape: Shape): Constants => {
    if (f.keepsZero) return { KIND };
    const { channels } = extent(shape, 'image');
    return { KIND, C4: Math.ceil(channels / 4), LANES: ((channels - 1) % 4) + 1 };
  };
  return defineOp({
    name,
    inputs: ['input'],
    filters: [],
    attrs: f.attrs,
    shape({ input }, attrs) {
      values(attrs);
      return input;
    },
    forward: ({ input: v }, { run, attrs, shape }) =>
      run(kernel, 'forward', {
        bind: { v },
        constants: constants(shape),
        uniforms: values(attrs),
        out: shape,
        flops: size(shape),
        label: name,
      }),
    saves: [f.saves],
    backward: (dy, saved, { run, attrs, shape }) => ({
      input: () =>
        run(kernel, 'backward', {
          bind: { v: saved[f.saves], dy },
          constants: constants(shape),
          uniforms: values(attrs),
          out: shape,
          flops: 2 * size(shape),
          label: `${name}.dx`,
        }),
    }),
    flops: ({ input }) => size(input),
  });
}

/** dy where y > 0, else slope·dy: the gradient of a leaky ReLU, of a ReLU with slope 0. */
export function leakyGradient(y: Tensor, dy: Tensor, slope: number): Tensor {
  const out = y.engine.empty(y.shape);
  y.engine.run(kernel, 'backward', {
    bind: { v: y, dy, out },
    constants: { KIND: KINDS.indexOf('leaky_relu') },
    uniforms: { low: slope, high: 0 },
    threads: out.bytes / 16,
    flops: size(y.shape),
    label: 'leaky_relu.dx',
  });
  return out;
}

/** y = max(x, 0); slope 0 at 0. */
export const relu = unary('relu', { saves: 'y', keepsZero: true, attrs: {} });

/** y = x where x > 0, else negative_slope·x. @throws {ShapeError} when the slope is below 0: y could not tell the sign of x */
export const leaky_relu = unary('leaky_relu', {
  saves: 'y',
  keepsZero: true,
  attrs: { negative_slope: 0.01 },
  values({ negative_slope: low }) {
    if (!(low >= 0)) throw new ShapeError(`leaky_relu negative_slope: expected 0 or more, got ${low}`);
    return { low, high: 0 };
  },
});

/** y = 1 / (1 + e^-x) */
export const sigmoid = unary('sigmoid', { saves: 'y', keepsZero: false, attrs: {} });

/** y = (e^x - e^-x) / (e^x + e^-x) */
export const tanh = unary('tanh', { saves: 'y', keepsZero: true, attrs: {} });

/** y = |x|; slope 0 at 0. */
export const abs = unary('abs', { saves: 'input', keepsZero: true, attrs: {} });

/** y = √x; NaN below 0. */
export const sqrt = unary('sqrt', { saves: 'y', keepsZero: false, attrs: {} });

/** y = e^x */
export const exp = unary('exp', { saves: 'y', keepsZero: false, attrs: {} });

/** Natural logarithm; NaN below 0. */
export const log = unary('log', { saves: 'input', keepsZero: false, attrs: {} });

/**
 * y = min(max(x, min), max); either bound may be missing, not both. Slope 1 inside and on the bounds.
 * @throws {ShapeError} when no bound is given, or one is not a number
 */
export const clamp = unary('clamp', {
  saves: 'input',
  keepsZero: false,
  attrs: { min: undefined, max: undefined } as { min?: number; max?: number },
  values({ min, max }) {
    const [low, high] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY];
    if ((min === undefined && max === undefined) || Number.isNaN(low) || Number.isNaN(high)) {
      throw new ShapeError(`clamp: expected a number for min, max or both, got ${min} and ${max}`);
    }
    return { low, high };
  },
});
