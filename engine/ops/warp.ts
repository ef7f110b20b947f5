import wgsl from '../../shaders/warp.wgsl';
import type { Engine } from '../engine.ts';
import { ShapeError } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { padded, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('warp', wgsl);
const modes = ['zeros', 'border'];
/** Invocations that look for the largest |dy|: each takes every so-many-th quad. */
const MEASURING = 4096;

interface Attrs {
  padding_mode: 'zeros' | 'border';
}

/**
 * Bits of the largest |dy| as a fixed-point number: 40, or fewer where all pixels of a picture together, gathered in one
 * place, could reach the sign of 64.
 */
const fixedPointBits = ([, , height, width]: Shape): number => Math.min(40, 62 - Math.ceil(Math.log2(height * width)));

function settings(image: Shape, { padding_mode }: Attrs) {
  const constants = { C4: padded(image[1]) / 4, BORDER: padding_mode === 'border' };
  const uniforms = { height: image[2], width: image[3], bits: fixedPointBits(image) };
  return { constants, uniforms };
}

/** Gradient of the image: every dy goes to the four pixels that its y was mixed from. */
function scatter(engine: Engine, dy: Tensor, flow: Tensor, attrs: Attrs): Tensor {
  const out = engine.empty(dy.shape);
  using words = engine.raw(2 * out.bytes);
  using largest = engine.raw(4);
  const set = settings(dy.shape, attrs);
  engine.run(kernel, 'clear', { bind: { words4: words, largest }, threads: words.bytes / 16 });
  engine.run(kernel, 'measure', { bind: { dy, largest }, threads: Math.min(dy.bytes / 16, MEASURING) });
  const bind = { dy, flow, words, largest };
  engine.run(kernel, 'scatter', { bind, ...set, threads: dy.bytes / 16, flops: 12 * size(dy.shape) });
  engine.run(kernel, 'collect', { bind: { words4: words, largest, out }, ...set, threads: out.bytes / 16 });
  return out;
}

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
  forward: ({ image, flow }, { attrs, run, shape }) =>
    run(kernel, 'gather', { bind: { image, flow }, ...settings(shape, attrs), out: shape, flops: 6 * size(shape) }),
  saves: ['image', 'flow'],
  backward: (dy, { image, flow }, { engine, attrs, run, shape, shapes }) => ({
    image: () => scatter(engine, dy, flow, attrs),
    flow: () => {
      const options = { ...settings(shape, attrs), out: shapes.flow, flops: 14 * size(shape) };
      return run(kernel, 'flow_gradient', { bind: { dy, image, flow }, ...options });
    },
  }),
  flops: (_, __, out) => 6 * size(out),
});
