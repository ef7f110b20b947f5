import { ShapeError } from './errors.ts';

/**
 * A sparse linear map along one axis, rows in CSR form: y[j] = Σ_{k = start[j]}^{start[j+1] - 1} weight[k] · x[index[k]].
 * Resizing, interpolation, padding and slicing are all such maps; their gradient is the transposed map.
 */
export interface AxisMap {
  readonly inputs: number;
  readonly outputs: number;
  readonly start: Uint32Array; // outputs + 1
  readonly index: Uint32Array;
  readonly weight: Float64Array;
}

export type PadMode = 'zeros' | 'replicate' | 'reflect';
type Tap = readonly [index: number, weight: number];

/** Keys 1981, "Cubic convolution interpolation"; a = -1/2 is the kernel of MATLAB's bicubic. */
function keys(x: number, a = -0.5): number {
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d <= 2 ? a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0;
}

/**
 * MATLAB's `imresize` with the bicubic kernel (its `contributions`): half-pixel centres, the kernel stretched by 1/s when
 * shrinking with antialiasing, rows normalised, borders mirrored with the edge repeated.
 * @param scale the factor s, giving ceil(inputs · s) outputs, or the outputs themselves, giving s = outputs / inputs
 * @param centred false: the first samples of both sides coincide, not the first edges, as in SPMC's `srt_imresize`
 */
export function imresizeMap(
  inputs: number,
  scale: number | { outputs: number },
  antialias = true,
  centred = true,
): AxisMap {
  expectCount('imresize input', inputs);
  const s = typeof scale === 'number' ? scale : scale.outputs / inputs;
  if (!(s > 0 && Number.isFinite(s))) throw new ShapeError(`imresize scale: expected a positive number, got ${s}`);
  const outputs = typeof scale === 'number' ? Math.ceil(inputs * s) : scale.outputs;
  const stretch = antialias && s < 1 ? s : 1;
  const width = 4 / stretch;
  return build('imresize', inputs, outputs, (j) => {
    const u = centred ? (j + 1) / s + 0.5 * (1 - 1 / s) : j / s + 1; // centre of output j + 1 on the 1-based input axis
    const left = Math.floor(u - width / 2);
    const taps = Array.from({ length: Math.ceil(width) + 2 }, (_, p): Tap => {
      return [mirror(left + p - 1, inputs), stretch * keys(stretch * (u - left - p))];
    });
    const sum = taps.reduce((total, [, w]) => total + w, 0);
    return taps.map(([i, w]): Tap => [i, w / sum]);
  });
}

/** PyTorch's rule for the size after F.interpolate(scale_factor=...). */
export const interpolatedSize = (inputs: number, scaleFactor: number): number => Math.floor(inputs * scaleFactor);

/**
 * One axis of PyTorch's `F.interpolate`: nearest, or linear as in bilinear and trilinear. Coordinates follow ATen's
 * `area_pixel_compute_source_index`; a given scaleFactor sets them even where outputs / inputs differs from it
 * (recompute_scale_factor = None, the default).
 */
export function interpolateMap(
  inputs: number,
  outputs: number,
  options: { mode: 'nearest' | 'linear'; alignCorners?: boolean; scaleFactor?: number },
): AxisMap {
  expectCount('interpolate input', inputs);
  const { mode, alignCorners = false, scaleFactor } = options;
  if (scaleFactor !== undefined && !(scaleFactor > 0)) {
    throw new ShapeError(`interpolate scale_factor: expected a positive number, got ${scaleFactor}`);
  }
  if (mode === 'nearest') {
    if (alignCorners) throw new ShapeError('interpolate: align_corners is for the linear modes, got it with nearest');
    const step = Math.fround(scaleFactor ? 1 / scaleFactor : inputs / outputs); // in float32 and rounded there, as in ATen
    return build('interpolate', inputs, outputs, (j) => [[Math.min(Math.floor(Math.fround(j * step)), inputs - 1), 1]]);
  }
  const cornerStep = outputs > 1 ? (inputs - 1) / (outputs - 1) : 0;
  const step = alignCorners ? cornerStep : scaleFactor ? 1 / scaleFactor : inputs / outputs;
  return build('interpolate', inputs, outputs, (j) => {
    const x = alignCorners ? step * j : Math.max(step * (j + 0.5) - 0.5, 0);
    const i = Math.min(Math.floor(x), inputs - 1);
    const t = Math.min(x - i, 1);
    return [
      [i, 1 - t],
      [Math.min(i + 1, inputs - 1), t],
    ];
  });
}

