import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { transposeFilter } from '../kernels/conv/filter.ts';
import { slide, spread } from '../kernels/conv/gather.ts';
import type { Window } from '../kernels/conv/geometry.ts';
import { biasGradient, weightGradient } from '../kernels/conv/weight-gradient.ts';
import { defineOp, expectRank, expectShape } from '../op.ts';
import { size, type Tensor } from '../tensor.ts';
import { savesOf } from './conv.ts';

// In memory a matrix (N, C) is a row of N pixels, and (O, I) is a filter of one tap: the product is a 1x1 convolution.
const window: Window = { kernel: [1, 1, 1], stride: [1, 1, 1], padding: [0, 0, 0], dilation: [1, 1, 1], groups: 1 };
const row = (n: number, c: number) => [1, c, 1, n];
const asRow = (engine: Engine, x: Tensor) => engine.view(x, row(x.shape[0], x.shape[1]));
const asFilter = (engine: Engine, w: Tensor) => engine.view(w, [...w.shape, 1, 1]);

/**
 * y = input · weightᵀ + bias.
 * @param input (N, I) @param weight (O, I) @param bias (O), optional @returns (N, O)
 * @throws {ShapeError} when the sizes do not fit
 */
export const linear = defineOp({
  name: 'linear',
  inputs: ['input', 'weight', 'bias?'],
  filters: ['weight'],
  attrs: {},
  shape({ input, weight, bias }) {
    expectRank('linear input', input, 2);
    if (weight.length !== 2 || weight[1] !== input[1]) {
      throw new ShapeError(`linear weight: input ${shapeText(input)} needs (O, ${input[1]}), got ${shapeText(weight)}`);
    }
    if (bias) expectShape('linear bias', bias, [weight[0]]);
    return [input[0], weight[0]];
  },
  forward({ input, weight, bias }, { engine, shape }) {
    const [n, o] = shape;
    const product = slide(engine, {
      ...{ x: asRow(engine, input), w: asFilter(engine, weight), bias, out: row(n, o), window },
      ...{ ci: input.shape[1], co: o, label: 'linear' },
    });
    return engine.view(product, shape);
  },
  saves: savesOf,
  backward: (dy, { input, weight }, { engine, shapes }) => {
    const [n, i] = shapes.input;
    const [o] = shapes.weight;
    return {
      input() {
        const w = transposeFilter(engine, asFilter(engine, weight), 1);
        const dx = spread(engine, {
          ...{ x: asRow(engine, dy), w, out: row(n, i), window },
          ...{ ci: o, co: i, label: 'linear.dx' },
        });
        return engine.view(dx, shapes.input);
      },
      weight(into) {
        const [x, dense] = [asRow(engine, input), asRow(engine, dy)];
        const dw = weightGradient(engine, { x, dense, shape: [o, i, 1, 1], window, label: 'linear.dw', into });
        return into ?? engine.view(dw, shapes.weight);
      },
      bias: (into) => biasGradient(engine, dy, into),
    };
  },
  flops: ({ weight }, _, out) => 2 * out[0] * size(weight),
});
