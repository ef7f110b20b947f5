import { applyMap, blurMap } from '../../engine/axis-map.ts';
import { ShapeError } from '../../engine/errors.ts';
import { gaussianTaps, type Planes } from '../degrade.ts';

// Optical flow as RBPN was trained with it: C. Liu, "Beyond pixels" (MIT, 2009), appendix A, in the public code pyflow with the
// settings of RBPN. A quadratic model of the moved picture is solved for small steps again and again, from a coarse size to the
// full one, with the robust penalties of Brox et al. 2004 on both the pictures' difference and the flow's gradient.

/** Weight of the flow's smoothness. */
const ALPHA = 0.012;
/** Of a size to the next finer one. */
const RATIO = 0.75;
/** Width of the coarsest size. */
const LEAST_WIDTH = 20;
/** Moves of the picture at the full size, one more at each coarser one. */
const MOVES = 7;
/** Sweeps of the solver at the full size, three more at each coarser one. */
const SWEEPS = 30;
/** Of the solver: each unknown goes 1.8 times as far as its equation asks for. */
const OMEGA = 1.8;
/** What the public code adds to the diagonal, in units of alpha. */
const DAMPING = 0.05;
/** Under the roots of both penalties. */
const EPSILON = 1e-6;
/** Channels whose mean difference is below it say nothing. */
const LEAST_NOISE = 1e-20;

const SMOOTH = [0.02, 0.11, 0.74, 0.11, 0.02];
const DERIVE = [1 / 12, -8 / 12, 0, 8 / 12, -1 / 12];
const GREY = [0.299, 0.587, 0.114];

/** Planes of float64, one array each. */
interface Field {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly Float64Array[];
}

/**
 * Motion from each pixel of one picture to where it is in another, Coarse2Fine of pyflow: neighbour(p + flow(p)) is like
 * target(p). In float64, one pixel after the other, so that it gives the numbers that RBPN's weights have seen.
 * @param target RGB or grey in 0..1 @param neighbour of the same size @returns planes u (right) and v (down), in pixels
 * @throws {ShapeError} when the pictures differ in size, or have neither one nor three planes
 */
export function coarse2fine(target: Planes, neighbour: Planes): Planes {
  const { width, height } = target;
  const channels = target.data.length / (width * height);
  const alike =
    neighbour.width === width && neighbour.height === height && neighbour.data.length === target.data.length;
  if (!alike || (channels !== 1 && channels !== 3)) {
    const text = (p: Planes) => `${p.data.length / (p.width * p.height)} of ${p.width}x${p.height}`;
    throw new ShapeError(
      `coarse2fine: expected one or three planes of one size, got ${text(target)} and ${text(neighbour)}`,
    );
  }
  const [ones, twos] = [pyramid(fieldOf(target)), pyramid(fieldOf(neighbour))];
  let flow: Field | undefined;
  for (let k = ones.length - 1; k >= 0; k--) {
    const one = ones[k];
    const start = flow ? enlarged(flow, one.width, one.height) : blank(one.width, one.height, 2);
    flow = refined(features(one), features(twos[k]), start, MOVES + k, SWEEPS + 3 * k);
  }
  const data = new Float32Array(2 * width * height);
  for (const [i, plane] of flow!.planes.entries()) data.set(plane, i * width * height);
  return { width, height, data };
}

const blank = (width: number, height: number, planes: number): Field => ({
  width,
  height,
  planes: Array.from({ length: planes }, () => new Float64Array(width * height)),
});

function fieldOf({ width, height, data }: Planes): Field {
  const n = width * height;
  const planes = Array.from({ length: data.length / n }, (_, c) =>
    Float64Array.from(data.subarray(c * n, (c + 1) * n)),
  );
  return { width, height, planes };
}

// --- sizes

/** The picture at all sizes, the full one first. Levels far down start from one that is already blurred. */
function pyramid(full: Field): Field[] {
  const count = Math.max(Math.trunc(Math.log(LEAST_WIDTH / full.width) / Math.log(RATIO)), 1);
  const base = 1 / RATIO - 1;
  const direct = Math.trunc(Math.log(0.25) / Math.log(RATIO));
  const levels = [full];
  for (let i = 1; i < count; i++) {
    const far = i > direct;
    const from = far ? levels[i - direct] : full;
    const ratio = far ? (RATIO ** i * full.width) / from.width : RATIO ** i;
    if (Math.trunc(from.height * ratio) < 1) break; // a stripe, where the public code fails
    levels.push(shrunk(blurred(from, base * (far ? direct : i)), ratio));
  }
  return levels;
}

