import { prelu } from './activation.ts';
import type { NDArray, Reference } from './array.ts';
import { add } from './binary.ts';
import { conv, same } from './convolution.ts';

/**
 * The factorised 3D convolution of FSTRN's residual block, one definition after the other: PReLU of the input, spatial 1×k×k,
 * temporal k×1×1, sum; stride 1 and "same" zero padding. weight_s (O, I, 1, k, k), weight_t (O, O, k, 1, 1), k odd.
 */
export const separableConv3d: Reference = {
  forward(inputs) {
    const { weight_t, bias_t, residual } = inputs;
    const y = conv.forward({ input: stages(inputs).middle, weight: weight_t, bias: bias_t }, same(weight_t));
    return residual ? add.forward({ a: y, b: residual }, {}) : y;
  },
  backward(dy, inputs) {
    const { input, weight_s, bias_s, weight_t, bias_t, slope, residual } = inputs;
    const { activated, middle } = stages(inputs);
    const temporal = conv.backward(dy, { input: middle, weight: weight_t, bias: bias_t }, same(weight_t));
    const spatial = conv.backward(temporal.input, { input: activated, weight: weight_s, bias: bias_s }, same(weight_s));
    const before = slope ? prelu.backward(spatial.input, { input, weight: slope }, {}) : { input: spatial.input };
    return {
      input: before.input,
      weight_s: spatial.weight,
      weight_t: temporal.weight,
      ...(bias_s && { bias_s: spatial.bias }),
      ...(bias_t && { bias_t: temporal.bias }),
      ...(slope && { slope: before.weight as NDArray }),
      ...(residual && { residual: dy }),
    };
  },
};

function stages({ input, weight_s, bias_s, slope }: Record<string, NDArray>) {
  const activated = slope ? prelu.forward({ input, weight: slope }, {}) : input;
  return { activated, middle: conv.forward({ input: activated, weight: weight_s, bias: bias_s }, same(weight_s)) };
}
