import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openClip } from '../../io/clip.ts';
import { runFfmpeg } from '../../io/ffmpeg.ts';
import { readImage, writeImage } from '../../io/image.ts';
import { readSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { probeVideo } from '../../io/video.ts';
import { writeVideo } from '../../io/video-writer.ts';
import { toBytes, toInterleaved, toPlanes } from '../../train/colour.ts';
import { bicubicUpscale } from '../../train/degrade.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { readFixture } from '../fixtures/read.ts';
import { sharedData } from '../shared-data.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();
const [width, height, count] = [34, 26, 6];
const fps = { num: 30000, den: 1001 };
let weights: string;

beforeAll(async () => {
  const frames = proceduralClip({ width, height, frames: count });
  await writeVideo(cli.path('silent.mkv'), { width, height, fps, format: 'rgb24' }, frames);
  const tone = ['-f', 'lavfi', '-i', 'sine=duration=0.2', '-c:a', 'aac', '-colorspace', 'bt709', '-color_range', 'tv'];
  const { code, stderr } = await runFfmpeg([
    '-i',
    cli.path('silent.mkv'),
    ...tone,
    '-pix_fmt',
    'yuv420p',
    cli.path('clip.mp4'),
  ]);
  if (code !== 0) throw new Error(stderr);
  mkdirSync(cli.path('frames'));
  for (const [i, data] of frames.entries()) await writeImage(cli.path(`frames/${i + 8}.png`), { width, height, data });
  await writeImage(cli.path('dot.png'), { width: 1, height: 1, data: Uint8Array.of(9, 99, 199) });
  const { tensors } = readFixture('fstrn_default');
  const parameters = Object.entries(tensors).filter(([name]) => name.includes('.') && !name.startsWith('grad.'));
  weights = cli.path('weights.safetensors');
  await writeSafetensors(
    weights,
    parameters.map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
    { net: 'fstrn', config: JSON.stringify({ width: 8, blocks: 2, channels: 1 }) },
  );
});

describe('subpixel upscale', () => {
  it('keeps frame rate, colour tags and audio of a video', async () => {
    const out = cli.path('large.mp4');
    const report = await cli.json('upscale', cli.path('clip.mp4'), '-o', out, '--weights', weights);
    expect(report).toMatchObject({ frames: count, width: 4 * width, height: 4 * height, scale: 4, net: 'fstrn' });
    const [small, large] = [await probeVideo(cli.path('clip.mp4')), await probeVideo(out)];
    expect(large).toMatchObject({ width: 4 * width, height: 4 * height, fps, colour: small.colour, audioCodec: 'aac' });
    expect((await openClip(out)).frameCount).toBe(count);
  });

  it('makes of a folder a folder of the same names, or a video', async () => {
    expect((await cli.run('upscale', cli.path('frames'), '-o', cli.path('large'), '--weights', weights)).code).toBe(0);
    expect(readdirSync(cli.path('large')).length).toBe(count);
    expect(await readImage(cli.path('large/13.png'))).toMatchObject({ width: 4 * width, height: 4 * height });
    const film = cli.path('film.mkv');
    const args = ['--net', 'bicubic', '--scale', '2', '--fps', '24000/1001', '--frames', '3', '--start', '1'];
    expect(await cli.json('upscale', cli.path('frames'), '-o', film, ...args)).toMatchObject({ frames: 3 });
    expect(await probeVideo(film)).toMatchObject({ width: 2 * width, fps: { num: 24000, den: 1001 } });
  });

  it('loses none of the pictures that differ in their ending alone', async () => {
    mkdirSync(cli.path('pairs'));
    const dot = { width: 1, height: 1, data: Uint8Array.of(9, 99, 199) };
    for (const name of ['a.png', 'a.bmp']) await writeImage(cli.path(`pairs/${name}`), dot);
    await cli.json('upscale', cli.path('pairs'), '-o', cli.path('numbered'), '--net', 'bicubic');
    expect(readdirSync(cli.path('numbered'))).toEqual(['000000.png', '000001.png']);
  });

  it('enlarges a picture by bicubic as the reference does, and one pixel by a network', async () => {
    const frame = await readImage(cli.path('frames/8.png'));
    await cli.json('upscale', cli.path('frames/8.png'), '-o', cli.path('8.png'), '--net', 'bicubic', '--scale', '3');
    const expected = toInterleaved(toBytes(bicubicUpscale(toPlanes(frame.data as Uint8Array), width, height, 3).data));
    expect((await readImage(cli.path('8.png'))).data).toEqual(expected);
    await cli.json('upscale', cli.path('dot.png'), '-o', cli.path('dots.png'), '--weights', weights);
    expect(await readImage(cli.path('dots.png'))).toMatchObject({ width: 4, height: 4 });
  });

  it('replaces a file with --force alone, and counts one frame as one', async () => {
    const out = cli.path('again.png');
    writeFileSync(out, 'something dear');
    const args = ['upscale', cli.path('dot.png'), '-o', out, '--net', 'bicubic'];
    expect((await cli.run(...args)).code).toBe(2);
    expect(readFileSync(out, 'utf8')).toBe('something dear');
    expect((await cli.run(...args, '--force')).stdout).toMatch(/again\.png: 1 frame of 4x4/);
    expect(await readImage(out)).toMatchObject({ width: 4, height: 4 });
  });

  it('gives the same pictures tiled, inside a small memory', async () => {
    const picture = cli.path('frames/9.png');
    await cli.json('upscale', picture, '-o', cli.path('whole.png'), '--weights', weights);
    await cli.json('upscale', picture, '-o', cli.path('tiled.png'), '--weights', weights, '--tile', '9');
    const { peakBytes } = await cli.json<{ peakBytes: number }>(
      ...['upscale', picture, '-o', cli.path('little.png'), '--weights', weights, '--memory', '2MB'],
    );
    expect(peakBytes).toBeLessThanOrEqual(2 * 2 ** 20);
    const whole = (await readImage(cli.path('whole.png'))).data;
    for (const name of ['tiled.png', 'little.png']) {
      const { data } = await readImage(cli.path(name));
      expect(data.every((v, i) => Math.abs(v - whole[i]) <= 1)).toBe(true); // 1e-6 may round either way
    }
  });

  it.each([
    ['no weights', ['clip.mp4', '-o', 'x.mp4'], 2, /expected --weights of a network, published or trained/],
    [
      'a network without weights',
      ['clip.mp4', '-o', 'x.mp4', '--net', 'fstrn'],
      2,
      /fstrn needs --weights: .*subpixel train fstrn/,
    ],
    ['a missing file', ['none.mp4', '-o', 'x.mp4', '--net', 'bicubic'], 1, /none\.mp4: no such file/],
    ['text called .mp4', ['text.mp4', '-o', 'x.mp4', '--net', 'bicubic'], 1, /expected a video or picture, found text/],
    ['an empty folder', ['nothing', '-o', 'x.mp4', '--net', 'bicubic'], 1, /expected a folder of pictures, found none/],
    [
      'a folder that does not exist',
      ['clip.mp4', '-o', 'no/x.mp4', '--net', 'bicubic'],
      1,
      /its folder does not exist/,
    ],
    ['an ending that nobody knows', ['clip.mp4', '-o', 'x.gif', '--net', 'bicubic'], 2, /ending in \.mp4/],
    ['a folder that is not empty', ['clip.mp4', '-o', 'frames', '--net', 'bicubic'], 2, /frames is not empty/],
    ['a video as a picture', ['clip.mp4', '-o', 'x.png', '--net', 'bicubic'], 2, /a picture holds one frame/],
    [
      'another scale',
      ['clip.mp4', '-o', 'x.mp4', '--weights', 'weights.safetensors', '--scale', '3'],
      2,
      /enlarges 4 times/,
    ],
    [
      'too little memory',
      ['clip.mp4', '-o', 'x.mp4', '--weights', 'weights.safetensors', '--memory', '100KB'],
      1,
      /OutOfMemoryError/,
    ],
    ['a file that is there', ['clip.mp4', '-o', 'silent.mkv', '--net', 'bicubic'], 2, /such a file already; --force/],
    ['a folder in a file', ['clip.mp4', '-o', 'text.mp4/x.mp4', '--net', 'bicubic'], 1, /its folder does not exist/],
    ['no such frame', ['clip.mp4', '-o', 'x.mp4', '--net', 'bicubic', '--start', '99'], 2, /no frame from --start 99/],
    [
      'a size of zero',
      ['clip.mp4', '-o', 'x.mp4', '--net', 'bicubic', '--memory', '0'],
      2,
      /expected a size such as 2GB/,
    ],
  ])('refuses %s, and leaves nothing half-written', async (_, args, code, message) => {
    writeFileSync(cli.path('text.mp4'), 'this is no video\n');
    mkdirSync(cli.path('nothing'), { recursive: true });
    const before = readdirSync(cli.folder);
    const plain = (arg: string) => !/^(\.|bicubic|fstrn|\d+(KB)?|-.*)$/.test(arg);
    const result = await cli.run('upscale', ...args.map((arg) => (plain(arg) ? cli.path(arg) : arg)));
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    expect(readdirSync(cli.folder)).toEqual(before);
  });

  it.each(['stopped.mp4', 'stopped'])('Ctrl-C leaves nothing of %s', async (name) => {
    await runFfmpeg([
      '-f',
      'lavfi',
      '-i',
      'testsrc=size=320x240:duration=40',
      '-pix_fmt',
      'yuv420p',
      cli.path('long.mp4'),
    ]);
    const before = readdirSync(cli.folder);
    const child = cli.start('upscale', cli.path('long.mp4'), '-o', cli.path(name), '--net', 'bicubic');
    while (readdirSync(cli.folder).length === before.length) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(readdirSync(cli.folder)).toEqual(before);
  });
});

describe('subpixel eval', () => {
  interface Result {
    protocol: object;
    clips: { name: string; frames: number; psnr: number; ssim: number; gain?: number; bicubic?: { psnr: number } }[];
    mean: { psnr: number; ssim: number; gain?: number };
  }

  it('judges bicubic', async () => {
    const clips = [cli.path('frames'), cli.path('silent.mkv')];
    const result = await cli.json<Result>('eval', 'bicubic', ...clips, '--scale', '2', '--crop', '4', '--skip', '1,2');
    expect(result.protocol).toMatchObject({ scale: 2, degradation: 'bicubic', crop: 4, channel: 'y', skip: [1, 2] });
    expect(result.clips.map(({ name, frames }) => [name, frames])).toEqual([
      ['frames', 3],
      ['silent', 3],
    ]);
    expect(result.clips[0]).toEqual({ ...result.clips[1], name: 'frames' }); // FFV1 is lossless
    expect(result.mean.psnr).toBeCloseTo(result.clips[0].psnr, 10);
  });

  it('puts bicubic beside a network', async () => {
    const args = ['eval', 'fstrn', cli.path('frames'), '--weights', weights, '--frames', '2', '--crop', '2'];
    const { clips, mean } = await cli.json<Result>(...args);
    expect(clips[0].frames).toBe(2);
    expect(clips[0].gain).toBeCloseTo(clips[0].psnr - clips[0].bicubic!.psnr, 10);
    expect(mean.gain).toBeCloseTo(clips[0].gain!, 10);
    expect((await cli.run(...args)).stdout).toMatch(/^frames +2 +[\d.]+ +0\.\d+ +[\d.]+ +0\.\d+ +-?[\d.]+$/m);
  });

  it('says "Infinity" where there is no error at all', async () => {
    mkdirSync(cli.path('flat'));
    await writeImage(cli.path('flat/0.png'), { width: 32, height: 32, data: new Uint8Array(3 * 32 * 32).fill(90) });
    const { clips, mean } = await cli.json<Result>('eval', 'bicubic', cli.path('flat'), '--crop', '4');
    expect([clips[0].psnr, mean.psnr]).toEqual(['Infinity', 'Infinity']);
  });

  it('shows the network as many frames as its training did, or as told', async () => {
    const { tensors, metadata } = await readSafetensors(weights);
    const three = cli.path('three.safetensors');
    await writeSafetensors(three, tensors, { ...metadata, frames: '3' });
    const psnr = async (...more: string[]) =>
      (await cli.json<Result>('eval', 'fstrn', cli.path('frames'), '--frames', '4', '--crop', '2', ...more)).mean.psnr;
    const trained = await psnr('--weights', three);
    expect(trained).toBe(await psnr('--weights', weights, '--window', '3'));
    expect(trained).not.toBe(await psnr('--weights', weights));
  });

  it.each([
    [
      'a recipe',
      ['eval', 'fstrn-small', 'frames'],
      2,
      /fstrn-small is a recipe, not a network: what it trains is fstrn\./,
    ],
    ['an unknown network', ['eval', 'bicubi', 'frames'], 2, /did you mean bicubic/],
    [
      'a protocol that leaves no frame',
      ['eval', 'bicubic', 'frames', '--skip', '9', '--crop', '2'],
      2,
      /no frame to compare/,
    ],
    ['a border that leaves no pixel', ['eval', 'bicubic', 'frames', '--crop', '20'], 1, /nothing left of frames/],
    ['frames of one pixel', ['eval', 'bicubic', 'dot.png'], 1, /expected frames of at least 4x4 pixels, got 1x1/],
  ])('refuses %s', async (_, args, code, message) => {
    const named = args.map((arg) => (arg === 'frames' || arg === 'dot.png' ? cli.path(arg) : arg));
    expect(await cli.run(...named)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
  });

  // test/train/vid4.test.ts has both clips; here it is the command's own path through them.
  it.skipIf(sharedData.missing)(
    `gives the published numbers on Vid4 (skipped when there are ${sharedData.reason})`,
    async () => {
      const city = sharedData.path('vid4/vid4_city.mkv');
      const { mean } = await cli.json<Result>('eval', 'bicubic', '--scale', '4', '--crop', '8', '--channel', 'y', city);
      expect(Math.abs(mean.psnr - 25.09)).toBeLessThan(0.02);
      expect(Math.abs(mean.ssim - 0.601)).toBeLessThan(0.001);
    },
  );
});
