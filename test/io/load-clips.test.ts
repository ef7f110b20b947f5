import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FormatError } from '../../engine/errors.ts';
import { writeImage } from '../../io/image.ts';
import { findClips, type LoadProgress, loadClips } from '../../io/load-clips.ts';
import { writeVideo } from '../../io/video-writer.ts';
import { lumaOfInterleaved, toBytes } from '../../train/colour.ts';

let folder = '';
const at = (name: string) => join(folder, name);
const picture = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => 13 * i) };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
  mkdirSync(at('sub/frames'), { recursive: true });
  for (const n of [1, 2]) await writeImage(at(`sub/frames/${n}.png`), picture);
  const frames = Array.from({ length: 40 }, (_, t) => new Uint8Array(24).fill(t + 20));
  const options = { width: 4, height: 4, fps: { num: 25, den: 1 }, format: 'yuv420p' } as const;
  await writeVideo(at('clip10.mkv'), options, frames);
  await writeVideo(at('clip9.mkv'), options, frames.slice(0, 3));
  writeFileSync(at('notes.txt'), 'not a clip');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('folders are searched in natural order', async () => {
  const names = (await findClips(folder)).map((path) => basename(path));
  expect(names).toEqual(['clip9.mkv', 'clip10.mkv', 'frames']);
  expect(await findClips(at('sub/frames'))).toEqual([at('sub/frames')]);
  mkdirSync(at('bare'));
  await expect(findClips(at('bare'))).rejects.toThrow('found no video and no pictures');
  await expect(loadClips([at('nope')], { channels: 1 })).rejects.toThrow(FormatError);
});

test('pictures of different sizes are clips of one frame, and a memory cap leaves some of them', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'subpixel-')), 'pictures');
  mkdirSync(path);
  for (let n = 0; n < 6; n++) {
    const [width, height] = [3 + (n % 2), 2];
    await writeImage(join(path, `${n}.png`), { width, height, data: new Uint8Array(3 * width * height) });
  }
  const clips = await loadClips([path], { channels: 3 });
  expect(clips.map(({ name, width, frames }) => [name, width, frames.length])).toEqual(
    [0, 1, 2, 3, 4, 5].map((n) => [String(n), 3 + (n % 2), 1]),
  );
  const some = await loadClips([path], { channels: 3, maxBytes: 3 * 21 });
  expect(some.map(({ name }) => name)).toEqual(['0', '1', '3', '5']);
  rmSync(path, { recursive: true });
});

test('Y and RGB, with progress', async () => {
  const progress: LoadProgress[] = [];
  const clips = await loadClips([folder], { channels: 1, onProgress: (p) => progress.push(p) });
  expect(clips.map(({ name, frames }) => [name, frames.length])).toEqual([
    ['clip9', 3],
    ['clip10', 40],
    ['frames', 2],
  ]);
  expect(clips[1].frames[7]).toEqual(new Uint8Array(16).fill(27));
  expect(clips[2].frames[0]).toEqual(toBytes(lumaOfInterleaved(picture.data)));
  expect(progress.at(-1)).toEqual({ clip: 'frames', framesDone: 45, framesTotal: 45 });
  const [rgb] = await loadClips([at('sub')], { channels: 3 });
  expect([...rgb.frames[0].subarray(0, 6)]).toEqual([0, 39, 78, 117, 156, 195]); // the plane R
});

test('past the memory cap, clips keep their middle', async () => {
  const [clip] = await loadClips([at('clip10.mkv')], { channels: 1, maxBytes: 20 * 16 });
  expect([clip.frames.length, clip.frames[0][0], clip.frames[19][0]]).toEqual([20, 30, 49]);
  const [least] = await loadClips([at('clip10.mkv')], { channels: 1, maxBytes: 1 });
  expect(least.frames).toHaveLength(16);
});