/**
 * One axis of TensorFlow 1's resize_images by a whole factor, without align_corners: output j looks at u = j / factor, and mixes
 * two neighbours (bilinear) or four (bicubic, a = -3/4). Beyond the border the edge goes on.
 */
export function tf1Map(inputs: number, factor: number, mode: 'bilinear' | 'bicubic'): AxisMap {
  return build('resize_tf1', inputs, inputs * factor, (j) => {
    const [i, t] = [Math.floor(j / factor), (j % factor) / factor];
    const weights = mode === 'bilinear' ? [1 - t, t] : [1 + t, t, 1 - t, 2 - t].map((d) => keys(d, -0.75));
    const first = mode === 'bilinear' ? i : i - 1;
    return weights.map((w, k): Tap => [bordered(first + k, inputs, 'replicate'), w]);
  });
}

/** @throws {ShapeError} when an axis cannot be padded so */
export function expectPad(inputs: number, before: number, after: number, mode: PadMode): void {
  expectCount('pad input', inputs);
  if (!Number.isInteger(before) || !Number.isInteger(after)) {
    throw new ShapeError(`pad: expected whole numbers, got ${before} and ${after}`);
  }
  if (inputs + Math.min(before, 0) + Math.min(after, 0) < 1) {
    throw new ShapeError(`pad: cropping ${-before} and ${-after} from an axis of ${inputs} leaves nothing`);
  }
  if (mode === 'reflect' && Math.max(before, after) >= inputs) {
    throw new ShapeError(
      `pad reflect: expected less than the size of the axis (${inputs}), got ${before} and ${after}`,
    );
  }
}

/** PyTorch's F.pad along one axis. Negative amounts crop. Reflection does not repeat the edge. */
export function padMap(inputs: number, before: number, after: number, mode: PadMode): AxisMap {
  expectPad(inputs, before, after, mode);
  return build('pad', inputs, inputs + before + after, (j) => {
    const i = j - before;
    return mode === 'zeros' && (i < 0 || i >= inputs) ? [] : [[mode === 'zeros' ? i : bordered(i, inputs, mode), 1]];
  });
}

/** x[start:end:step] of Python: negative ends count from the back, both are clamped. */
export function sliceMap(inputs: number, start: number, end: number, step = 1): AxisMap {
  expectCount('slice input', inputs);
  if (!Number.isInteger(step) || step < 1) {
    throw new ShapeError(`slice step: expected a positive whole number, got ${step}`);
  }
  const clamp = (i: number) => Math.min(Math.max(i < 0 ? i + inputs : i, 0), inputs);
  const first = clamp(start);
  const outputs = Math.ceil((clamp(end) - first) / step);
  if (!(outputs >= 1)) throw new ShapeError(`slice ${start}:${end}:${step}: nothing left of an axis of ${inputs}`);
  return build('slice', inputs, outputs, (j) => [[first + j * step, 1]]);
}

/** Correlation with an odd number of taps, the size kept by extending the border. */
export function blurMap(
  inputs: number,
  taps: ArrayLike<number>,
  border: Exclude<PadMode, 'zeros'> = 'replicate',
): AxisMap {
  expectCount('blur input', inputs);
  if (taps.length % 2 === 0) throw new ShapeError(`blur taps: expected an odd number, got ${taps.length}`);
  const radius = (taps.length - 1) / 2;
  if (border === 'reflect' && radius >= inputs) {
    throw new ShapeError(`blur reflect: expected an axis longer than ${radius}, got ${inputs}`);
  }
  return build('blur', inputs, inputs, (j) =>
    Array.from(taps, (w, t): Tap => [bordered(j + t - radius, inputs, border), w]),
  );
}

/** The map that applies `first`, then `second`. */
export function composeMap(first: AxisMap, second: AxisMap): AxisMap {
  if (first.outputs !== second.inputs) {
    throw new ShapeError(`compose: the first map gives ${first.outputs} values, the second takes ${second.inputs}`);
  }
  return build('compose', first.inputs, second.outputs, (j) => {
    const taps: Tap[] = [];
    for (const [i, w] of row(second, j)) for (const [h, v] of row(first, i)) taps.push([h, v * w]);
    return taps;
  });
}

