import { ShapeError, shapeText } from '../errors.ts';
import { transposeFilter } from '../kernels/conv/filter.ts';
import { slide, spread } from '../kernels/conv/gather.ts';
import { volume } from '../kernels/conv/geometry.ts';
import { biasGradient, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { size } from '../tensor.ts';
import { type ConvAttrs, type PerAxis, perAxis, savesOf, windowOf } from './conv.ts';

function transposed(name: string, axes: 2 | 3) {
  return defineOp({
    name,
    inputs: ['input', 'weight', 'bias?'],
    filters: ['weight'],
    attrs: { stride: 1, padding: 0, output_padding: 0, dilation: 1, groups: 1 } as ConvAttrs & {
      output_padding: PerAxis;
    },
    shape({ input, weight, bias }, attrs) {
      expectRank(`${name} input`, input, axes + 2);
      const window = windowOf(name, weight, attrs, axes);
      const { groups } = window;
      const least = 1 - Math.max(...window.stride, ...window.dilation);
      const extra = perAxis(`${name} output_padding`, attrs.output_padding, axes, least, 0);
      if (weight[0] !== input[1] || weight[0] % groups !== 0) {
        const want = `(${input[1]}, O/groups, ...) with ${input[1]} a multiple of groups = ${groups}`;
        throw new ShapeError(`${name} weight: input ${shapeText(input)} needs ${want}, got ${shapeText(weight)}`);
      }
      if (bias) expectShape(`${name} bias`, bias, [weight[1] * groups]);
      const out = volume(input).map((n, i) => {
        if (extra[i] > 0 && extra[i] >= Math.max(window.stride[i], window.dilation[i])) {
          throw new ShapeError(`${name} output_padding: must be smaller than stride or dilation, got ${extra[i]}`);
        }
        const reach = window.dilation[i] * (window.kernel[i] - 1) + 1;
        return (n - 1) * window.stride[i] - 2 * window.padding[i] + reach + extra[i];
      });
      if (out.some((n) => n < 1)) {
        throw new ShapeError(
          `${name}: padding ${JSON.stringify(attrs.padding)} leaves nothing of input ${shapeText(input)}`,
        );
      }
      return [input[0], weight[1] * groups, ...out.slice(3 - axes)];
    },
    forward: ({ input, weight, bias }, { engine, attrs, shape }) => {
      const window = windowOf(name, weight.shape, attrs, axes);
      const [ci, co] = [weight.shape[0] / window.groups, weight.shape[1]];
      const w = transposeFilter(engine, weight, window.groups);
      return spread(engine, { x: input, w, bias, out: shape, window, ci, co, label: name });
    },
    saves: savesOf,
    backward: (dy, { input, weight }, { engine, attrs, shapes }) => {
      const window = windowOf(name, shapes.weight, attrs, axes);
      const [ci, co] = [shapes.weight[0] / window.groups, shapes.weight[1]];
      return {
        input: () =>
          slide(engine, { x: dy, w: weight, out: shapes.input, window, ci: co, co: ci, label: `${name}.dx` }),
        weight: (into) =>
          weightGradient(engine, { x: dy, dense: input, shape: shapes.weight, window, label: `${name}.dw`, into }),
        bias: (into) => biasGradient(engine, dy, into),
      };
    },
    flops: ({ input, weight }) => 2 * (size(input) / input[1]) * size(weight),
  });
}

/**
 * Transposed 2D convolution, the gradient of conv2d with respect to its input:
 * y[n,o,q] = bias[o] + Σ weight[i,o,k] · input[n,i,p] over all p, k with q = p·stride - padding + k·dilation. Below zero,
 * output_padding drops the last rows and columns, as TensorFlow does where a stride leaves more than the size times it.
 * @param input (N, C, H, W) @param weight (C, O/groups, kH, kW) @param bias (O), optional
 * @returns (N, O, (H - 1)·stride - 2·padding + dilation·(kH - 1) + output_padding + 1, ...)
 * @throws {ShapeError} when channels, groups or sizes do not fit
 */
export const conv_transpose2d = transposed('conv_transpose2d', 2);

/** Transposed 3D convolution: as conv_transpose2d over frames, rows and columns. */
export const conv_transpose3d = transposed('conv_transpose3d', 3);
