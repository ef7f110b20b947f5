import { type NDArray, type Reference, zeros } from './array.ts';
import { type PerAxis, perAxis } from './loops.ts';

export interface ConvAttrs {
  stride?: PerAxis;
  padding?: PerAxis;
  dilation?: PerAxis;
  groups?: number;
}
export interface ConvTransposeAttrs extends ConvAttrs {
  output_padding?: PerAxis;
}

/** Sizes of a cross-correlation from `fine` (what it reads) to `coarse` (what it writes); 2D has depth 1. */
interface Geometry {
  batch: number;
  groups: number;
  coarseChannels: number; // of one group
  fineChannels: number; // of one group
  coarse: readonly number[];
  fine: readonly number[];
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
  dilation: readonly number[];
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Stride, padding and dilation of each of the two or three spatial axes. */
const lists = ({ stride = 1, padding = 0, dilation = 1 }: ConvAttrs, dims: number): (readonly number[])[] =>
  [stride, padding, dilation].map((value) => perAxis(value, dims));

/** `coarse`, `fine` and `weight` are shapes; an axis in front makes three spatial axes of two. */
function geometry(coarse: readonly number[], fine: readonly number[], weight: readonly number[], attrs: ConvAttrs) {
  const dims = weight.length - 2;
  const groups = attrs.groups ?? 1;
  const three = (sizes: readonly number[], depth: number) => (dims === 2 ? [depth, ...sizes] : sizes);
  const [stride, padding, dilation] = lists(attrs, dims);
  const g: Geometry = {
    batch: coarse[0],
    groups,
    coarseChannels: coarse[1] / groups,
    fineChannels: fine[1] / groups,
    coarse: three(coarse.slice(2), 1),
    fine: three(fine.slice(2), 1),
    kernel: three(weight.slice(2), 1),
    stride: three(stride, 1),
    padding: three(padding, 0),
    dilation: three(dilation, 1),
  };
  return g;
}

/**
 * Visits every multiplication of coarse[n, o, p] = Σ_{i, k} fine[n, i, p·stride - padding + k·dilation] · weight[o, i, k]
 * that does not meet the zero padding. The weight is (channels of coarse, channels of fine / groups, kD, kH, kW). Convolution,
 * its two gradients, and transposed convolution with its two, differ only in which of the three arrays is written.
 */
function forEachProduct(g: Geometry, visit: (coarse: number, fine: number, weight: number) => void): void {
  const [coarseD, coarseH, coarseW] = g.coarse;
  const [fineD, fineH, fineW] = g.fine;
  const [kernelD, kernelH, kernelW] = g.kernel;
  for (let n = 0; n < g.batch; n++)
    for (let o = 0; o < g.groups * g.coarseChannels; o++)
      for (let i = 0; i < g.fineChannels; i++) {
        const group = Math.floor(o / g.coarseChannels);
        const coarsePlane = (n * g.groups * g.coarseChannels + o) * coarseD;
        const finePlane = ((n * g.groups + group) * g.fineChannels + i) * fineD;
        const weightPlane = (o * g.fineChannels + i) * kernelD;
        for (let kd = 0; kd < kernelD; kd++)
          for (let kh = 0; kh < kernelH; kh++)
            for (let kw = 0; kw < kernelW; kw++)
              for (let d = 0; d < coarseD; d++) {
                const fd = d * g.stride[0] - g.padding[0] + kd * g.dilation[0];
                if (fd < 0 || fd >= fineD) continue;
                for (let h = 0; h < coarseH; h++) {
                  const fh = h * g.stride[1] - g.padding[1] + kh * g.dilation[1];
                  if (fh < 0 || fh >= fineH) continue;
                  const coarseRow = ((coarsePlane + d) * coarseH + h) * coarseW;
                  const fineRow = ((finePlane + fd) * fineH + fh) * fineW;
                  const tap = ((weightPlane + kd) * kernelH + kh) * kernelW + kw;
                  for (let w = 0; w < coarseW; w++) {
                    const fw = w * g.stride[2] - g.padding[2] + kw * g.dilation[2];
                    if (fw >= 0 && fw < fineW) visit(coarseRow + w, fineRow + fw, tap);
                  }
                }
              }
      }
}

function addBias(y: NDArray, bias?: NDArray): void {
  if (!bias) return;
  const positions = product(y.shape.slice(2));
  for (let i = 0; i < y.data.length; i++) y.data[i] += bias.data[Math.floor(i / positions) % y.shape[1]];
}

/** d bias[c] = Σ dy over batch and positions. */
function biasGradient(dy: NDArray, bias: NDArray): NDArray {
  const db = zeros(bias.shape);
  const positions = product(dy.shape.slice(2));
  for (let i = 0; i < dy.data.length; i++) db.data[Math.floor(i / positions) % dy.shape[1]] += dy.data[i];
  return db;
}

/**
 * Convolution as deep learning has it (cross-correlation), 2D and 3D:
 * y[n, o, p] = bias[o] + Σ_{i, k} input[n, i, p·stride - padding + k·dilation] · weight[o, i, k], zero outside;
 * input (N, C, D?, H, W), weight (O, C/groups, kD?, kH, kW), out = ⌊(in + 2·padding - dilation·(k - 1) - 1) / stride⌋ + 1.
 */
export const conv: Reference<ConvAttrs> = {
  forward({ input, weight, bias }, attrs) {
    const dims = weight.shape.length - 2;
    const [stride, padding, dilation] = lists(attrs, dims);
    const spatial = input.shape
      .slice(2)
      .map((n, a) => Math.floor((n + 2 * padding[a] - dilation[a] * (weight.shape[a + 2] - 1) - 1) / stride[a]) + 1);
    const y = zeros([input.shape[0], weight.shape[0], ...spatial]);
    forEachProduct(geometry(y.shape, input.shape, weight.shape, attrs), (to, from, tap) => {
      y.data[to] += input.data[from] * weight.data[tap];
    });
    addBias(y, bias);
    return y;
  },
  backward(dy, { input, weight, bias }, attrs) {
    const dx = zeros(input.shape);
    const dw = zeros(weight.shape);
    forEachProduct(geometry(dy.shape, input.shape, weight.shape, attrs), (to, from, tap) => {
      dx.data[from] += dy.data[to] * weight.data[tap];
      dw.data[tap] += dy.data[to] * input.data[from];
    });
    return { input: dx, weight: dw, ...(bias && { bias: biasGradient(dy, bias) }) };
  },
};

/**
 * Transposed convolution: the gradient of `conv` with respect to its input, used as a forward pass. Input (N, I, ...) plays
 * the coarse side: y[n, o, p·stride - padding + k·dilation] += input[n, i, p] · weight[i, o, k]; weight (I, O/groups, ...),
 * out = (in - 1)·stride - 2·padding + dilation·(k - 1) + output_padding + 1.
 */
export const convTranspose: Reference<ConvTransposeAttrs> = {
  forward({ input, weight, bias }, attrs) {
    const dims = weight.shape.length - 2;
    const [stride, padding, dilation] = lists(attrs, dims);
    const extra = perAxis(attrs.output_padding ?? 0, dims);
    const spatial = input.shape
      .slice(2)
      .map((n, a) => (n - 1) * stride[a] - 2 * padding[a] + dilation[a] * (weight.shape[a + 2] - 1) + extra[a] + 1);
    const y = zeros([input.shape[0], weight.shape[1] * (attrs.groups ?? 1), ...spatial]);
    forEachProduct(geometry(input.shape, y.shape, weight.shape, attrs), (from, to, tap) => {
      y.data[to] += input.data[from] * weight.data[tap];
    });
    addBias(y, bias);
    return y;
  },
  backward(dy, { input, weight, bias }, attrs) {
    const dx = zeros(input.shape);
    const dw = zeros(weight.shape);
    forEachProduct(geometry(input.shape, dy.shape, weight.shape, attrs), (from, to, tap) => {
      dx.data[from] += dy.data[to] * weight.data[tap];
      dw.data[tap] += dy.data[to] * input.data[from];
    });
    return { input: dx, weight: dw, ...(bias && { bias: biasGradient(dy, bias) }) };
  },
};

/** Padding that keeps the size, for odd filters of stride 1. */
export const same = (weight: NDArray): ConvAttrs => ({ padding: weight.shape.slice(2).map((k) => (k - 1) / 2) });
