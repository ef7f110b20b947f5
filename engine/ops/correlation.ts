import wgsl from '../../shaders/correlation.wgsl';
import { ShapeError } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { padded, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('correlation', wgsl);
/** Displacements along a row, and pixels, that one invocation takes. */
const [BLOCK, GROUP] = [7, 4];

interface Attrs {
  /** The largest displacement, in pixels. */
  max_displacement: number;
  /** Pixels from one displacement to the next. */
  stride2: number;
}

/** Displacements along one axis. */
const displacements = ({ max_displacement, stride2 }: Attrs): number => 2 * Math.floor(max_displacement / stride2) + 1;

function settings([, channels, height, width]: Shape, attrs: Attrs) {
  const { max_displacement, stride2 } = attrs;
  const constants = { C4: padded(channels) / 4, S: stride2, REACH: Math.floor(max_displacement / stride2) };
  return { constants, uniforms: { height, width, share: 1 / channels } };
}

/** Groups of pixels that share displaced ones. */
const groups = ([n, , height, width]: Shape, { stride2 }: Attrs): number =>
  n * height * Math.ceil(width / (GROUP * stride2)) * stride2;

/**
 * The correlation layer of FlowNetC (Dosovitskiy et al. 2015, "FlowNet: learning optical flow with convolutional networks",
 * eq. 1, patches of one pixel): y[n, (v + R)·D + u + R, p] = 1/C Σ_c a[n, c, p] · b[n, c, p + stride2·(u, v)] for u and v from -R
 * to R = ⌊max_displacement / stride2⌋, D = 2R + 1; zeros outside b. FlowNetC itself has 20 and 2: 441 displacements.
 * @param a (N, C, H, W) @param b the shape of a @returns (N, D², H, W)
 * @throws {ShapeError} when the shapes differ, or the attributes are no whole numbers
 */
export const correlation = defineOp({
  name: 'correlation',
  inputs: ['a', 'b'],
  filters: [],
  attrs: { max_displacement: 20, stride2: 2 } as Attrs,
  shape({ a, b }, attrs) {
    const { max_displacement, stride2 } = attrs;
    expectRank('correlation a', a, 4);
    expectShape('correlation b', b, a);
    if (!Number.isInteger(max_displacement) || max_displacement < 0) {
      throw new ShapeError(`correlation max_displacement: expected a whole number, got ${max_displacement}`);
    }
    if (!Number.isInteger(stride2) || stride2 < 1) {
      throw new ShapeError(`correlation stride2: expected a whole number of at least 1, got ${stride2}`);
    }
    return [a[0], displacements(attrs) ** 2, a[2], a[3]];
  },
  forward({ a, b }, { engine, attrs, shape }) {
    const out = engine.empty(shape);
    const d = displacements(attrs);
    const threads = groups(shape, attrs) * d * Math.ceil(d / BLOCK);
    const flops = 2 * a.shape[1] * size(shape);
    engine.run(kernel, 'forward', { bind: { a, b, sums: out }, ...settings(a.shape, attrs), threads, flops });
    return out;
  },
  saves: (_, tracked) => [...(tracked('a') ? (['b'] as const) : []), ...(tracked('b') ? (['a'] as const) : [])],
  backward(dy, { a, b }, { attrs, run, shape, shapes }) {
    const into = (name: 'a' | 'b') => {
      const { constants, uniforms } = settings(shapes[name], attrs);
      const other = name === 'a' ? b : a; // both are bound, one of them is read
      return run(kernel, 'gradient', {
        bind: { a: other, b: other, dy },
        constants: { ...constants, INTO_A: name === 'a' },
        uniforms,
        out: shapes[name],
        threads: (groups(shape, attrs) * padded(shapes[name][1])) / 4,
        flops: 2 * shapes[name][1] * size(shape),
        label: `correlation.d${name}`,
      });
    };
    return { a: () => into('a'), b: () => into('b') };
  },
  flops: ({ a }, _, out) => 2 * a[1] * size(out),
});
