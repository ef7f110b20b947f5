import { ShapeError } from '../errors.ts';
import { phaseOrder, transposeFilter } from '../kernels/conv/filter.ts';
import { slide, spread } from '../kernels/conv/gather.ts';
import { biasGradient, changesPlaces, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { defineOp, expectShape, once } from '../op.ts';
import { padded, type Tensor } from '../tensor.ts';
import { type ConvAttrs, conv2d, conv3d, windowOf } from './conv.ts';
import { pixel_shuffle, pixel_unshuffle } from './pixel_shuffle.ts';
import { scale, slopeGradient } from './prelu.ts';
import { leakyGradient } from './unary.ts';

export interface Fusion {
  /** Slope of the activation below zero: 1 none, 0 ReLU. */
  negative_slope: number;
  /** Factor of the pixel shuffle. */
  shuffle: number;
}

function fused(name: string, axes: 2 | 3) {
  const plain = (axes === 2 ? conv2d : conv3d).spec;
  return defineOp({
    name,
    inputs: ['input', 'weight', 'bias?', 'slope?', 'residual?'],
    filters: ['weight'],
    attrs: { ...plain.attrs, negative_slope: 1, shuffle: 1 } as ConvAttrs & Fusion,
    shape({ slope, residual, ...inputs }, attrs) {
      const { negative_slope, shuffle, groups } = attrs;
      const shape = pixel_shuffle.spec.shape({ input: plain.shape(inputs, attrs) }, { factor: shuffle, order: 'crd' });
      if (!(negative_slope >= 0)) {
        throw new ShapeError(`${name} negative_slope: expected 0 or more, got ${negative_slope}`);
      }
      if (shuffle > 1 && groups > 1) throw new ShapeError(`${name} shuffle: expected one group, got ${groups}`);
      if (slope) expectShape(`${name} slope`, slope, [1], [inputs.input[1]]);
      if (residual) expectShape(`${name} residual`, residual, shape);
      return shape;
    },
    forward: ({ input: x, weight, bias, slope, residual }, { engine, attrs, shape }) => {
      const { shuffle, negative_slope: leak } = attrs;
      const window = windowOf(name, weight.shape, attrs, axes);
      const order = (t: Tensor) => (shuffle > 1 ? phaseOrder(engine, t, shuffle) : t);
      const outputs = shuffle > 1 ? padded(shape[1]) * shuffle ** 2 : weight.shape[0];
      return slide(engine, {
        ...{ x, w: order(weight), bias: bias && order(bias), slope, residual, leak, shuffle },
        ...{ out: shape, window, ci: weight.shape[1], co: outputs / window.groups, label: name },
      });
    },
    saves: ({ negative_slope }, tracked) => [
      ...(tracked('weight') || tracked('slope') || tracked('input') ? (['input', 'slope'] as const) : []),
      ...(tracked('input') || tracked('slope') ? (['weight'] as const) : []),
      ...(negative_slope !== 1 ? (['y'] as const) : []),
    ],
    backward: (dy, { input, weight, slope, y }, { engine, attrs, shapes }) => {
      const { negative_slope, shuffle } = attrs;
      const window = windowOf(name, shapes.weight, attrs, axes);
      const [co, ci] = [shapes.weight[0] / window.groups, shapes.weight[1]];
      // What several gradients need is computed once, when the first of them asks.
      const before = once(() => (negative_slope === 1 ? dy : leakyGradient(y, dy, negative_slope)));
      const deep = once(() => {
        if (shuffle === 1) return before();
        const apart = pixel_unshuffle(before(), { factor: shuffle });
        if (!shapes.residual) engine.giveUp(before()); // the largest gradient of many networks
        return apart;
      });
      const dx = once(() => {
        const w = transposeFilter(engine, weight, window.groups);
        return spread(engine, { x: deep(), w, out: shapes.input, window, ci: co, co: ci, label: `${name}.dx` });
      });
      return {
        input: () => (slope ? scale(input, slope, dx(), 'prelu.dx') : dx()),
        weight: (into) => {
          const written = slope && changesPlaces(shapes.weight, window);
          const of = written ? { x: scale(input, slope, input, 'prelu') } : { x: input, slope };
          return weightGradient(engine, {
            ...of,
            ...{ dense: deep(), shape: shapes.weight, window, label: `${name}.dw`, into },
          });
        },
        bias: (into) => biasGradient(engine, deep(), into),
        slope: (into) => slopeGradient(input, shapes.slope!, dx(), into),
        residual: () => before(),
      };
    },
    flops: ({ input, weight, bias }, attrs, out) => plain.flops({ input, weight, bias }, attrs, out),
  });
}

/**
 * A 2D convolution and what networks put around it, in one pass over memory:
 * y = act(pixel_shuffle(conv2d(prelu(input; slope), weight, bias)) + residual), act(v) = v where v > 0, else negative_slope·v.
 * With the defaults (no slope, no residual, negative_slope 1, shuffle 1) it is conv2d. PReLU stands in the load, the rest in
 * the store; no gradient writes prelu(input) either.
 * @param input (N, C, H, W) @param weight (O, C/groups, kH, kW) @param bias (O), optional
 * @param slope (C) or (1), optional: of the PReLU of the input @param residual of y's shape, optional
 * @returns (N, O / shuffle², shuffle·H', shuffle·W') with H', W' as conv2d has them
 * @throws {ShapeError} when shapes do not fit, negative_slope is below 0, or a shuffle meets groups
 */
export const fused_conv2d = fused('fused_conv2d', 2);

/** As fused_conv2d over frames, rows and columns; the shuffle is spatial. */
export const fused_conv3d = fused('fused_conv3d', 3);
