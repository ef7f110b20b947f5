import { type Reference, zeros } from './array.ts';

/** y[n, o] = bias[o] + Σ_i input[n, i] · weight[o, i], where n counts through all axes before the last. */
export const linear: Reference = {
  forward({ input, weight, bias }) {
    const [outputs, inputs] = weight.shape;
    const batch = input.data.length / inputs;
    const y = zeros([...input.shape.slice(0, -1), outputs]);
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < outputs; o++) {
        let sum = bias?.data[o] ?? 0;
        for (let i = 0; i < inputs; i++) sum += input.data[n * inputs + i] * weight.data[o * inputs + i];
        y.data[n * outputs + o] = sum;
      }
    return y;
  },
  backward(dy, { input, weight, bias }) {
    const [outputs, inputs] = weight.shape;
    const batch = input.data.length / inputs;
    const [dx, dw, db] = [zeros(input.shape), zeros(weight.shape), zeros([outputs])];
    for (let n = 0; n < batch; n++)
      for (let o = 0; o < outputs; o++) {
        const g = dy.data[n * outputs + o];
        db.data[o] += g;
        for (let i = 0; i < inputs; i++) {
          dx.data[n * inputs + i] += g * weight.data[o * inputs + i];
          dw.data[o * inputs + i] += g * input.data[n * inputs + i];
        }
      }
    return { input: dx, weight: dw, ...(bias && { bias: db }) };
  },
};
