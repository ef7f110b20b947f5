import { ShapeError, shapeText } from '../errors.ts';
import { composeOp, expectRank, expectShape } from '../op.ts';
import { size } from '../tensor.ts';
import { conv3d } from './conv.ts';

/**
 * The factorised 3D convolution of FSTRN's residual block (Li et al. 2019, "Fast spatio-temporal residual network for video
 * super-resolution", §3.2): spatial 1×k×k, then temporal k×1×1, nothing in between, stride 1 and "same" zero padding:
 * m = weight_s ∗ input + bias_s, y = weight_t ∗ m + bias_t.
 * @param input (N, I, D, H, W) @param weight_s (O, I, 1, k, k) @param bias_s (O), optional
 * @param weight_t (O, O, k, 1, 1) @param bias_t (O), optional @returns (N, O, D, H, W)
 * @throws {ShapeError} when k is even or the two filters do not fit
 */
export const separable_conv3d = composeOp(
  {
    name: 'separable_conv3d',
    inputs: ['input', 'weight_s', 'bias_s?', 'weight_t', 'bias_t?'],
    filters: ['weight_s', 'weight_t'],
    attrs: {},
    shape({ input, weight_s, bias_s, weight_t, bias_t }) {
      expectRank('separable_conv3d input', input, 5);
      const [outputs, , , k] = weight_s;
      if (k % 2 !== 1) throw new ShapeError(`separable_conv3d: expected an odd kernel, got ${shapeText(weight_s)}`);
      expectShape('separable_conv3d weight_s', weight_s, [outputs, input[1], 1, k, k]);
      expectShape('separable_conv3d weight_t', weight_t, [outputs, outputs, k, 1, 1]);
      if (bias_s) expectShape('separable_conv3d bias_s', bias_s, [outputs]);
      if (bias_t) expectShape('separable_conv3d bias_t', bias_t, [outputs]);
      return [input[0], outputs, ...input.slice(2)];
    },
    flops: ({ weight_s, weight_t }, _, out) => (2 * size(out) * (size(weight_s) + size(weight_t))) / out[1],
  },
  ({ input, weight_s, bias_s, weight_t, bias_t }) => {
    const edge = (weight_s.shape[3] - 1) / 2;
    const middle = conv3d(input, weight_s, bias_s, { padding: [0, edge, edge] });
    return conv3d(middle, weight_t, bias_t, { padding: [edge, 0, 0] });
  },
);
