import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { writeVideo } from '../../io/video-writer.ts';
import { tinySettings, waves } from '../train/tiny-run.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();
let clip = '';
let whole: Buffer;

const command = (out: string, ...more: string[]) => [
  ...['train', 'fstrn-small', '--data', clip, '--out', cli.path(out), '--iters', '20', '--seed', '3', '--set'],
  ...[...tinySettings, 'net.dropout=0.3', 'checkpoint.every=4', 'log.every=1', ...more],
];
const checkpoint = (out: string) => readFileSync(cli.path(`${out}/checkpoint.safetensors`));

beforeAll(async () => {
  clip = cli.path('waves.mkv');
  const [width, height] = [64, 48];
  const pictures = waves({ frames: 20 }).frames.map((y) => Buffer.concat([y, new Uint8Array(y.length / 2).fill(128)]));
  await writeVideo(clip, { width, height, fps: { num: 25, den: 1 }, format: 'yuv420p' }, pictures);
  const { code, stdout, stderr } = await cli.run(...command('whole'));
  expect(stderr).toMatch(/^iteration 20\/20 {2}[\d.?]+ it\/s {2}[\d:?]+ left {2}loss 0\.\d{5}$/m);
  expect(stderr).toMatch(
    /iteration 20 {2}held out \d+\.\d\d dB, bicubic \d+\.\d\d dB: \d+\.\d\d dB (above|below) bicubic/,
  );
  expect(stdout).toBe(`done: ${cli.path('whole')}/report.html\n`);
  expect(code).toBe(0);
  whole = checkpoint('whole');
});

