import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, ShapeError, UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { WriteError } from '../../io/atomic.ts';
import { findFfmpeg, runFfmpeg } from '../../io/ffmpeg.ts';
import { countPackets, probeVideo, type RawFormat, rawFrameBytes, readFrames, type VideoInfo } from '../../io/video.ts';
import { optionsLike, VideoWriter, writeVideo } from '../../io/video-writer.ts';

import { mountTiny, unmount } from './tiny-disk.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function noise(format: RawFormat, width: number, height: number, frames: number): Uint8Array[] {
  const random = new Random(1);
  const bytes = rawFrameBytes(format, width, height);
  return Array.from({ length: frames }, () => Uint8Array.from({ length: bytes }, () => 16 + random.int(220)));
}
async function read(video: VideoInfo, format: RawFormat, start = 0, count?: number): Promise<Uint8Array[]> {
  const frames = [];
  for await (const frame of readFrames(video, { format, start, count })) frames.push(frame);
  return frames;
}
const fps = { num: 30000, den: 1001 };

describe('lossless round trips', () => {
  test.each([
    ['rgb.mkv', 'rgb24', 6, 5],
    ['yuv.mkv', 'yuv420p', 7, 5],
    ['yuv.y4m', 'yuv420p', 6, 4],
    ['one.mkv', 'rgb24', 1, 1],
    ['line.mkv', 'rgb24', 8, 1],
    ['large.mkv', 'rgb24', 64, 33],
    ['one.y4m', 'yuv420p', 1, 1],
  ] as const)('%s', async (name, format, width, height) => {
    const frames = noise(format, width, height, 5);
    expect(await writeVideo(at(name), { width, height, fps, format }, frames)).toBe(5);
    const video = await probeVideo(at(name));
    expect(video).toMatchObject({ width, height, fps, rgb: format === 'rgb24', hasAudio: false, rotation: 0 });
    expect(await read(video, format)).toEqual(frames);
  });

  test('a range of frames, the Y plane alone, a count', async () => {
    const frames = noise('yuv420p', 7, 5, 5);
    await writeVideo(at('range.mkv'), { width: 7, height: 5, fps, format: 'yuv420p' }, frames);
    const video = await probeVideo(at('range.mkv'));
    expect(await read(video, 'yuv420p', 1, 2)).toEqual(frames.slice(1, 3));
    expect(await read(video, 'gray')).toEqual(frames.map((frame) => frame.subarray(0, 35)));
    expect(await countPackets(video)).toBe(5);
  });

  test('full-range video keeps its bytes too', async () => {
    const frames = noise('yuv420p', 8, 6, 2);
    frames[0].set([0, 255, 1, 254]);
    const options = { width: 8, height: 6, fps, format: 'yuv420p', colour: { range: 'pc', matrix: 'bt709' } } as const;
    await writeVideo(at('full.mkv'), options, frames);
    const video = await probeVideo(at('full.mkv'));
    expect(video.colour).toMatchObject({ range: 'pc', matrix: 'bt709' });
    expect(await read(video, 'yuv420p')).toEqual(frames);
    expect((await read(video, 'gray'))[0]).toEqual(frames[0].subarray(0, 48));
  });

  test('raw .yuv takes its size from its name', async () => {
    const frames = noise('yuv420p', 176, 144, 2);
    writeFileSync(at('noise_qcif.yuv'), Buffer.concat(frames));
    expect(await read(await probeVideo(at('noise_qcif.yuv')), 'yuv420p')).toEqual(frames);
    writeFileSync(at('noise_6x4.yuv'), frames[0].subarray(0, 72));
    expect(await probeVideo(at('noise_6x4.yuv'))).toMatchObject({ width: 6, height: 4 });
    writeFileSync(at('noise_8x4.yuv'), frames[0].subarray(0, 72));
    await expect(probeVideo(at('noise_8x4.yuv'))).rejects.toThrow('expected whole frames of 48 bytes (8x4), found 72');
    writeFileSync(at('noise.yuv'), frames[0]);
    await expect(probeVideo(at('noise.yuv'))).rejects.toThrow(UsageError);
  });
});