/** The radius is 3σ cut to a whole number: 0.99… at the first level, which therefore stays as it is. */
function blurred({ width, height, planes }: Field, sigma: number): Field {
  const taps = gaussianTaps(sigma, Math.trunc(3 * sigma));
  const [across, down] = [blurMap(width, taps), blurMap(height, taps)];
  const blur = (x: Float64Array) => applyMap(down, applyMap(across, x, [height, width], 1), [height, width], 0);
  return { width, height, planes: planes.map(blur) };
}

const shrunk = (x: Field, ratio: number): Field =>
  resized(x, Math.trunc(x.width * ratio), Math.trunc(x.height * ratio), ratio, ratio);

/** Flow at a finer size, and by so much longer. */
function enlarged(flow: Field, width: number, height: number): Field {
  const finer = resized(flow, width, height, width / flow.width, height / flow.height);
  for (const plane of finer.planes) for (let i = 0; i < plane.length; i++) plane[i] /= RATIO;
  return finer;
}

/** Bilinear, without half-pixel centres: output j looks at (j + 1) / ratio - 1. */
function resized(x: Field, width: number, height: number, acrossRatio: number, downRatio: number): Field {
  const [columns, rows] = [places(x.width, width, acrossRatio), places(x.height, height, downRatio)];
  const out = blank(width, height, x.planes.length);
  for (const [c, from] of x.planes.entries()) {
    const to = out.planes[c];
    for (let j = 0; j < height; j++) {
      const [upper, lower, s] = [rows.left[j] * x.width, rows.right[j] * x.width, rows.share[j]];
      for (let i = 0; i < width; i++) {
        const [left, right, t] = [columns.left[i], columns.right[i], columns.share[i]];
        const above = (1 - t) * from[upper + left] + t * from[upper + right];
        const below = (1 - t) * from[lower + left] + t * from[lower + right];
        to[j * width + i] = (1 - s) * above + s * below;
      }
    }
  }
  return out;
}

/** Both neighbours along one axis, and the share of the second. */
function places(inputs: number, outputs: number, ratio: number) {
  const [left, right, share] = [new Int32Array(outputs), new Int32Array(outputs), new Float64Array(outputs)];
  for (let j = 0; j < outputs; j++) {
    const x = Math.max((j + 1) / ratio - 1, 0);
    left[j] = Math.min(Math.trunc(x), inputs - 1);
    right[j] = Math.min(left[j] + 1, inputs - 1);
    share[j] = Math.min(x - Math.trunc(x), 1);
  }
  return { left, right, share };
}

// --- filters of five taps, the edge going on beyond the border

function across(x: Float64Array, width: number, height: number, [a, b, c, d, e]: readonly number[], out: Float64Array) {
  const row = new Float64Array(width + 4);
  for (let j = 0; j < height; j++) {
    const at = j * width;
    for (let i = 0; i < width; i++) row[i + 2] = x[at + i];
    row[0] = row[1] = x[at];
    row[width + 2] = row[width + 3] = x[at + width - 1];
    for (let i = 0; i < width; i++) {
      out[at + i] = a * row[i] + b * row[i + 1] + c * row[i + 2] + d * row[i + 3] + e * row[i + 4];
    }
  }
}

function down(x: Float64Array, width: number, height: number, [a, b, c, d, e]: readonly number[], out: Float64Array) {
  for (let j = 0; j < height; j++) {
    const [up2, up1, at] = [Math.max(j - 2, 0) * width, Math.max(j - 1, 0) * width, j * width];
    const [down1, down2] = [Math.min(j + 1, height - 1) * width, Math.min(j + 2, height - 1) * width];
    for (let i = 0; i < width; i++) {
      out[at + i] = a * x[up2 + i] + b * x[up1 + i] + c * x[at + i] + d * x[down1 + i] + e * x[down2 + i];
    }
  }
}

/** Grey, its two derivatives, and of colours green less red and green less blue. */
function features({ width, height, planes }: Field): Field {
  const [red, green, blue] = planes;
  const n = width * height;
  const out = blank(width, height, green ? 5 : 3);
  const [grey, dx, dy, greenRed, greenBlue] = out.planes;
  for (let i = 0; i < n; i++) {
    if (!green) {
      grey[i] = red[i];
      continue;
    }
    grey[i] = GREY[0] * red[i] + GREY[1] * green[i] + GREY[2] * blue[i];
    greenRed[i] = green[i] - red[i];
    greenBlue[i] = green[i] - blue[i];
  }
  across(grey, width, height, DERIVE, dx);
  down(grey, width, height, DERIVE, dy);
  return out;
}

