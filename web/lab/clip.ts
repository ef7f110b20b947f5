import { signal } from '@preact/signals';
import { lumaOfPlanes } from '../../train/colour.ts';
import type { Planes } from '../../train/degrade.ts';

/** Frames that all figures look at. */
export interface LabClip {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** R, G, B planes of every frame, 0..255. */
  readonly frames: readonly Planes[];
  /** Whether the video goes on after these frames. */
  readonly goesOn?: boolean;
  /** How its frames were made to fit: "reduced from 320x240". */
  readonly fitted?: string;
  /** What else is to be said of it. */
  readonly said?: string;
}

/** What readers drop in is cut to this, so that figures stay quick: pixels and frames. */
export const MOST = { width: 320, height: 180, frames: 24 };

/** Figures cut squares of this size out of every clip. */
export const LEAST = 64;

const [WIDTH, HEIGHT, FRAMES] = [192, 144, 12];
export const DRAWN = 'drawn';

export const clip = signal<LabClip | undefined>(undefined);
/** What is to be said of the clip that was asked for last: that it is on its way, why it does not come, or what is amiss with it. */
export const clipSaid = signal('');

let asked = 0;

/** Makes a clip the one of all figures, unless another one is asked for meanwhile. */
export async function showClip(saying: string, make: () => Promise<LabClip>): Promise<void> {
  const turn = ++asked;
  clipSaid.value = saying;
  try {
    const made = await make();
    if (turn !== asked) return;
    clip.value = made;
    clipSaid.value = made.said ?? '';
  } catch (error) {
    if (turn === asked) clipSaid.value = (error as Error).message;
  }
}

/** The clip that comes along: a textured disc over a textured ground that turns. */
export async function drawClip(): Promise<LabClip> {
  const worker = new Worker(new URL('./clip-worker.ts', import.meta.url), { type: 'module' });
  const frames = await new Promise<Uint8Array[]>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Uint8Array[]>) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(`the clip could not be drawn: ${message}`));
    worker.postMessage({ width: WIDTH, height: HEIGHT, frames: FRAMES });
  }).finally(() => worker.terminate());
  const planes = frames.map((rgb) => planesOf(rgb, WIDTH, HEIGHT));
  return { name: DRAWN, width: WIDTH, height: HEIGHT, frames: planes };
}

/** Interleaved bytes, RGB or RGBA, to planes. */
export function planesOf(bytes: ArrayLike<number>, width: number, height: number): Planes {
  const n = width * height;
  const step = bytes.length / n;
  const data = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) data[c * n + i] = bytes[i * step + c];
  return { width, height, data };
}

/** Y of BT.601, 0..255. */
export const lumaOf = ({ width, height, data }: Planes): Planes => ({ width, height, data: lumaOfPlanes(data) });

/** A rectangle of a picture. */
export function cut({ width, height, data }: Planes, x0: number, y0: number, w: number, h: number): Planes {
  const planes = data.length / (width * height);
  const out = new Float32Array(planes * w * h);
  for (let row = 0; row < planes * h; row++) {
    const from = (Math.floor(row / h) * height + y0 + (row % h)) * width + x0;
    out.set(data.subarray(from, from + w), row * w);
  }
  return { width: w, height: h, data: out };
}

/** Of the squares that begin at multiples of `step`, the one whose neighbours in a row differ most. */
export function detailedSpot({ width, height, data }: Planes, edge: number, step = 12): { x: number; y: number } {
  // Differences summed over all that lies above and to the left: those within a square are four of these sums.
  const row = width + 1;
  const sums = new Float64Array(row * (height + 1));
  for (let y = 0; y < height; y++) {
    let sum = 0;
    for (let x = 1; x < width; x++) {
      sum += Math.abs(data[y * width + x] - data[y * width + x - 1]);
      sums[(y + 1) * row + x + 1] = sums[y * row + x + 1] + sum;
    }
  }
  let [spot, most] = [{ x: 0, y: 0 }, -1];
  for (let y = 0; y + edge <= height; y += step)
    for (let x = 0; x + edge <= width; x += step) {
      const below = (at: number) => sums[(y + edge) * row + at] - sums[y * row + at];
      const detail = below(x + edge) - below(x + 1);
      if (detail > most) [spot, most] = [{ x, y }, detail];
    }
  return spot;
}

export function mostDetailed(frame: Planes, edge: number): Planes {
  const { x, y } = detailedSpot(frame, edge);
  return cut(frame, x, y, edge, edge);
}
