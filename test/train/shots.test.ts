import { describe, expect, test } from 'vitest';
import { ShapeError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { openClip } from '../../io/clip.ts';
import { findShots, ShotDetector } from '../../train/shots.ts';
import { sharedData } from '../shared-data.ts';

const [W, H] = [72, 48];

/** A texture of random blocks that moves by `speed` pixels a frame, with noise. */
function shot(seed: number, frames: number, { speed = 1, level = 0 } = {}): Uint8Array[] {
  const random = new Random(seed);
  const texture = Array.from({ length: 40 * 10 }, () => random.int(150));
  return Array.from({ length: frames }, (_, t) =>
    Uint8Array.from({ length: W * H }, (_, i) => {
      const x = (i % W) + t * speed + 1000;
      const block = texture[(Math.floor(i / W / 8) * 40 + (Math.floor(x / 8) % 40)) % texture.length];
      return level + block + random.int(8);
    }),
  );
}
const starts = (frames: Uint8Array[]) => findShots(frames, W, H).map(({ start }) => start);

describe('synthetic clips', () => {
  test('shots of different scenes', () => {
    const clip = [...shot(1, 20), ...shot(2, 9, { level: 60 }), ...shot(3, 12, { level: 90 })];
    expect(findShots(clip, W, H)).toEqual([
      { start: 0, end: 20 },
      { start: 20, end: 29 },
      { start: 29, end: 41 },
    ]);
  });

  test('a fast pan, a fade and a still picture are one shot', () => {
    expect(starts(shot(1, 30, { speed: 9 }))).toEqual([0]);
    const fade = shot(2, 30).map((frame, t) => frame.map((v) => (v * (30 - t)) / 30));
    expect(starts(fade)).toEqual([0]);
    expect(starts(Array(10).fill(shot(4, 1)[0]))).toEqual([0]);
  });

  test('a flash is a shot of its own', () => {
    const clip = shot(1, 20);
    clip[10] = clip[10].map((v) => Math.min(255, v + 120));
    expect(starts(clip)).toEqual([0, 10, 11]);
  });

  test('no frame, one frame, one pixel', () => {
    expect(findShots([], W, H)).toEqual([]);
    expect(findShots([Uint8Array.of(3)], 1, 1)).toEqual([{ start: 0, end: 1 }]);
    const detector = new ShotDetector();
    detector.add(Uint8Array.of(3), 1, 1);
    expect(() => detector.add(new Uint8Array(4), 2, 2)).toThrow(ShapeError);
  });
});

describe.skipIf(sharedData.missing)(`real clips (skipped when there are ${sharedData.reason})`, () => {
  // First frames of new shots, counted from 1. 77 of bikes is a cut from a taxi to a cyclist that the list of clips omits.
  test.each([
    ['qcif/tennis_qcif.mkv', [90, 149]],
    ['qcif/trevor_qcif.mkv', [60, 61]],
    ['natural/bikes.mp4', [31, 77, 138, 188, 243]],
    ['qcif/akiyo_qcif.mkv', []],
    ['qcif/silent_qcif.mkv', []],
    ['qcif/soccer_qcif.mkv', []],
    ['natural/davis_tennis.mkv', []],
  ])('%s', async (name, expected) => {
    const detector = new ShotDetector();
    for await (const { data, width, height } of (await openClip(sharedData.path(name))).frames({ format: 'y' })) {
      detector.add(data, width, height);
    }
    const [, ...later] = detector.shots();
    expect(later.map(({ start }) => start + 1)).toEqual(expected);
  });
});
