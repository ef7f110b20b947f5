import wgsl from '../../shaders/dynamic_filter.wgsl';
import { ShapeError } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { defineOp, expectRank, expectShape, once } from '../op.ts';
import { padded, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('dynamic_filter', wgsl);

interface Attrs {
  /** R: how much larger the result is. */
  scale: number;
  /** K, odd: taps along each side of a filter. */
  kernel: number;
  /** Filters become the softmax of `filters` over their taps. */
  softmax: boolean;
}

function settings([, channels, height, width]: Shape, { scale, kernel, softmax }: Attrs) {
  const filters = padded((scale * kernel) ** 2);
  const even = scale % 2 === 0;
  const constants = {
    ...{ C4: padded(channels) / 4, K: kernel, R: scale, SOFTMAX: softmax },
    ...{ EVEN: even, V: even ? ('vec4f' as const) : ('f32' as const), PITCH: even ? filters / 4 : filters },
  };
  return { constants, uniforms: { height, width } };
}

const groups = ({ scale }: Attrs): number => Math.ceil(scale ** 2 / 4);

/**
 * Dynamic upsampling filters of Jo et al. 2018, "Deep video super-resolution network using dynamic upsampling filters without
 * explicit motion compensation", eq. 2: each pixel of the result has its own filter over the small image,
 *   y[n, c, R·h + i, R·w + j] = Σ_k filters[n, k·R² + i·R + j, h, w] · image[n, c, h + ⌊k / K⌋ - ⌊K / 2⌋, w + k mod K - ⌊K / 2⌋],
 * zeros outside. The order of filters is that of the authors' code: taps before sub-pixels. With `softmax` the filters are
 * softmax(filters) over k, which is never written.
 * @param image (N, C, H, W) @param filters (N, K²·R², H, W) @returns (N, C, R·H, R·W)
 * @throws {ShapeError} when the filters fit neither the image nor the attributes
 */
export const dynamic_filter = defineOp({
  name: 'dynamic_filter',
  inputs: ['image', 'filters'],
  filters: [],
  attrs: { scale: 1, kernel: 5, softmax: false } as Attrs,
  shape({ image, filters }, { scale, kernel }) {
    expectRank('dynamic_filter image', image, 4);
    if (!Number.isInteger(scale) || scale < 1) {
      throw new ShapeError(`dynamic_filter scale: expected a whole number of at least 1, got ${scale}`);
    }
    if (!Number.isInteger(kernel) || kernel < 1 || kernel % 2 === 0) {
      throw new ShapeError(`dynamic_filter kernel: expected an odd number, got ${kernel}`);
    }
    const [n, c, h, w] = image;
    expectShape('dynamic_filter filters', filters, [n, (kernel * scale) ** 2, h, w]);
    return [n, c, h * scale, w * scale];
  },
  forward({ image, filters }, { attrs, run, shape }) {
    const threads = (image.bytes / 16) * groups(attrs);
    const flops = 2 * attrs.kernel ** 2 * size(shape);
    return run(kernel, 'forward', {
      bind: { image, filters },
      ...settings(image.shape, attrs),
      out: shape,
      threads,
      flops,
    });
  },
  saves: ({ softmax }, tracked) => [
    ...(tracked('filters') ? (['image'] as const) : []),
    ...(tracked('image') || softmax ? (['filters'] as const) : []),
    ...(tracked('filters') && softmax ? (['y'] as const) : []),
  ],
  backward(dy, { image, filters, y }, { attrs, run, shape, shapes }) {
    const set = settings(shapes.image, attrs);
    const flops = 2 * attrs.kernel ** 2 * size(shape);
    const [n, , h, w] = shapes.image;
    const stats = once(
      () =>
        attrs.softmax
          ? run(kernel, 'measure', {
              bind: { filters },
              ...set,
              out: [n, 8 * groups(attrs), h, w],
              threads: n * h * w * groups(attrs),
            })
          : dy, // bound but not read
    );
    return {
      image: () =>
        run(kernel, 'image_gradient', { bind: { filters, stats: stats(), dy }, ...set, out: shapes.image, flops }),
      filters() {
        // Without the softmax the last three are bound but not read.
        const bind = { image, dy, stats: stats(), filters: filters ?? dy, y: y ?? dy };
        return run(kernel, 'filter_gradient', { bind, ...set, out: shapes.filters, flops });
      },
    };
  },
  flops: (_, { kernel }, out) => 2 * kernel ** 2 * size(out),
});
