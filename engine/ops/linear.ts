import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { transposeFilter } from '../kernels/conv/filter.ts';
import { slide, spread } from '../kernels/conv/gather.ts';
import type { Window } from '../kernels/conv/geometry.ts';
import { biasGradient, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { reshaped } from '../kernels/reshape.ts';
import { defineOp, expectShape } from '../op.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';
import { savesOf } from './conv.ts';

// In memory a matrix (N, C) is a row of N pixels, and (O, I) is a filter of one tap: the product is a 1x1 convolution.
const window: Window = { kernel: [1, 1, 1], stride: [1, 1, 1], padding: [0, 0, 0], dilation: [1, 1, 1], groups: 1 };
const row = (n: number, c: number) => [1, c, 1, n];
/** The matrix that an array (..., C) is: all axes before the last as one. */
const matrix = (shape: Shape) => [size(shape.slice(0, -1)), shape[shape.length - 1]] as const;
const asRow = (engine: Engine, x: Tensor) => {
  const [n, c] = matrix(x.shape);
  return engine.view(reshaped(x, [n, c]), row(n, c));
};
const asFilter = (engine: Engine, w: Tensor) => engine.view(w, [...w.shape, 1, 1]);

/**
 * y = input · weightᵀ + bias, along the last axis.
 * @param input (..., I) @param weight (O, I) @param bias (O), optional @returns (..., O)
 * @throws {ShapeError} when the sizes do not fit
 */
export const linear = defineOp({
  name: 'linear',
  inputs: ['input', 'weight', 'bias?'],
  filters: ['weight'],
  attrs: {},
  shape({ input, weight, bias }) {
    const inputs = input.at(-1);
    if (weight.length !== 2 || weight[1] !== inputs) {
      throw new ShapeError(`linear weight: input ${shapeText(input)} needs (O, ${inputs}), got ${shapeText(weight)}`);
    }
    if (bias) expectShape('linear bias', bias, [weight[0]]);
    return [...input.slice(0, -1), weight[0]];
  },
  forward({ input, weight, bias }, { engine, shape }) {
    const [n, o] = matrix(shape);
    const product = slide(engine, {
      ...{ x: asRow(engine, input), w: asFilter(engine, weight), bias, out: row(n, o), window },
      ...{ ci: weight.shape[1], co: o, label: 'linear' },
    });
    return reshaped(engine.view(product, [n, o]), shape);
  },
  saves: savesOf,
  backward: (dy, { input, weight }, { engine, shapes }) => {
    const [n, i] = matrix(shapes.input);
    const [o] = shapes.weight;
    return {
      input() {
        const w = transposeFilter(engine, asFilter(engine, weight), 1);
        const dx = spread(engine, {
          ...{ x: asRow(engine, dy), w, out: row(n, i), window },
          ...{ ci: o, co: i, label: 'linear.dx' },
        });
        return reshaped(engine.view(dx, [n, i]), shapes.input);
      },
      weight(into) {
        const [x, dense] = [asRow(engine, input), asRow(engine, dy)];
        const dw = weightGradient(engine, { x, dense, shape: [o, i, 1, 1], window, label: 'linear.dw', into });
        return into ?? engine.view(dw, shapes.weight);
      },
      bias: (into) => biasGradient(engine, asRow(engine, dy), into),
    };
  },
  flops: ({ weight }, _, out) => 2 * matrix(out)[0] * size(weight),
});
