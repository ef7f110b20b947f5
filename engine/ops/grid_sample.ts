import wgsl from '../../shaders/affine_grid.wgsl';
import { ShapeError } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { fieldGradient, sample, scatter } from '../kernels/bilinear.ts';
import { sumMiddle } from '../kernels/reduce.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { size } from '../tensor.ts';

const kernel = new Kernel('affine_grid', wgsl);
const modes = ['zeros', 'border'];

interface SampleAttrs {
  padding_mode: 'zeros' | 'border';
  align_corners: boolean;
}

const sampling = ({ padding_mode, align_corners }: SampleAttrs) => ({
  ...{ GRID: true, CORNERS: align_corners, BORDER: padding_mode === 'border' },
});

/**
 * Bilinear sampling at given places, as PyTorch's grid_sample: y[n, c, p] = image[n, c, at grid[n, :, p]], where grid[n, 0] runs
 * from -1 to 1 over the width and grid[n, 1] over the height. With align_corners these are the centres of the border pixels,
 * else their outer edges. Spatial transformer networks (Jaderberg et al. 2015), eq. 5 to 7. Outside the image: zeros, or its
 * nearest border pixel, which does not move with the grid.
 * The grid lies as a flow does; PyTorch's has the two coordinates last.
 * @param image (N, C, H, W) @param grid (N, 2, H', W') @returns (N, C, H', W')
 * @throws {ShapeError} when the grid does not fit the image, or the padding mode is unknown
 */
export const grid_sample = defineOp({
  name: 'grid_sample',
  inputs: ['image', 'grid'],
  filters: [],
  attrs: { padding_mode: 'zeros', align_corners: false } as SampleAttrs,
  shape({ image, grid }, { padding_mode }) {
    expectRank('grid_sample image', image, 4);
    expectRank('grid_sample grid', grid, 4);
    expectShape('grid_sample grid', grid, [image[0], 2, ...grid.slice(2)]);
    if (!modes.includes(padding_mode)) {
      throw new ShapeError(`grid_sample padding_mode: expected ${modes.join(' or ')}, got ${padding_mode}`);
    }
    return [image[0], image[1], ...grid.slice(2)];
  },
  forward: ({ image, grid }, { engine, attrs }) => sample(engine, image, grid, sampling(attrs), 'grid_sample'),
  saves: ['image', 'grid'],
  backward: (dy, { image, grid }, { engine, attrs, shapes }) => ({
    image: () => scatter(engine, dy, grid, shapes.image, sampling(attrs), 'grid_sample.dx'),
    grid: () => fieldGradient(engine, dy, image, grid, sampling(attrs), 'grid_sample.dgrid'),
  }),
  flops: (_, __, out) => 6 * size(out),
});

interface GridAttrs {
  /** (H, W) of the grid. Must be given. */
  size: readonly number[] | undefined;
  align_corners: boolean;
}

function settings({ size, align_corners }: GridAttrs) {
  const [height, width] = size!;
  return { constants: { CORNERS: align_corners }, uniforms: { height, width } };
}

/**
 * The grid of an affine transform, for grid_sample: grid[n, :, y, x] = theta[n] · (X, Y, 1)ᵀ, where X and Y run from -1 to 1 over
 * width and height. Spatial transformer networks (Jaderberg et al. 2015), eq. 1; PyTorch's affine_grid, but that the grid lies
 * as a flow does.
 * @param theta (N, 2, 3) @returns (N, 2, H, W)
 * @throws {ShapeError} when theta holds other matrices, or the size is no pair of whole numbers
 */
export const affine_grid = defineOp({
  name: 'affine_grid',
  inputs: ['theta'],
  filters: [],
  attrs: { size: undefined, align_corners: false } as GridAttrs,
  shape({ theta }, { size }) {
    expectShape('affine_grid theta', theta, [theta[0], 2, 3]);
    if (size?.length !== 2 || !size.every((n) => Number.isInteger(n) && n >= 1)) {
      throw new ShapeError(
        `affine_grid size: expected height and width of 1 or more, got ${JSON.stringify(size) ?? 'none'}`,
      );
    }
    return [theta[0], 2, ...size];
  },
  forward: ({ theta }, { attrs, run, shape }) =>
    run(kernel, 'forward', { bind: { theta }, ...settings(attrs), out: shape, flops: 2 * size(shape) }),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes, shape }) => ({
    theta() {
      const [outer, , height, width] = shape;
      using products = engine.raw(3 * dy.bytes);
      engine.run(kernel, 'products', {
        bind: { dy, out: products },
        ...settings(attrs),
        threads: dy.bytes / 16,
        label: 'affine_grid.dtheta',
      });
      const out = engine.empty(shapes.theta);
      sumMiddle(engine, products, { outer, middle: height * width, inner: 3 }, out);
      return out;
    },
  }),
  flops: (_, __, out) => 2 * size(out),
});
