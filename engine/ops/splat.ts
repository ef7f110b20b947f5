import { ShapeError } from '../errors.ts';
import { fieldGradient, sample, scatter } from '../kernels/bilinear.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { size } from '../tensor.ts';

interface Attrs {
  /** r: how much larger the result is. */
  scale: number;
}

const sampling = ({ scale }: Attrs) => ({ R: scale, BORDER: true, EDGE: true });

/**
 * Forward warping, the SPMC layer of Tao et al. 2017, "Detail-revealing deep video super-resolution", eq. 3 and 4: the value
 * of pixel p = (x, y) goes to the place r·(x + u, y + v) of the large picture, where it is dealt to the four pixels around:
 *   y[n, c, q] = Σ_p image[n, c, p] · max(0, 1 - |x' - q_x|) · max(0, 1 - |y' - q_y|),   (x', y') = r·(p + flow[n, :, p]).
 * Nothing is divided by the sum of weights; pixels that nothing reaches stay 0. As in the authors' code the indices of the
 * four pixels are held within the picture, so that what flies out piles up on its border, and does not move with the flow.
 * The adjoint of warp, and its kernels: a scatter of 64-bit whole numbers, 2⁻⁴⁰ of the largest |image| each. That takes any
 * flow, costs the same for all, and gives the same bits at every run; a gather over a window would have to know the largest flow.
 * @param image (N, C, H, W) @param flow (N, 2, H, W): x right, y down, in pixels of the image @returns (N, C, r·H, r·W)
 * @throws {ShapeError} when the flow does not fit the image, or the scale is no whole number of at least 1
 */
export const splat = defineOp({
  name: 'splat',
  inputs: ['image', 'flow'],
  filters: [],
  attrs: { scale: 1 } as Attrs,
  shape({ image, flow }, { scale }) {
    expectRank('splat image', image, 4);
    expectShape('splat flow', flow, [image[0], 2, image[2], image[3]]);
    if (!Number.isInteger(scale) || scale < 1) {
      throw new ShapeError(`splat scale: expected a whole number of at least 1, got ${scale}`);
    }
    const [n, c, h, w] = image;
    return [n, c, h * scale, w * scale];
  },
  forward: ({ image, flow }, { engine, attrs, shape }) => scatter(engine, image, flow, shape, sampling(attrs), 'splat'),
  saves: ['image', 'flow'],
  backward: (dy, { image, flow }, { engine, attrs }) => ({
    image: () => sample(engine, dy, flow, sampling(attrs), 'splat.dx'),
    flow: () => fieldGradient(engine, image, dy, flow, sampling(attrs), 'splat.dflow'),
  }),
  flops: ({ image }) => 12 * size(image),
});
