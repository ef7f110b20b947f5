import { ShapeError } from '../errors.ts';
import { fieldGradient, sample, scatter } from '../kernels/bilinear.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { size } from '../tensor.ts';

const modes = ['zeros', 'border'];

interface Attrs {
  padding_mode: 'zeros' | 'border';
}

const sampling = ({ padding_mode }: Attrs) => ({ BORDER: padding_mode === 'border' });

/**
 * Backward warping: y[n, c, p] = image[n, c, p + flow[n, :, p]], bilinear; flow[n, 0] points right and flow[n, 1] down, in
 * pixels. Spatial transformer networks (Jaderberg et al. 2015), eq. 5 to 7; PyTorch's grid_sample with align_corners=True.
 * Outside the image: zeros, or its nearest border pixel, which does not move with the flow. The gradient of the image is
 * summed in fixed point of 40 bits below the largest |dy|, so that it has the same bits at every run.
 * @param image (N, C, H, W) @param flow (N, 2, H, W) @returns (N, C, H, W)
 * @throws {ShapeError} when the flow does not fit the image, or the padding mode is unknown
 */
export const warp = defineOp({
  name: 'warp',
  inputs: ['image', 'flow'],
  filters: [],
  attrs: { padding_mode: 'zeros' } as Attrs,
  shape({ image, flow }, { padding_mode }) {
    expectRank('warp image', image, 4);
    expectShape('warp flow', flow, [image[0], 2, image[2], image[3]]);
    if (!modes.includes(padding_mode)) {
      throw new ShapeError(`warp padding_mode: expected ${modes.join(' or ')}, got ${padding_mode}`);
    }
    return image;
  },
  forward: ({ image, flow }, { engine, attrs }) => sample(engine, image, flow, sampling(attrs), 'warp'),
  saves: ['image', 'flow'],
  backward: (dy, { image, flow }, { engine, attrs, shapes }) => ({
    image: () => scatter(engine, dy, flow, shapes.image, sampling(attrs), 'warp.dx'),
    flow: () => fieldGradient(engine, dy, image, flow, sampling(attrs), 'warp.dflow'),
  }),
  flops: (_, __, out) => 6 * size(out),
});
