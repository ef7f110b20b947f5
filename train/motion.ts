import type { Planes } from './degrade.ts';

/** Motion from the middle frame of a window to each of the others, in pixels: planes of x (right) and of y (down). */
export function motionsFrom(frames: readonly Planes[]): Planes[] {
  const middle = Math.floor(frames.length / 2);
  const { width, height } = frames[0];
  return frames
    .filter((_, i) => i !== middle)
    .map((): Planes => ({ width, height, data: new Float32Array(2 * width * height) }));
}
