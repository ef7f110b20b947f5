import type { Reference } from './array.ts';
import { linear, type PerAxis, perAxis, type Term } from './loops.ts';

/** What one output position of one axis takes: Σ weight·x[index]. */
type Taps = { index: number; weight: number }[];

/** y[i, j, ...] = Σ of products of taps, over the trailing axes; the leading axes (batch, channels) are left alone. */
function resample(input: readonly number[], output: readonly number[], taps: Taps[][], visit: Term): void {
  const axes = taps.length;
  const planes = input.slice(0, -axes).reduce((a, b) => a * b, 1);
  const descend = (axis: number, to: number, from: number, weight: number): void => {
    if (axis === axes) {
      visit(to, from, weight);
      return;
    }
    const a = input.length - axes + axis;
    for (let o = 0; o < output[a]; o++)
      for (const tap of taps[axis][o])
        descend(axis + 1, to * output[a] + o, from * input[a] + tap.index, weight * tap.weight);
  };
  for (let plane = 0; plane < planes; plane++) descend(0, plane, plane, 1);
}

const positions = <T>(count: number, f: (o: number) => T): T[] => Array.from({ length: count }, (_, o) => f(o));

/** Keys' cubic convolution kernel (1981, eq. 15); a = -1/2 is its best choice. */
function cubic(x: number, a = -0.5): number {
  const t = Math.abs(x);
  if (t <= 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1;
  if (t <= 2) return a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a;
  return 0;
}

/** Beyond an end the row goes on as its mirror image, edge pixel repeated: -1 is 0, -2 is 1, n is n - 1. */
function mirror(i: number, n: number): number {
  const j = ((i % (2 * n)) + 2 * n) % (2 * n);
  return j < n ? j : 2 * n - 1 - j;
}

interface ImresizeAttrs {
  scale: PerAxis;
  antialias?: boolean;
}

/**
 * MATLAB's imresize(x, scale, 'bicubic') on the last two axes. Output o (from 0) looks at u = (o + ½) / s - ½; weights are
 * cubic(u - j) over the neighbours j, normalised to sum 1; when shrinking with antialias the kernel is stretched,
 * s·cubic(s·(u - j)), over 4/s neighbours. Size ⌈n·s⌉, edges mirrored.
 */
export const imresize: Reference<ImresizeAttrs> = linear(
  (input, { scale }) => {
    const s = perAxis(scale, 2);
    return [...input.slice(0, -2), ...input.slice(-2).map((n, a) => Math.ceil(n * s[a]))];
  },
  (input, output, { scale, antialias = true }, visit) => {
    const taps = perAxis(scale, 2).map((s, a) => {
      const n = input[input.length - 2 + a];
      const stretch = antialias && s < 1 ? s : 1;
      return positions(output[output.length - 2 + a], (o) => {
        const u = (o + 0.5) / s - 0.5;
        const row: Taps = [];
        for (let j = Math.floor(u - 2 / stretch); j <= Math.ceil(u + 2 / stretch); j++)
          row.push({ index: mirror(j, n), weight: cubic(stretch * (u - j)) });
        const sum = row.reduce((total, tap) => total + tap.weight, 0);
        return row.map(({ index, weight }) => ({ index, weight: weight / sum }));
      });
    });
    resample(input, output, taps, visit);
  },
);

interface InterpolateAttrs {
  scale_factor: PerAxis;
  mode?: 'nearest' | 'bilinear' | 'trilinear';
  align_corners?: boolean;
}

/** Where output o looks along an axis that grows by s: corners on corners, or centres of pixels at half-integers. */
function source(o: number, s: number, inputs: number, outputs: number, alignCorners: boolean): number {
  if (alignCorners) return outputs > 1 ? (o * (inputs - 1)) / (outputs - 1) : 0;
  return Math.max((o + 0.5) / s - 0.5, 0);
}

/**
 * torch.nn.functional.interpolate by scale_factor (not recomputed) on all spatial axes: size ⌊n·s⌋; nearest takes x[⌊o / s⌋],
 * bilinear (4-D) and trilinear (5-D) mix the two neighbours on each axis, the edge repeated.
 */
export const interpolate: Reference<InterpolateAttrs> = linear(
  ([n, c, ...spatial], { scale_factor }) => {
    const s = perAxis(scale_factor, spatial.length);
    return [n, c, ...spatial.map((size, a) => Math.floor(size * s[a]))];
  },
  (input, output, { scale_factor, mode = 'nearest', align_corners = false }, visit) => {
    const spatial = input.slice(2);
    const taps = perAxis(scale_factor, spatial.length).map((s, a) => {
      const n = spatial[a];
      return positions(output[a + 2], (o): Taps => {
        if (mode === 'nearest') return [{ index: Math.min(Math.floor(o / s), n - 1), weight: 1 }];
        const x = source(o, s, n, output[a + 2], align_corners);
        const left = Math.min(Math.floor(x), n - 1);
        const right = Math.min(left + 1, n - 1);
        return [
          { index: left, weight: 1 - (x - left) },
          { index: right, weight: x - left },
        ];
      });
    });
    resample(input, output, taps, visit);
  },
);

interface ResizeTf1Attrs {
  factor: number;
  mode?: 'bilinear' | 'bicubic';
}

/**
 * tf.image.resize_images of TensorFlow 1 by a whole factor on the last two axes: output o looks at u = o / factor; bilinear takes
 * its neighbours by 1 - |u - j|, bicubic by cubic(u - j) with a = -3/4; an index beyond the border is the border's.
 */
export const resizeTf1: Reference<ResizeTf1Attrs> = linear(
  (input, { factor }) => input.map((n, a) => (a >= input.length - 2 ? n * factor : n)),
  (input, output, { factor, mode = 'bilinear' }, visit) => {
    const kernel = (d: number) => (mode === 'bilinear' ? Math.max(1 - Math.abs(d), 0) : cubic(d, -0.75));
    const taps = [2, 1].map((back) => {
      const n = input[input.length - back];
      return positions(n * factor, (o) => {
        const left = Math.floor(o / factor);
        return [left - 1, left, left + 1, left + 2].map((j) => ({
          index: Math.min(Math.max(j, 0), n - 1),
          weight: kernel(o / factor - j),
        }));
      });
    });
    resample(input, output, taps, visit);
  },
);
