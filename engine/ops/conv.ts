import { ShapeError, shapeText } from '../errors.ts';
import { transposeFilter } from '../kernels/conv/filter.ts';
import { slide, spread } from '../kernels/conv/gather.ts';
import { type Vec3, volume, type Window } from '../kernels/conv/geometry.ts';
import { biasGradient, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { type Shape, size } from '../tensor.ts';

export type PerAxis = number | readonly number[];

export interface ConvAttrs {
  stride: PerAxis;
  padding: PerAxis;
  dilation: PerAxis;
  groups: number;
}

/** An attribute that is one number or a list per spatial axis, as (d, h, w). @throws {ShapeError} */
export function perAxis(what: string, value: PerAxis, axes: number, least: number, absent: number): Vec3 {
  const list = typeof value === 'number' ? Array<number>(axes).fill(value) : value;
  if (list.length !== axes || list.some((v) => !Number.isInteger(v) || v < least)) {
    throw new ShapeError(
      `${what}: expected one whole number of at least ${least}, or ${axes} of them, got ${JSON.stringify(value)}`,
    );
  }
  return (axes === 2 ? [absent, ...list] : list) as unknown as Vec3;
}

/** The window that a filter (O, I, taps...) and the attributes describe. @throws {ShapeError} */
export function windowOf(name: string, weight: Shape, attrs: ConvAttrs, axes: number): Window {
  expectRank(`${name} weight`, weight, axes + 2);
  if (!Number.isInteger(attrs.groups) || attrs.groups < 1) {
    throw new ShapeError(`${name} groups: expected a whole number of at least 1, got ${attrs.groups}`);
  }
  return {
    kernel: volume([1, 1, ...weight.slice(2)]),
    stride: perAxis(`${name} stride`, attrs.stride, axes, 1, 1),
    padding: perAxis(`${name} padding`, attrs.padding, axes, 0, 0),
    dilation: perAxis(`${name} dilation`, attrs.dilation, axes, 1, 1),
    groups: attrs.groups,
  };
}

/** The input is there for the filter's gradient, the filter for the input's. */
export const savesOf = (_: unknown, tracked: (input: 'input' | 'weight') => boolean) => [
  ...(tracked('weight') ? (['input'] as const) : []),
  ...(tracked('input') ? (['weight'] as const) : []),
];

function convolution(name: string, axes: 2 | 3) {
  return defineOp({
    name,
    inputs: ['input', 'weight', 'bias?'],
    filters: ['weight'],
    attrs: { stride: 1, padding: 0, dilation: 1, groups: 1 } as ConvAttrs,
    shape({ input, weight, bias }, attrs) {
      expectRank(`${name} input`, input, axes + 2);
      const window = windowOf(name, weight, attrs, axes);
      const { groups } = window;
      if (weight[1] * groups !== input[1] || weight[0] % groups !== 0) {
        const want = `(O, ${input[1] / groups}, ...) with O a multiple of groups = ${groups}`;
        throw new ShapeError(`${name} weight: input ${shapeText(input)} needs ${want}, got ${shapeText(weight)}`);
      }
      if (bias) expectShape(`${name} bias`, bias, [weight[0]]);
      const out = volume(input).map((n, i) => {
        const reach = window.dilation[i] * (window.kernel[i] - 1) + 1;
        return Math.floor((n + 2 * window.padding[i] - reach) / window.stride[i]) + 1;
      });
      if (out.some((n) => n < 1)) {
        throw new ShapeError(
          `${name}: the filter ${shapeText(weight)} is larger than the padded input ${shapeText(input)}`,
        );
      }
      return [input[0], weight[0], ...out.slice(3 - axes)];
    },
    forward: ({ input, weight, bias }, { engine, attrs, shape }) => {
      const window = windowOf(name, weight.shape, attrs, axes);
      const [co, ci] = [weight.shape[0] / window.groups, weight.shape[1]];
      return slide(engine, { x: input, w: weight, bias, out: shape, window, ci, co, label: name });
    },
    saves: savesOf,
    backward: (dy, { input, weight }, { engine, attrs, shapes }) => {
      const window = windowOf(name, shapes.weight, attrs, axes);
      const [co, ci] = [shapes.weight[0] / window.groups, shapes.weight[1]];
      return {
        input: () => {
          const w = transposeFilter(engine, weight, window.groups);
          return spread(engine, { x: dy, w, out: shapes.input, window, ci: co, co: ci, label: `${name}.dx` });
        },
        weight: (into) =>
          weightGradient(engine, { x: input, dense: dy, shape: shapes.weight, window, label: `${name}.dw`, into }),
        bias: (into) => biasGradient(engine, dy, into),
      };
    },
    flops: ({ weight }, _, out) => (2 * size(out) * size(weight)) / weight[0],
  });
}

/**
 * 2D convolution: y[n,o,p] = bias[o] + Σ_{i,k} weight[o,i,k] · input[n,i, p·stride - padding + k·dilation], zero padding.
 * @param input (N, C, H, W) @param weight (O, C/groups, kH, kW) @param bias (O), optional
 * @returns (N, O, ⌊(H + 2·padding - dilation·(kH - 1) - 1) / stride⌋ + 1, ...)
 * @throws {ShapeError} when channels, groups or sizes do not fit
 */
export const conv2d = convolution('conv2d', 2);

/** 3D convolution: as conv2d over frames, rows and columns; input (N, C, D, H, W), weight (O, C/groups, kD, kH, kW). */
export const conv3d = convolution('conv3d', 3);
