import { expect, test } from 'vitest';
import { proceduralClip } from '../../train/procedural.ts';

const size = { width: 96, height: 64 };

test('the drawn clip has the asked size, and the same bytes for the same seed', () => {
  const clip = proceduralClip({ ...size, frames: 3, seed: 5 });
  expect(clip.map((frame) => frame.length)).toEqual(Array(3).fill(96 * 64 * 3));
  expect(proceduralClip({ ...size, frames: 3, seed: 5 })).toEqual(clip);
  expect(proceduralClip({ ...size, frames: 1, seed: 6 })[0]).not.toEqual(clip[0]);
});

test('neighbouring frames differ by a motion of a few pixels, not by a new picture', () => {
  const [first, second, , , , , , , , later] = proceduralClip({ ...size, frames: 10, seed: 5 });
  const difference = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;
  expect(difference(first, second)).toBeGreaterThan(0.5);
  expect(difference(first, second)).toBeLessThan(difference(first, later));
});