// --- one size

/**
 * The flow after so many moves of the second picture, each by the step that a linear system gives.
 * Arrays of the system begin behind a row of zeros and end before one, so that no pixel needs to know where it is.
 */
function refined(one: Field, two: Field, start: Field, moves: number, sweeps: number): Field {
  const { width, height } = one;
  const n = width * height;
  const system = new System(width, height);
  const { u, v } = system;
  u.set(start.planes[0], width);
  v.set(start.planes[1], width);
  const moved = blank(width, height, two.planes.length);
  const smooth = blank(width, height, one.planes.length);
  for (const [c, plane] of one.planes.entries()) smoothed(plane, width, height, smooth.planes[c]);
  const noise = new Float64Array(one.planes.length).fill(1);
  move(one, two, u, v, moved);
  for (let i = 0; i < moves; i++) {
    system.measure(smooth, moved, noise);
    system.solve(sweeps);
    move(one, two, u, v, moved);
    for (const [c, plane] of one.planes.entries()) noise[c] = distance(plane, moved.planes[c]);
  }
  return { width, height, planes: [u.slice(width, width + n), v.slice(width, width + n)] };
}

function smoothed(x: Float64Array, width: number, height: number, out: Float64Array): void {
  const rows = new Float64Array(x.length);
  across(x, width, height, SMOOTH, rows);
  down(rows, width, height, SMOOTH, out);
}

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/** The second picture at p + flow(p), bilinear; where that is outside, the first one. */
function move(one: Field, two: Field, u: Float64Array, v: Float64Array, out: Field): void {
  const { width, height, planes } = two;
  for (let j = 0, i = 0; j < height; j++) {
    for (let k = 0; k < width; k++, i++) {
      const [x, y] = [k + u[width + i], j + v[width + i]];
      if (!(x >= 0 && x <= width - 1 && y >= 0 && y <= height - 1)) {
        for (let c = 0; c < planes.length; c++) out.planes[c][i] = one.planes[c][i];
        continue;
      }
      const [left, upper] = [Math.trunc(x), Math.trunc(y)];
      const [s, t] = [y - upper, x - left];
      const right = left < width - 1 ? 1 : 0;
      const at = upper * width + left;
      const below = upper < height - 1 ? at + width : at;
      for (let c = 0; c < planes.length; c++) {
        const plane = planes[c];
        const above = (1 - t) * plane[at] + t * plane[at + right];
        out.planes[c][i] = (1 - s) * above + s * ((1 - t) * plane[below] + t * plane[below + right]);
      }
    }
  }
}