/** The adjoint: what carries a gradient from outputs back to inputs. Each row keeps the order of outputs. */
export function transposeMap(map: AxisMap): AxisMap {
  const start = new Uint32Array(map.inputs + 1);
  for (const i of map.index) start[i + 1]++;
  for (let i = 0; i < map.inputs; i++) start[i + 1] += start[i];
  const next = start.slice();
  const index = new Uint32Array(map.index.length);
  const weight = new Float64Array(map.weight.length);
  for (let j = 0; j < map.outputs; j++) {
    for (let k = map.start[j]; k < map.start[j + 1]; k++) {
      const at = next[map.index[k]]++;
      index[at] = j;
      weight[at] = map.weight[k];
    }
  }
  return { inputs: map.outputs, outputs: map.inputs, start, index, weight };
}

/** Applies a map along one axis of a row-major array; sums are float64 whatever the array holds. */
export function applyMap<A extends Float64Array | Float32Array>(
  map: AxisMap,
  data: A,
  shape: readonly number[],
  axis: number,
): A {
  if (shape[axis] !== map.inputs) {
    throw new ShapeError(`axis map: expected ${map.inputs} along axis ${axis}, got ${shape[axis]}`);
  }
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  const outer = product(shape.slice(0, axis));
  const inner = product(shape.slice(axis + 1));
  if (data.length !== outer * map.inputs * inner) {
    throw new ShapeError(`axis map: expected ${outer * map.inputs * inner} values, got ${data.length}`);
  }
  const out = new (data.constructor as new (n: number) => A)(outer * map.outputs * inner);
  const { start, index, weight } = map;
  const sums = new Float64Array(inner); // a row of sums, so that the inner loop runs along memory
  for (let o = 0; o < outer; o++) {
    const from = o * map.inputs * inner;
    const to = o * map.outputs * inner;
    for (let j = 0; j < map.outputs; j++) {
      if (inner === 1) {
        let sum = 0;
        for (let k = start[j]; k < start[j + 1]; k++) sum += weight[k] * data[from + index[k]];
        out[to + j] = sum;
        continue;
      }
      sums.fill(0);
      for (let k = start[j]; k < start[j + 1]; k++) {
        const w = weight[k];
        const at = from + index[k] * inner;
        for (let i = 0; i < inner; i++) sums[i] += w * data[at + i];
      }
      out.set(sums, to + j * inner);
    }
  }
  return out;
}

/** Whole-sample mirror with the edge repeated: ... 1 0 | 0 1 2 ... */
function mirror(i: number, n: number): number {
  const m = ((i % (2 * n)) + 2 * n) % (2 * n);
  return m < n ? m : 2 * n - 1 - m;
}

function bordered(i: number, n: number, mode: Exclude<PadMode, 'zeros'>): number {
  if (mode === 'replicate') return Math.min(Math.max(i, 0), n - 1);
  return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
}

function* row(map: AxisMap, j: number): Generator<Tap> {
  for (let k = map.start[j]; k < map.start[j + 1]; k++) yield [map.index[k], map.weight[k]];
}

/** Collects rows; taps that meet on one input are added, zeros are dropped, indices ascend. */
function build(what: string, inputs: number, outputs: number, taps: (j: number) => Iterable<Tap>): AxisMap {
  expectCount(`${what} output`, outputs);
  const start = new Uint32Array(outputs + 1);
  const index: number[] = [];
  const weight: number[] = [];
  for (let j = 0; j < outputs; j++) {
    const row = new Map<number, number>();
    for (const [i, w] of taps(j)) row.set(i, (row.get(i) ?? 0) + w);
    for (const [i, w] of [...row].sort(([a], [b]) => a - b)) {
      if (w === 0) continue;
      index.push(i);
      weight.push(w);
    }
    start[j + 1] = index.length;
  }
  return { inputs, outputs, start, index: Uint32Array.from(index), weight: Float64Array.from(weight) };
}

function expectCount(what: string, n: number): void {
  if (!Number.isInteger(n) || n < 1) throw new ShapeError(`${what} size: expected a positive whole number, got ${n}`);
}
