import { type NDArray, type Reference, zeros } from './array.ts';

interface NormAttrs {
  eps?: number;
}
interface BatchNormAttrs extends NormAttrs {
  training?: boolean;
  negative_slope?: number;
}
interface InstanceNormAttrs extends NormAttrs {
  use_input_stats?: boolean;
}

/** Which statistics belong to each element of an array (N, C, ...): one a channel, or one a sample and channel. */
function groupOf(shape: readonly number[], perSample: boolean): (element: number) => number {
  const positions = shape.slice(2).reduce((a, b) => a * b, 1);
  return (element) => {
    const row = Math.floor(element / positions); // sample · C + channel
    return perSample ? row : row % shape[1];
  };
}

/** Mean and biased variance of each group's values, in two passes. */
function moments(x: NDArray, group: (element: number) => number): { mean: Float64Array; variance: Float64Array } {
  const sums = (value: (x: number, element: number) => number): Float64Array => {
    const total = new Float64Array(x.shape[0] * x.shape[1]);
    x.data.forEach((v, i) => {
      total[group(i)] += value(v, i);
    });
    return total;
  };
  const count = sums(() => 1);
  const mean = sums((v) => v).map((sum, g) => sum / count[g]);
  const variance = sums((v, i) => (v - mean[group(i)]) ** 2).map((sum, g) => sum / count[g]);
  return { mean, variance };
}

/** y = weight·x̂ + bias, x̂ = (x - mean) / √(variance + eps). `given` statistics are inputs; others are those of x. */
function norm<A extends NormAttrs>(perSample: boolean, isGiven: (attrs: A) => boolean): Reference<A> {
  const plan = (inputs: Record<string, NDArray>, attrs: A) => {
    const x = inputs.input;
    const group = groupOf(x.shape, perSample && !isGiven(attrs));
    const { mean, variance } = isGiven(attrs)
      ? { mean: inputs.running_mean.data, variance: inputs.running_var.data }
      : moments(x, group);
    const deviation = variance.map((v) => Math.sqrt(v + (attrs.eps ?? 1e-5)));
    const channel = (element: number) => groupOf(x.shape, false)(element);
    const weight = (element: number) => inputs.weight?.data[channel(element)] ?? 1;
    const normalised = x.data.map((v, i) => (v - mean[group(i)]) / deviation[group(i)]);
    return { x, group, channel, deviation, weight, normalised };
  };
  return {
    forward(inputs, attrs) {
      const { x, channel, weight, normalised } = plan(inputs, attrs);
      return { shape: x.shape, data: normalised.map((v, i) => weight(i) * v + (inputs.bias?.data[channel(i)] ?? 0)) };
    },
    // Ioffe, Szegedy 2015, section 3, with dy of x̂ being weight·dy
    backward(dy, inputs, attrs) {
      const { x, group, channel, deviation, weight, normalised } = plan(inputs, attrs);
      const grads = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, zeros(shape)]));
      const [sum, product, count] = [0, 1, 2].map(() => new Float64Array(deviation.length));
      dy.data.forEach((g, i) => {
        if (grads.weight) grads.weight.data[channel(i)] += g * normalised[i];
        if (grads.bias) grads.bias.data[channel(i)] += g;
        sum[group(i)] += g * weight(i);
        product[group(i)] += g * weight(i) * normalised[i];
        count[group(i)]++;
      });
      const given = isGiven(attrs);
      x.data.forEach((_, i) => {
        const at = group(i);
        const through = given ? 0 : (sum[at] + normalised[i] * product[at]) / count[at];
        grads.input.data[i] = (weight(i) * dy.data[i] - through) / deviation[at];
      });
      if (given) {
        grads.running_mean.data.set(sum.subarray(0, x.shape[1]).map((s, c) => -s / deviation[c]));
        grads.running_var.data.set(product.subarray(0, x.shape[1]).map((p, c) => -p / (2 * deviation[c] ** 2)));
      }
      return grads;
    },
  };
}

/** act(reference): what is below zero times negative_slope, and so the gradient there. */
function activated({ forward, backward }: Reference<BatchNormAttrs>): Reference<BatchNormAttrs> {
  return {
    forward(inputs, attrs) {
      const y = forward(inputs, attrs);
      return { ...y, data: y.data.map((v) => (v > 0 ? v : v * (attrs.negative_slope ?? 1))) };
    },
    backward(dy, inputs, attrs) {
      const y = forward(inputs, attrs);
      const data = dy.data.map((d, i) => (y.data[i] > 0 ? d : d * (attrs.negative_slope ?? 1)));
      return backward({ ...dy, data }, inputs, attrs);
    },
  };
}

/** Statistics of the batch in training, else the running ones; what training does to those is no part of y. */
export const batchNorm = activated(norm<BatchNormAttrs>(false, ({ training }) => !training));

/** Statistics of each sample, or the running ones. */
export const instanceNorm = norm<InstanceNormAttrs>(true, ({ use_input_stats: own = true }) => !own);
