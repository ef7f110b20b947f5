import { leakyRelu, prelu } from './activation.ts';
import type { NDArray, Reference } from './array.ts';
import { add } from './binary.ts';
import { type ConvAttrs, conv } from './convolution.ts';
import { pixelShuffle } from './shuffle.ts';

interface FusedAttrs extends ConvAttrs {
  negative_slope?: number;
  shuffle?: number;
}

/** y = act(pixel_shuffle(conv(prelu(input; slope), weight, bias)) + residual), one definition after the other. */
export const fusedConv: Reference<FusedAttrs> = {
  forward(inputs, attrs) {
    const { residual } = inputs;
    const { negative_slope = 1, shuffle = 1 } = attrs;
    const { wide } = stages(inputs, attrs, shuffle);
    const sum = residual ? add.forward({ a: wide, b: residual }, {}) : wide;
    return leakyRelu.forward({ input: sum }, { negative_slope });
  },
  backward(dy, inputs, attrs) {
    const { input, weight, bias, slope, residual } = inputs;
    const { negative_slope = 1, shuffle = 1 } = attrs;
    const { activated, deep, wide } = stages(inputs, attrs, shuffle);
    const sum = residual ? add.forward({ a: wide, b: residual }, {}) : wide;
    const d_sum = leakyRelu.backward(dy, { input: sum }, { negative_slope }).input;
    const d_deep = pixelShuffle.backward(d_sum, { input: deep }, { factor: shuffle }).input;
    const { input: d_activated, ...rest } = conv.backward(d_deep, { input: activated, weight, bias }, attrs);
    const before = slope ? prelu.backward(d_activated, { input, weight: slope }, {}) : { input: d_activated };
    return {
      ...rest,
      input: before.input,
      ...(slope && { slope: before.weight as NDArray }),
      ...(residual && { residual: d_sum }),
    };
  },
};

function stages({ input, weight, bias, slope }: Record<string, NDArray>, attrs: FusedAttrs, factor: number) {
  const activated = slope ? prelu.forward({ input, weight: slope }, {}) : input;
  const deep = conv.forward({ input: activated, weight, bias }, attrs);
  return { activated, deep, wide: pixelShuffle.forward({ input: deep }, { factor }) };
}