/** The linear system of one size: for every pixel two equations in the step (du, dv) of its flow, and their solver. */
class System {
  readonly u: Float64Array;
  readonly v: Float64Array;
  readonly #du: Float64Array;
  readonly #dv: Float64Array;
  /** α·φ of the edge to the right of a pixel, and of the one below; none beyond the border. */
  readonly #right: Float64Array;
  readonly #below: Float64Array;
  /** Means over the channels of ψ·Ix², ψ·Ix·Iy, ψ·Iy²; then the first and the last hold ω by the diagonal. */
  readonly #xx: Float64Array;
  readonly #xy: Float64Array;
  readonly #yy: Float64Array;
  /** The right-hand sides. */
  readonly #bu: Float64Array;
  readonly #bv: Float64Array;
  readonly #scratch: { smooth: Float64Array; mean: Float64Array; dx: Float64Array; dy: Float64Array };

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    const unknown = () => new Float64Array(width * (height + 2));
    const plain = () => new Float64Array(width * height);
    [this.u, this.v, this.#du, this.#dv, this.#right, this.#below] = [1, 2, 3, 4, 5, 6].map(unknown);
    [this.#xx, this.#xy, this.#yy, this.#bu, this.#bv] = [1, 2, 3, 4, 5].map(unknown);
    this.#scratch = { smooth: plain(), mean: plain(), dx: plain(), dy: plain() };
  }

  /** Writes the system down. @param smooth the first picture, smoothed @param noise of each channel */
  measure(smooth: Field, moved: Field, noise: Float64Array): void {
    for (const array of [this.#xx, this.#xy, this.#yy, this.#bu, this.#bv]) array.fill(0);
    for (const [c, plane] of smooth.planes.entries()) {
      if (noise[c] >= LEAST_NOISE) this.#addChannel(plane, moved.planes[c], 1 / smooth.planes.length);
    }
    this.#weighEdges();
    this.#addSmoothness();
  }

  /** Derivatives of 0.4·first + 0.6·moved, and ψ = 1 / (2·√(It² + ε)): the step is 0 when it is asked for. */
  #addChannel(first: Float64Array, moved: Float64Array, share: number): void {
    const { width, height } = this;
    const { smooth, mean, dx, dy } = this.#scratch;
    const [xx, xy, yy, bu, bv] = [this.#xx, this.#xy, this.#yy, this.#bu, this.#bv];
    smoothed(moved, width, height, smooth);
    for (let i = 0; i < mean.length; i++) mean[i] = 0.4 * first[i] + 0.6 * smooth[i];
    across(mean, width, height, DERIVE, dx);
    down(mean, width, height, DERIVE, dy);
    for (let i = 0, at = width; i < mean.length; i++, at++) {
      const [x, y, t] = [dx[i], dy[i], smooth[i] - first[i]];
      const psi = share / (2 * Math.sqrt(t * t + EPSILON));
      xx[at] += psi * x * x;
      xy[at] += psi * x * y;
      yy[at] += psi * y * y;
      bu[at] -= psi * x * t;
      bv[at] -= psi * y * t;
    }
  }

  /** φ = 1 / (2·√(|∇u|² + |∇v|² + ε)), by forward differences. */
  #weighEdges(): void {
    const { width, height, u, v } = this;
    for (let j = 0, at = width; j < height; j++) {
      const belowStep = j < height - 1 ? width : 0;
      for (let i = 0; i < width; i++, at++) {
        const rightStep = i < width - 1 ? 1 : 0;
        const [ux, uy] = [u[at + rightStep] - u[at], u[at + belowStep] - u[at]];
        const [vx, vy] = [v[at + rightStep] - v[at], v[at + belowStep] - v[at]];
        const phi = (0.5 * ALPHA) / Math.sqrt(ux * ux + uy * uy + vx * vx + vy * vy + EPSILON);
        this.#right[at] = rightStep ? phi : 0;
        this.#below[at] = belowStep ? phi : 0;
      }
    }
  }

  /** α·div(φ·∇u) on the right-hand sides, and the diagonal. */
  #addSmoothness(): void {
    const { width, height, u, v } = this;
    const [right, below, xx, yy, bu, bv] = [this.#right, this.#below, this.#xx, this.#yy, this.#bu, this.#bv];
    for (let at = width; at < width * (height + 1); at++) {
      const [r, l, b, t] = [right[at], right[at - 1], below[at], below[at - width]];
      const sum = r + l + b + t;
      bu[at] += r * u[at + 1] + l * u[at - 1] + b * u[at + width] + t * u[at - width] - sum * u[at];
      bv[at] += r * v[at + 1] + l * v[at - 1] + b * v[at + width] + t * v[at - width] - sum * v[at];
      xx[at] = OMEGA / (xx[at] + DAMPING * ALPHA + sum);
      yy[at] = OMEGA / (yy[at] + DAMPING * ALPHA + sum);
    }
  }

  /** Successive over-relaxation from no step at all, pixel by pixel in reading order, and the step itself. */
  solve(sweeps: number): void {
    const { width, height, u, v } = this;
    const [du, dv, right, below] = [this.#du, this.#dv, this.#right, this.#below];
    const [xx, xy, yy, bu, bv] = [this.#xx, this.#xy, this.#yy, this.#bu, this.#bv];
    const end = width * (height + 1);
    du.fill(0);
    dv.fill(0);
    for (let sweep = 0; sweep < sweeps; sweep++) {
      for (let at = width; at < end; at++) {
        const r = right[at];
        const l = right[at - 1];
        const b = below[at];
        const t = below[at - width];
        const su = r * du[at + 1] + l * du[at - 1] + b * du[at + width] + t * du[at - width];
        const sv = r * dv[at + 1] + l * dv[at - 1] + b * dv[at + width] + t * dv[at - width];
        du[at] = (1 - OMEGA) * du[at] + xx[at] * (bu[at] + su - xy[at] * dv[at]);
        dv[at] = (1 - OMEGA) * dv[at] + yy[at] * (bv[at] + sv - xy[at] * du[at]);
      }
    }
    for (let at = width; at < end; at++) {
      u[at] += du[at];
      v[at] += dv[at];
    }
  }
}
