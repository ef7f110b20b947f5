import { ShapeError, shapeText } from '../errors.ts';
import { transposeFilter } from '../kernels/conv/filter.ts';
import { spread } from '../kernels/conv/gather.ts';
import { separable, spatial, spatialWindow, temporalWindow } from '../kernels/conv/separable.ts';
import { biasGradient, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { defineOp, expectRank, expectShape, once } from '../op.ts';
import { size } from '../tensor.ts';
import { scale, slopeGradient } from './prelu.ts';

/**
 * The factorised 3D convolution of FSTRN's residual block (Li et al. 2019, "Fast spatio-temporal residual network for video
 * super-resolution", §3.2) with the activation before it and the sum behind it: spatial 1×k×k, then temporal k×1×1, nothing
 * in between, stride 1 and "same" zero padding, of the middle too:
 * m = weight_s ∗ prelu(input; slope) + bias_s, y = weight_t ∗ m + bias_t + residual.
 * The gradient of weight_t needs m: it is kept from the forward pass, or with `recompute` computed again from the input,
 * which saves one activation and costs about k / (k + 1) of a forward pass.
 * @param input (N, I, D, H, W) @param weight_s (O, I, 1, k, k) @param bias_s (O), optional
 * @param weight_t (O, O, k, 1, 1) @param bias_t (O), optional @param slope (I) or (1), optional: of the PReLU of the input
 * @param residual (N, O, D, H, W), optional @returns (N, O, D, H, W)
 * @throws {ShapeError} when k is even or the shapes do not fit
 */
export const separable_conv3d = defineOp({
  name: 'separable_conv3d',
  inputs: ['input', 'weight_s', 'bias_s?', 'weight_t', 'bias_t?', 'slope?', 'residual?'],
  filters: ['weight_s', 'weight_t'],
  attrs: { recompute: false },
  shape({ input, weight_s, bias_s, weight_t, bias_t, slope, residual }) {
    expectRank('separable_conv3d input', input, 5);
    const [outputs, , , k] = weight_s;
    if (k % 2 !== 1) throw new ShapeError(`separable_conv3d: expected an odd kernel, got ${shapeText(weight_s)}`);
    expectShape('separable_conv3d weight_s', weight_s, [outputs, input[1], 1, k, k]);
    expectShape('separable_conv3d weight_t', weight_t, [outputs, outputs, k, 1, 1]);
    if (bias_s) expectShape('separable_conv3d bias_s', bias_s, [outputs]);
    if (bias_t) expectShape('separable_conv3d bias_t', bias_t, [outputs]);
    if (slope) expectShape('separable_conv3d slope', slope, [1], [input[1]]);
    const shape = [input[0], outputs, ...input.slice(2)];
    if (residual) expectShape('separable_conv3d residual', residual, shape);
    return shape;
  },
  forward: (inputs, { engine, attrs, shape, keep }) => {
    const { input: x, weight_s: ws, bias_s: biasS, weight_t: wt, bias_t: biasT, slope, residual } = inputs;
    const conv = { x, ws, biasS, wt, biasT, slope, residual, out: shape };
    const { y, middle } = separable(engine, conv, keep !== undefined && wt.tracked && !attrs.recompute);
    if (middle) keep?.('middle', middle);
    return y;
  },
  saves: ({ recompute }, tracked) => [
    ...(tracked('input') || tracked('slope') || tracked('weight_s') || (recompute && tracked('weight_t'))
      ? (['input', 'slope'] as const)
      : []),
    ...(['weight_s', 'bias_s', 'weight_t'] as const),
  ],
  backward: (dy, { input, weight_s, bias_s, weight_t, slope }, { engine, shape, shapes, kept }) => {
    const [co, ci] = weight_s.shape;
    const window = spatialWindow(weight_s.shape);
    const along = temporalWindow(weight_t.shape);
    const dMiddle = once(() => {
      const w = transposeFilter(engine, weight_t, 1);
      return spread(engine, { x: dy, w, out: shape, window: along, ci: co, co, label: 'separable_conv3d.dm' });
    });
    const dx = once(() => {
      const w = transposeFilter(engine, weight_s, 1);
      const label = 'separable_conv3d.dx';
      return spread(engine, { x: dMiddle(), w, out: shapes.input, window, ci: co, co: ci, label });
    });
    const middle = once(
      () => kept.middle ?? spatial(engine, { x: input, ws: weight_s, biasS: bias_s, wt: weight_t, slope, out: shape }),
    );
    return {
      input: () => (slope ? scale(input, slope, dx(), 'prelu.dx') : dx()),
      weight_s: (into) =>
        weightGradient(engine, {
          ...{ x: input, slope, dense: dMiddle(), shape: shapes.weight_s, window, into },
          label: 'separable_conv3d.dws',
        }),
      bias_s: (into) => biasGradient(engine, dMiddle(), into),
      weight_t: (into) =>
        weightGradient(engine, {
          ...{ x: middle(), dense: dy, shape: shapes.weight_t, window: along, into },
          label: 'separable_conv3d.dwt',
        }),
      bias_t: (into) => biasGradient(engine, dy, into),
      slope: (into) => slopeGradient(input, shapes.slope!, dx(), into),
      residual: () => dy,
    };
  },
  flops: ({ weight_s, weight_t }, _, out) => (2 * size(out) * (size(weight_s) + size(weight_t))) / out[1],
});