describe('H.264', () => {
  test('keeps rate, colour tags, pixel shape and audio of a source', async () => {
    const lavfi = ['-f', 'lavfi', '-i', 'testsrc=s=64x48:r=30000/1001', '-f', 'lavfi', '-i', 'sine'];
    const encode = ['-c:v', 'libx264', '-c:a', 'aac', '-pix_fmt', 'yuv420p', '-vf', 'setsar=4/3', '-frames:v', '9'];
    const tags = ['-color_range', 'tv', '-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];
    await runFfmpeg(['-nostdin', ...lavfi, ...encode, ...tags, '-t', '0.3', at('source.mp4')]);
    const source = await probeVideo(at('source.mp4'));
    const colour = { range: 'tv', matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' };
    const expected = { fps, colour, pixelAspect: { num: 4, den: 3 }, hasAudio: true, audioCodec: 'aac' };
    expect(source).toMatchObject(expected);
    const frames = await read(source, 'rgb24');
    expect(frames).toHaveLength(9);
    for (const name of ['copy.mp4', 'copy.mkv']) {
      await writeVideo(at(name), { ...optionsLike(source), width: 64, height: 48, format: 'rgb24' }, frames);
      const copy = await probeVideo(at(name));
      expect(copy).toMatchObject({ ...expected, colour: name === 'copy.mp4' ? colour : {} });
      const errors = (await read(copy, 'rgb24')).map((frame, i) => {
        return frame.reduce((sum, v, j) => sum + Math.abs(v - frames[i][j]), 0) / frame.length;
      });
      expect(errors).toHaveLength(9);
      expect(Math.max(...errors)).toBeLessThan(name === 'copy.mp4' ? 8 : 1e-9); // hard edges in 4:2:0
    }
  });

  test('audio that MP4 cannot hold is encoded anew', async () => {
    const lavfi = ['-f', 'lavfi', '-i', 'testsrc=s=16x16:r=10', '-f', 'lavfi', '-i', 'sine', '-t', '0.5'];
    await runFfmpeg(['-nostdin', ...lavfi, '-c:v', 'ffv1', '-c:a', 'pcm_s16le', at('pcm.mkv')]);
    const source = await probeVideo(at('pcm.mkv'));
    const frames = await read(source, 'yuv420p');
    await writeVideo(at('pcm.mp4'), { ...optionsLike(source), width: 16, height: 16, format: 'yuv420p' }, frames);
    expect(await probeVideo(at('pcm.mp4'))).toMatchObject({ audioCodec: 'aac' });
  });

  test('a rotated file is read upright', async () => {
    const frames = noise('rgb24', 16, 8, 2);
    await writeVideo(at('flat.mp4'), { width: 16, height: 8, fps, format: 'rgb24' }, frames);
    const turn = ['-c', 'copy', '-metadata:s:v:0', 'rotate=90'];
    await runFfmpeg(['-nostdin', '-i', at('flat.mp4'), ...turn, at('turned.mp4')]);
    const video = await probeVideo(at('turned.mp4'));
    expect(video).toMatchObject({ width: 8, height: 16 });
    expect(Math.abs(video.rotation)).toBe(90);
    expect(await read(video, 'rgb24')).toHaveLength(2);
  });

  test('a variable frame rate: every frame, or a constant rate with repetitions', async () => {
    const source = ['-f', 'lavfi', '-i', 'testsrc=s=16x16:r=10:d=1', '-vf', "select='not(between(n,3,5))'"];
    await runFfmpeg(['-nostdin', ...source, ...(await findFfmpeg()).everyFrame, '-c:v', 'ffv1', at('gaps.mkv')]);
    const video = await probeVideo(at('gaps.mkv'));
    expect(await read(video, 'gray')).toHaveLength(7);
    const constant = [];
    for await (const frame of readFrames(video, { format: 'gray', timing: 'constant' })) constant.push(frame);
    expect(constant).toHaveLength(10);
    expect(constant[3]).toEqual(constant[2]);
  });

  test('odd sizes', async () => {
    await writeVideo(at('odd.mp4'), { width: 7, height: 5, fps, format: 'rgb24' }, noise('rgb24', 7, 5, 2));
    expect(await probeVideo(at('odd.mp4'))).toMatchObject({ width: 7, height: 5 });
  });
});

describe('reading what cannot be read', () => {
  const refusal = async (path: string) => {
    const error = await probeVideo(path).catch((e) => e);
    expect(error).toBeInstanceOf(FormatError);
    return error.message;
  };

  test('missing, empty, text, noise, a folder, sound', async () => {
    expect(await refusal(at('nope.mp4'))).toContain('no such file');
    expect(await refusal(folder)).toContain('is a folder');
    writeFileSync(at('empty.mp4'), '');
    expect(await refusal(at('empty.mp4'))).toContain('found an empty file');
    writeFileSync(at('text.mp4'), 'this is a shopping list: milk, eggs\n');
    expect(await refusal(at('text.mp4'))).toContain('found text that begins "this is a shopping list');
    writeFileSync(
      at('noise.mp4'),
      noise('gray', 100, 100, 1)[0].map((v) => v ^ 0x5a),
    );
    expect(await refusal(at('noise.mp4'))).toContain('found bytes that begin');
    await runFfmpeg(['-nostdin', '-f', 'lavfi', '-i', 'sine=d=0.2', '-c:a', 'aac', at('sound.mp4')]);
    expect(await refusal(at('sound.mp4'))).toContain('only Audio aac');
  });

  test('truncated files', async () => {
    await writeVideo(at('whole.mkv'), { width: 64, height: 64, fps, format: 'rgb24' }, noise('rgb24', 64, 64, 40));
    copyFileSync(at('whole.mkv'), at('cut.mkv'));
    truncateSync(at('cut.mkv'), statSync(at('whole.mkv')).size / 2);
    const cut = await probeVideo(at('cut.mkv'));
    await expect(read(cut, 'rgb24')).rejects.toThrow(/expected about 40 frames .* but it ends after \d+: truncated/);
    expect(await read(cut, 'rgb24', 0, 3)).toHaveLength(3); // what is whole can be had
    const source = ['-f', 'lavfi', '-i', 'testsrc=d=1', '-c:v', 'libx264', at('index-last.mp4')];
    await runFfmpeg(['-nostdin', ...source]);
    truncateSync(at('index-last.mp4'), statSync(at('index-last.mp4')).size / 2);
    expect(await refusal(at('index-last.mp4'))).toContain('an MP4 without its index: truncated');
  });

  test('a reader that leaves early stops the decoder', async () => {
    const video = await probeVideo(at('whole.mkv'));
    const frames = readFrames(video, { format: 'rgb24' });
    expect((await frames.next()).done).toBe(false);
    await frames.return(); // resolves once the process has ended
    expect(await frames.next()).toEqual({ done: true, value: undefined });
  });
});

describe('writing what cannot be written', () => {
  const options = { width: 4, height: 4, fps, format: 'rgb24' } as const;
  const listing = () => readdirSync(folder).sort();
  const setting = process.env.SUBPIXEL_FFMPEG;
  afterEach(() => {
    if (setting === undefined) delete process.env.SUBPIXEL_FFMPEG;
    else process.env.SUBPIXEL_FFMPEG = setting;
  });

  test('a failing encoder, a missing folder', async () => {
    const files = listing();
    const failing = { ...options, audio: { path: at('nope.wav') } };
    await expect(writeVideo(at('x.mp4'), failing, noise('rgb24', 4, 4, 3))).rejects.toThrow(WriteError);
    await expect(writeVideo(at('no/x.mp4'), options, noise('rgb24', 4, 4, 3))).rejects.toThrow(WriteError);
    expect(listing()).toEqual(files);
  });

  test('frames that fail, frames that do not fit, no frames', async () => {
    const files = listing();
    async function* broken() {
      yield new Uint8Array(48);
      throw new FormatError('the source ended');
    }
    await expect(writeVideo(at('x.mp4'), options, broken())).rejects.toThrow('the source ended');
    await expect(writeVideo(at('x.mp4'), options, [new Uint8Array(47)])).rejects.toThrow(ShapeError);
    await expect(writeVideo(at('x.mp4'), options, [])).rejects.toThrow('no frames were written');
    expect(listing()).toEqual(files);
  });

  test('a full disk', async (context) => {
    const tiny = mountTiny(folder);
    if (!tiny) return context.skip('mounting a small file system needs root');
    try {
      const frames = noise('rgb24', 128, 128, 8);
      const error = await writeVideo(join(tiny, 'x.mkv'), { ...options, width: 128, height: 128 }, frames).catch(
        (e) => e,
      );
      expect(error).toBeInstanceOf(WriteError);
      expect(error.message).toContain('No space left');
      expect(readdirSync(tiny)).toEqual([]);
    } finally {
      unmount(tiny);
    }
  });

  test('names and sizes that make no sense', async () => {
    await expect(VideoWriter.open(at('x.gif'), options)).rejects.toThrow('ending in .mp4');
    await expect(VideoWriter.open(at('x.mp4'), { ...options, width: 0 })).rejects.toThrow('at least 1x1');
  });

  test('a whole file replaces the old one only at the end', async () => {
    writeFileSync(at('old.mkv'), 'old');
    const writer = await VideoWriter.open(at('old.mkv'), options);
    await writer.write(new Uint8Array(48));
    expect(readFileSync(at('old.mkv'), 'utf8')).toBe('old');
    await writer.close();
    expect(await probeVideo(at('old.mkv'))).toMatchObject({ width: 4 });
  });

  test('an ffmpeg that is none', async () => {
    process.env.SUBPIXEL_FFMPEG = at('no-ffmpeg');
    await expect(findFfmpeg()).rejects.toThrow('SUBPIXEL_FFMPEG');
    process.env.SUBPIXEL_FFMPEG = '';
    expect((await findFfmpeg()).path).toBeTruthy();
  });
});
