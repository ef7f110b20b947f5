import { ShapeError } from '../engine/errors.ts';

/** Frames [start, end) of one shot. */
export interface Shot {
  readonly start: number;
  readonly end: number;
}

const MIN_CHANGE = 1.3;
const MIN_RATIO = 3;
const NEIGHBOURS = 4;
const BINS = 32;

/**
 * Finds shot changes in frames of Y (bytes). A frame is first reduced to a mosaic about 36 blocks high, so that noise and
 * small motion count little. The change between two frames is √(m · h): m the mean absolute difference of the mosaics,
 * which a fast pan raises too, and h the distance of their histograms, which a pan leaves low. A shot starts where the change
 * is large and stands out from all but the largest of the four on either side; the largest may be a neighbouring cut, as
 * around a flash or a frame that mixes both shots.
 */
export class ShotDetector {
  #previous: Float32Array | undefined;
  #changes: number[] = [];

  /** Frames come one by one, all of one size. */
  add(y: ArrayLike<number>, width: number, height: number): void {
    const now = mosaic(y, width, height);
    const before = this.#previous;
    this.#previous = now;
    if (!before) return;
    if (before.length !== now.length) throw new ShapeError('shots: expected frames of one size');
    this.#changes.push(Math.sqrt(meanDifference(before, now) * histogramDistance(before, now)));
  }

  /** The shots of the frames so far; together they cover all. */
  shots(): Shot[] {
    if (!this.#previous) return [];
    const frames = this.#changes.length + 1;
    const starts = Array.from({ length: frames }, (_, i) => i).filter((i) => this.begins(i));
    return starts.map((start, i) => ({ start, end: starts[i + 1] ?? frames }));
  }

  /** Whether a shot begins with a frame, as far as the frames so far tell. */
  begins(frame: number): boolean {
    const change = this.#changes[frame - 1];
    if (change === undefined) return frame === 0;
    return change >= MIN_CHANGE && change >= MIN_RATIO * secondLargestAround(this.#changes, frame - 1);
  }
}

/** Tells of frames in a stream whether a shot begins with them: each comes back once the four behind it are there. */
export class CutFinder<F> {
  readonly #detector = new ShotDetector();
  readonly #waiting: F[] = [];
  #told = 0;

  *add(frame: F, y: ArrayLike<number>, width: number, height: number): Generator<{ frame: F; begins: boolean }> {
    this.#detector.add(y, width, height);
    this.#waiting.push(frame);
    if (this.#waiting.length > NEIGHBOURS) yield this.#tell();
  }

  /** Those that no others follow. */
  *rest(): Generator<{ frame: F; begins: boolean }> {
    while (this.#waiting.length > 0) yield this.#tell();
  }

  #tell(): { frame: F; begins: boolean } {
    return { frame: this.#waiting.shift()!, begins: this.#detector.begins(this.#told++) };
  }
}

/** All at once. */
export function findShots(frames: Iterable<ArrayLike<number>>, width: number, height: number): Shot[] {
  const detector = new ShotDetector();
  for (const y of frames) detector.add(y, width, height);
  return detector.shots();
}

function secondLargestAround(changes: number[], i: number): number {
  const around = [...changes.slice(Math.max(i - NEIGHBOURS, 0), i), ...changes.slice(i + 1, i + 1 + NEIGHBOURS)];
  return around.sort((a, b) => b - a)[1] ?? 0;
}

/** Means of square blocks; pixels that fill no whole block are left out. */
function mosaic(y: ArrayLike<number>, width: number, height: number): Float32Array {
  const block = Math.max(1, Math.floor(Math.min(width, height) / 36));
  const [columns, rows] = [Math.floor(width / block), Math.floor(height / block)];
  const out = new Float32Array(columns * rows);
  for (let r = 0; r < rows * block; r++) {
    const to = Math.floor(r / block) * columns;
    for (let c = 0, from = r * width; c < columns; c++) {
      let sum = 0;
      for (const end = from + block; from < end; from++) sum += y[from];
      out[to + c] += sum / block ** 2;
    }
  }
  return out;
}

function meanDifference(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/** Half the L1 distance of 32-bin histograms: 0 equal, 1 disjoint. */
function histogramDistance(a: Float32Array, b: Float32Array): number {
  const bins = new Float64Array(BINS);
  for (const v of a) bins[Math.min(Math.floor((v / 256) * BINS), BINS - 1)] += 1 / a.length;
  for (const v of b) bins[Math.min(Math.floor((v / 256) * BINS), BINS - 1)] -= 1 / b.length;
  return bins.reduce((sum, v) => sum + Math.abs(v), 0) / 2;
}
