import { type Reference, zeros } from './array.ts';
import { axisOf, forEachIndex, linear, strides } from './loops.ts';

/** a, then b, along one axis. */
export const concat: Reference<{ axis?: number }> = {
  forward({ a, b }, { axis = 0 }) {
    const at = axisOf(axis, a.shape.length);
    const y = zeros(a.shape.map((n, i) => (i === at ? n + b.shape[at] : n)));
    forEachHalf(y.shape, a.shape[at], at, (position, half, from) => {
      y.data[position] = (half === 0 ? a : b).data[from];
    });
    return y;
  },
  backward(dy, { a, b }, { axis = 0 }) {
    const at = axisOf(axis, a.shape.length);
    const [da, db] = [zeros(a.shape), zeros(b.shape)];
    forEachHalf(dy.shape, a.shape[at], at, (position, half, from) => {
      (half === 0 ? da : db).data[from] = dy.data[position];
    });
    return { a: da, b: db };
  },
};

/** For each element of the joined array: which half it comes from and its position there. */
function forEachHalf(
  shape: readonly number[],
  cut: number,
  axis: number,
  visit: (position: number, half: 0 | 1, from: number) => void,
): void {
  const next = [0, 0];
  // Row-major order visits each half's elements in their own order too.
  forEachIndex(shape, (index, position) => {
    const half = index[axis] < cut ? 0 : 1;
    visit(position, half, next[half]++);
  });
}

interface SliceAttrs {
  axis?: number;
  start?: number;
  end?: number;
}

/** As Python slices: negative bounds count from the end, bounds beyond the ends are cut. */
function bounds(n: number, { start = 0, end = n }: SliceAttrs): [number, number] {
  const bound = (i: number) => Math.min(Math.max(i < 0 ? i + n : i, 0), n);
  return [bound(start), bound(end)];
}

/** y = input[..., start:end, ...] along one axis. */
export const slice: Reference<SliceAttrs> = linear(
  (input, attrs) => {
    const axis = axisOf(attrs.axis ?? 0, input.length);
    const [start, end] = bounds(input[axis], attrs);
    return input.map((n, a) => (a === axis ? end - start : n));
  },
  (input, output, attrs, visit) => {
    const axis = axisOf(attrs.axis ?? 0, input.length);
    const [start] = bounds(input[axis], attrs);
    const steps = strides(input);
    forEachIndex(output, (index, position) => {
      const from = index.reduce((sum, i, a) => sum + (a === axis ? i + start : i) * steps[a], 0);
      visit(position, from, 1);
    });
  },
);

type PadMode = 'zeros' | 'replicate' | 'reflect';
interface PadAttrs {
  pad: readonly number[];
  mode?: PadMode;
}

/** The element that stands at coordinate i of an axis of n, or -1 for none. Reflection does not repeat the edge. */
function padded(i: number, n: number, mode: PadMode): number {
  if (i >= 0 && i < n) return i;
  if (mode === 'zeros') return -1;
  if (mode === 'replicate') return i < 0 ? 0 : n - 1;
  return i < 0 ? -i : 2 * (n - 1) - i;
}

/** How many elements stand before and after each axis; `pad` lists pairs from the last axis backwards. */
const margins = (rank: number, pad: readonly number[]): [number, number][] =>
  Array.from({ length: rank }, (_, a) => [pad[2 * (rank - 1 - a)] ?? 0, pad[2 * (rank - 1 - a) + 1] ?? 0]);

/** torch.nn.functional.pad: pad = [left, right, top, bottom, ...], filled with zeros, the edge, or the mirror image. */
export const pad: Reference<PadAttrs> = linear(
  (input, attrs) => margins(input.length, attrs.pad).map(([before, after], a) => before + input[a] + after),
  (input, output, attrs, visit) => {
    const before = margins(input.length, attrs.pad).map((pair) => pair[0]);
    const steps = strides(input);
    forEachIndex(output, (index, position) => {
      let from = 0;
      for (let a = 0; a < index.length; a++) {
        const i = padded(index[a] - before[a], input[a], attrs.mode ?? 'zeros');
        if (i < 0) return;
        from += i * steps[a];
      }
      visit(position, from, 1);
    });
  },
);

/** The same elements in row-major order under another shape; one size may be -1, for what is left. */
export const reshape: Reference<{ shape: readonly number[] }> = linear(
  (input, { shape }) => {
    const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
    return shape.map((n) => (n === -1 ? product(input) / -product(shape) : n));
  },
  (input, _, __, visit) => forEachIndex(input, (___, position) => visit(position, position, 1)),
);

/** Element (n, c, t, p) of clips (N, C, T, H, W) and of a batch of their frames (N·T, C, H, W), p a pixel. */
function forEachFramePixel(
  [n, c, t, h, w]: readonly number[],
  visit: (inClips: number, inBatch: number) => void,
): void {
  forEachIndex([n, c, t, h * w], ([sample, channel, frame, pixel], position) =>
    visit(position, ((sample * t + frame) * c + channel) * h * w + pixel),
  );
}

/** The frames of clips as a batch of pictures. */
export const framesToBatch: Reference = linear(
  ([n, c, t, h, w]) => [n * t, c, h, w],
  (input, _, __, visit) => forEachFramePixel(input, (from, to) => visit(to, from, 1)),
);

/** A batch of pictures as the frames of clips. */
export const batchToFrames = linear<{ frames?: number }>(
  ([pictures, c, h, w], { frames = 1 }) => [pictures / frames, c, frames, h, w],
  (_, output, __, visit) => forEachFramePixel(output, (to, from) => visit(to, from, 1)),
);