describe('20 iterations, interrupted and resumed, end in the same bytes', () => {
  test('by --stop-after', async () => {
    const stopped = await cli.run(...command('stopped'), '--stop-after', '10');
    expect(stopped).toMatchObject({ code: 0, stdout: 'stopped at iteration 10; --resume goes on from there\n' });
    const again = ['train', 'fstrn-small', '--out', cli.path('stopped'), '--resume'];
    expect(await cli.json(...again)).toMatchObject({
      ...{ out: cli.path('stopped'), iteration: 20, iterations: 20, finished: true },
      score: { iteration: 20, psnr: expect.any(Number), bicubic: expect.any(Number) },
    });
    expect(checkpoint('stopped').equals(whole)).toBe(true);
  });

  test('by kill -9, twice, at any moment', async () => {
    for (const moment of ['checkpoint.safetensors', 'samples/000010.png']) {
      const child = cli.start(...command('killed'), '--resume');
      const exit = once(child, 'exit');
      while (!existsSync(cli.path(`killed/${moment}`)) && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await exit;
    }
    expect((await cli.run(...command('killed'), '--resume')).code).toBe(0);
    expect(checkpoint('killed').equals(whole)).toBe(true);
    expect(readdirSync(cli.path('killed')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s, which saves and exits with %i', async (signal, expected) => {
    const child = cli.start(...command(signal));
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
      if (/iteration 2\/20/.test(stderr)) child.kill(signal);
    });
    const [code] = await once(child, 'exit');
    expect(stderr).toContain('saving a checkpoint');
    expect(code).toBe(expected);
    expect((await cli.run(...command(signal), '--resume')).code).toBe(0);
    expect(checkpoint(signal).equals(whole)).toBe(true);
  });
});

test('Ctrl-C while clips are read ends at once, and nothing was made', async () => {
  // An ffmpeg that tells when it is asked, and then never answers: reading is under way for as long as we like.
  const asked = cli.path('asked');
  const ffmpeg = cli.path('ffmpeg');
  writeFileSync(ffmpeg, `#!/bin/sh\n: > '${asked}'\nexec sleep 10\n`, { mode: 0o755 });
  vi.stubEnv('SUBPIXEL_FFMPEG', ffmpeg);
  const child = cli.start('train', 'fstrn-small', '--data', clip, '--out', cli.path('early'));
  vi.unstubAllEnvs();
  while (!existsSync(asked)) await sleep(20);
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
  expect(existsSync(cli.path('early'))).toBe(false);
});

test('a finished run says how to go on, and is extended; its weights start another', async () => {
  const out = cli.path('extended');
  expect((await cli.run(...command('extended', 'schedule.name=constant'), '--iters', '2')).code).toBe(0);
  const resume = ['train', 'fstrn-small', '--out', out, '--resume'];
  expect((await cli.run(...resume)).stderr).toContain('all 2 iterations are done; a larger --iters goes on from there');
  const longer = await cli.run(...resume, '--iters', '4');
  expect(longer.stderr).toContain('2 iterations were planned, 4 are now; the constant schedule does not depend');
  expect(longer.stderr).toContain('going on at iteration 2 of 4');
  const report = readFileSync(`${out}/report.html`, 'utf8');
  expect(report).toContain(`# from iteration 2 on:\nnpx subpixel train fstrn-small --out ${out} --resume --iters 4`);
  const weights = `${out}/weights.safetensors`;
  const tuned = await cli.run(...command('tuned'), '--iters', '2', '--weights', weights);
  expect(tuned).toMatchObject({ code: 0, stderr: expect.stringContaining(`starting from the weights in ${weights}`) });
});

describe('what does not make sense ends with one clear paragraph', () => {
  test.each([
    ['an unknown recipe', () => ['train', 'fstrm-small', '--data', clip], 2, 'did you mean fstrn-small?'],
    ['an unknown setting', () => command('x', 'net.widht=3'), 2, 'did you mean net.width?'],
    ['no clip', () => ['train', 'fstrn', '--out', cli.path('x')], 2, '--data: expected at least one clip'],
    ['a taken folder', () => command('whole'), 2, 'is not empty: a training run is there'],
    ['another recipe', () => [...command('whole', 'net.blocks=3'), '--resume'], 2, 'net.blocks: 1 there, 3 here'],
    [
      'nothing to resume',
      () => ['train', 'fstrn', '--out', cli.path('x'), '--resume'],
      2,
      'no training run is there to resume',
    ],
    [
      'a folder in a file',
      () => ['train', 'fstrn', '--data', clip, '--out', `${clip}/x`],
      2,
      'expected a folder, found a file',
    ],
    ['a missing file', () => ['train', 'fstrn', '--data', cli.path('no.mp4')], 1, 'FormatError: '],
    [
      'a clip shorter than T',
      () => command('x', 'data.frames=17'),
      2,
      'it has 20 frames; hold-out (data.holdOut=0.2) keeps 4 for validation and leaves 16, a sample needs 17',
    ],
    ['a number that is none', () => [...command('x'), '--iters', 'many'], 2, 'expected a whole number of 1 or more'],
  ])('%s', async (_, args, expected, message) => {
    const { code, stdout, stderr } = await cli.run(...args());
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect([code, stdout]).toEqual([expected, '']);
    expect(existsSync(cli.path('x'))).toBe(false);
  });

  test('a loss that explodes: the last checkpoint stays', async () => {
    const wild = ['optimizer.lr=1e30', 'schedule.name=constant', 'gradients.clipNorm=0', 'checkpoint.every=1'];
    const { code, stderr } = await cli.run(...command('wild', ...wild));
    expect(code).toBe(1);
    expect(stderr).toMatch(/NotFiniteError: iteration \d+: /);
    expect(existsSync(cli.path('wild/checkpoint.safetensors'))).toBe(true);
  });
});

describe('demo', () => {
  test('--quick on a clip of one’s own; a second one replaces the first', async () => {
    const out = cli.path('demo');
    const first = await cli.run('demo', clip, '--quick', '--out', out);
    expect(first.stderr).toMatch(/training {2}10 iterations, as many as fit/);
    expect(first.stdout).toMatch(/bicubic +\d+\.\d\d +0\.\d{4}\nfstrn-small +\d+\.\d\d +0\.\d{4}\ngain +[+-]\d/);
    expect(first.code).toBe(0);
    const files = ['before-after.png', 'checkpoint.safetensors', 'metrics.jsonl', 'recipe.json', 'report.html'];
    const all = [...files, 'samples', 'upscaled.mp4', 'weights.safetensors'];
    expect(readdirSync(out).sort()).toEqual(all);
    const report = readFileSync(`${out}/report.html`, 'utf8');
    expect(report).toContain('means over 4 of the 4 held-out frames (16 to 19 of waves.mkv)');
    expect(report).toContain('Frame 18, the middle of these');
    expect(report).toMatch(/<td>network<\/td><td>fstrn, [\d,]+ parameters<\/td>/);
    expect(report).toContain(`npx subpixel demo ${clip} --quick --out ${out}`);
    const [, again] = /# the same training.*\nnpx subpixel (train fstrn-small .*)\n/.exec(report)!;
    expect((await cli.run(...again.replace('runs/again', cli.path('again')).split(' '))).code).toBe(0);
    expect(checkpoint('again').equals(checkpoint('demo'))).toBe(true);
    const second = await cli.json('demo', clip, '--quick', '--out', out);
    expect(second).toMatchObject({
      frames: 4,
      bicubic: { psnr: expect.any(Number) },
      ours: { ssim: expect.any(Number) },
    });
    expect(readdirSync(out).sort()).toEqual(all);
  });

  test('replaces no training run', async () => {
    const { code, stderr } = await cli.run('demo', clip, '--quick', '--out', cli.path('whole'));
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('a training run is there, and no demo. Choose another --out\n'),
    ]);
    expect(checkpoint('whole').equals(whole)).toBe(true);
  });
});
