import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, ShapeError, UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { type Frame, type FrameRange, openClip } from '../../io/clip.ts';
import { imageSize, readImage, writeImage } from '../../io/image.ts';
import { writeVideo } from '../../io/video-writer.ts';
import { lumaOfInterleaved } from '../../train/colour.ts';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = new Random(9);
const picture = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)),
});
async function read(path: string, range: FrameRange): Promise<Frame[]> {
  const frames = [];
  for await (const frame of (await openClip(path)).frames(range)) frames.push(frame);
  return frames;
}

describe('pictures', () => {
  test.each(['a.png', 'a.ppm', 'a.bmp'])('%s comes back bit for bit', async (name) => {
    const image = picture(7, 5);
    await writeImage(at(name), image);
    expect(await readImage(at(name))).toEqual(image);
    expect(await imageSize(at(name))).toMatchObject({ width: 7, height: 5 });
  });

  test('16-bit PNG', async () => {
    const data = Uint16Array.from({ length: 3 * 5 * 2 }, () => random.int(65536));
    await writeImage(at('deep.png'), { width: 5, height: 2, data });
    expect(await readImage(at('deep.png'))).toEqual({ width: 5, height: 2, data });
    const [frame] = await read(at('deep.png'), { format: 'rgb' });
    expect([...frame.data]).toEqual(Array.from(data, (v) => Math.round((v * 255) / 65535)));
  });

  test('JPEG is near', async () => {
    const flat = { width: 16, height: 16, data: new Uint8Array(768).fill(200) };
    await writeImage(at('flat.jpg'), flat);
    const { data } = await readImage(at('flat.jpg'));
    expect(Math.max(...Array.from(data, (v) => Math.abs(v - 200)))).toBeLessThan(3);
  });

  test('what is no picture', async () => {
    await expect(readImage(at('nope.png'))).rejects.toThrow('no such file');
    writeFileSync(at('text.png'), 'hello');
    await expect(readImage(at('text.png'))).rejects.toThrow('expected a PNG, found bytes that begin 68656c6c6f');
    await writeImage(at('cut.png'), picture(20, 20));
    const whole = readFileSync(at('cut.png'));
    truncateSync(at('cut.png'), whole.length / 2);
    await expect(readImage(at('cut.png'))).rejects.toThrow(FormatError);
    whole.writeUInt32BE(2 ** 31 - 1, 16);
    writeFileSync(at('vast.png'), whole);
    await expect(readImage(at('vast.png'))).rejects.toThrow('a PNG of 2147483647x20');
    writeFileSync(at('text.jpg'), 'hello');
    await expect(readImage(at('text.jpg'))).rejects.toThrow(FormatError);
    const files = readdirSync(folder);
    await expect(writeImage(at('x.png'), { ...picture(2, 2), width: 3 })).rejects.toThrow(ShapeError);
    await expect(writeImage(at('x.gif'), picture(2, 2))).rejects.toThrow(UsageError);
    expect(readdirSync(folder)).toEqual(files);
  });
});

describe('openClip', () => {
  test('a folder of frames in natural order', async () => {
    mkdirSync(at('walk'));
    const frames = [1, 2, 10].map(() => picture(4, 3));
    for (const [i, n] of [1, 2, 10].entries()) await writeImage(at(`walk/Frame ${n}.png`), frames[i]);
    writeFileSync(at('walk/notes.txt'), 'not a frame');
    const clip = await openClip(at('walk'));
    expect(clip).toMatchObject({ name: 'walk', kind: 'folder', width: 4, height: 3, frameCount: 3 });
    const rgb = await read(at('walk'), { format: 'rgb' });
    expect(rgb.map((f) => f.data)).toEqual(frames.map((f) => f.data));
    expect(await read(at('walk'), { format: 'rgb', start: 1, count: 1 })).toEqual([rgb[1]]);
  });

  test('RGB sources give Y that is not rounded, and 4:2:0', async () => {
    const image = picture(3, 3);
    await writeImage(at('rgb.png'), image);
    const [y] = await read(at('rgb.png'), { format: 'y' });
    expect(y.data).toEqual(lumaOfInterleaved(image.data));
    const [yuv] = await read(at('rgb.png'), { format: 'yuv' });
    expect(yuv.data).toHaveLength(9 + 2 * 4);
  });

  test('YUV video gives its own Y', async () => {
    const frame = Uint8Array.from({ length: 24 }, () => random.int(256));
    const fps = { num: 25, den: 1 };
    await writeVideo(at('yuv.mkv'), { width: 4, height: 4, fps, format: 'yuv420p' }, [frame, frame]);
    const clip = await openClip(at('yuv.mkv'));
    expect(clip).toMatchObject({ name: 'yuv', kind: 'video', frameCount: 2, fps });
    expect((await read(at('yuv.mkv'), { format: 'y' }))[1].data).toEqual(frame.subarray(0, 16));
    expect((await read(at('yuv.mkv'), { format: 'yuv' }))[0].data).toEqual(frame);
    expect((await read(at('yuv.mkv'), { format: 'rgb' }))[0].data).toHaveLength(48);
  });

  test('what is no clip', async () => {
    await expect(openClip(at('nope'))).rejects.toThrow('no such file or folder');
    mkdirSync(at('bare'));
    await expect(openClip(at('bare'))).rejects.toThrow('expected a folder of pictures, found none');
    mkdirSync(at('mixed'));
    await writeImage(at('mixed/1.png'), picture(4, 3));
    await writeImage(at('mixed/2.png'), picture(4, 4));
    await expect(read(at('mixed'), { format: 'rgb' })).rejects.toThrow('1.png is 4x3, 2.png is 4x4');
  });
});
