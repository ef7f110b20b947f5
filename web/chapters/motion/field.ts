import type { Planes } from '../../../train/degrade.ts';

/** A movement of a whole picture: first turned and enlarged around its middle, then shifted. */
export interface Move {
  /** Pixels to the right and down. */
  readonly x: number;
  readonly y: number;
  /** Degrees, clockwise. */
  readonly turn: number;
  /** Times larger. */
  readonly zoom: number;
}

export const STILL: Move = { x: 0, y: 0, turn: 0, zoom: 1 };

/**
 * The flow whose warp moves a picture so: where each pixel of the result comes from, relative to itself. Planes of x (right)
 * and y (down), in pixels.
 */
export function flowOf({ x, y, turn, zoom }: Move, width: number, height: number): Planes {
  const n = width * height;
  const data = new Float32Array(2 * n);
  const angle = (-turn * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom];
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
  for (let i = 0; i < n; i++) {
    const [px, py] = [i % width, Math.floor(i / width)];
    const [dx, dy] = [px - cx - x, py - cy - y];
    data[i] = cx + cos * dx - sin * dy - px;
    data[n + i] = cy + sin * dx + cos * dy - py;
  }
  return { width, height, data };
}

/** How far one step goes in each part of a move. */
const STEP: Move = { x: 0.25, y: 0.25, turn: 0.5, zoom: 0.005 };

/**
 * A step downhill: the flow's gradient handed on to the four numbers by the chain rule, the steepest of them moved by its STEP.
 * @param gradient of the loss with respect to the flow that `flowOf` makes
 */
export function downhill(move: Move, gradient: Planes): Move {
  const { width, height, data } = gradient;
  const keys = Object.keys(STEP) as (keyof Move)[];
  const slopes = keys.map((key) => {
    const there = flowOf({ ...move, [key]: move[key] + STEP[key] }, width, height).data;
    const here = flowOf({ ...move, [key]: move[key] - STEP[key] }, width, height).data;
    return data.reduce((sum, g, i) => sum + (g * (there[i] - here[i])) / 2, 0);
  });
  const steepest = Math.max(...slopes.map(Math.abs), Number.MIN_VALUE);
  const moved = keys.map((key, i) => [key, move[key] - (STEP[key] * slopes[i]) / steepest]);
  return Object.fromEntries(moved) as unknown as Move;
}

/** The longest vector of a flow. */
export function longest({ width, height, data }: Planes): number {
  const n = width * height;
  let most = 0;
  for (let i = 0; i < n; i++) most = Math.max(most, Math.hypot(data[i], data[n + i]));
  return most;
}

/** A flow as colours: the hue is the direction, the saturation the length. RGB planes, 0..255; white is no motion. */
export function flowColours({ width, height, data }: Planes, most: number): Planes {
  const n = width * height;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const [u, v] = [data[i], data[n + i]];
    const saturation = Math.min(Math.hypot(u, v) / Math.max(most, 1e-12), 1);
    const turn = Math.atan2(v, u) / (2 * Math.PI);
    for (let c = 0; c < 3; c++) {
      const hue = (((turn + c / 3) % 1) + 1) % 1;
      const full = Math.min(Math.max(Math.abs(6 * hue - 3) - 1, 0), 1);
      out[c * n + i] = 255 * (1 - saturation * (1 - full));
    }
  }
  return { width, height, data: out };
}

/** All directions and lengths in one disc: the legend of `flowColours`. */
export function wheel(edge: number): Planes {
  const n = edge * edge;
  const r = (edge - 1) / 2;
  const field = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    const [x, y] = [(i % edge) - r, Math.floor(i / edge) - r];
    const inside = Math.hypot(x, y) <= r ? 1 : 0;
    field[i] = inside * x;
    field[n + i] = inside * y;
  }
  return flowColours({ width: edge, height: edge, data: field }, r);
}

/** Signed values around grey, the largest at black or white; the mean over planes. */
export function signed({ width, height, data }: Planes): Planes {
  const n = width * height;
  const planes = data.length / n;
  const sums = new Float32Array(n);
  for (let i = 0; i < data.length; i++) sums[i % n] += data[i] / planes;
  const most = Math.max(...sums.map(Math.abs), 1e-20);
  return { width, height, data: sums.map((v) => 128 + (127 * v) / most) };
}
