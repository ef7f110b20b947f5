import type { Planes } from './degrade.ts';
import { coarse2fine } from './flow/coarse2fine.ts';

/** Motion from the middle frame of a window to each of the others, in pixels: planes of x (right) and of y (down). */
export function motionsFrom(frames: readonly Planes[]): Planes[] {
  const middle = Math.floor(frames.length / 2);
  const target = frames[middle];
  const { width, height } = target;
  const still = (): Planes => ({ width, height, data: new Float32Array(2 * width * height) });
  return frames
    .filter((_, i) => i !== middle)
    .map((frame) => (frame === target ? still() : coarse2fine(target, frame))); // at a clip's ends it may stand for others
}
