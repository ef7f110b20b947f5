import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DeviceLostError, FormatError, ShapeError, UsageError } from '../../engine/errors.ts';
import { WriteError } from '../../io/atomic.ts';
import { readCheckpoint, saveWeights } from '../../io/checkpoint.ts';
import { RunFolder } from '../../io/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { openRun, type RunRequest, splitClips, type TrainingRun, train } from '../../io/training-run.ts';
import { writeVideo } from '../../io/video-writer.ts';
import { override } from '../../train/overrides.ts';
import { type Recipe, recipeNamed } from '../../train/recipes.ts';
import { mountTiny, unmount } from '../io/tiny-disk.ts';
import { testEngine } from '../ops/engine.ts';
import { tinySettings, waves } from './tiny-run.ts';

let folder = '';
let clip = '';
let run = 0;
let out = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
  clip = await video('waves.mkv', 20);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  out = join(folder, `run${run++}`);
});

async function video(name: string, frames: number, width = 64, height = 48): Promise<string> {
  const path = join(folder, name);
  const chroma = new Uint8Array(2 * Math.ceil(width / 2) * Math.ceil(height / 2)).fill(128);
  const pictures = waves({ frames, width, height }).frames.map((y) => Buffer.concat([y, chroma]));
  await writeVideo(path, { width, height, fps: { num: 25, den: 1 }, format: 'yuv420p' }, pictures);
  return path;
}

const open = (settings: string[] = [], request: Partial<RunRequest> = {}): Promise<TrainingRun> =>
  openRun({
    recipe: (started?: Recipe) =>
      override(started ?? recipeNamed('fstrn-small'), [...(started ? [] : tinySettings), ...settings]),
    ...{ data: [clip], val: [], out, resume: false, openEngine: testEngine },
    ...request,
  });
const resume = (settings: string[] = [], request: Partial<RunRequest> = {}) =>
  open(settings, { resume: true, ...request });
const checkpoint = () => join(out, 'checkpoint.safetensors');
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('a run folder', () => {
  test('holds all that the run was and became', async () => {
    const opened = await open(['iterations=20']);
    expect(await train(opened, {})).toBe(true);
    expect(readdirSync(out).sort()).toEqual(
      [
        'checkpoint.safetensors',
        'metrics.jsonl',
        'recipe.json',
        'report.html',
        'samples',
        'weights.safetensors',
      ].sort(),
    );
    expect(readdirSync(join(out, 'samples'))).toEqual(['000010.png', '000020.png']);
    const metrics = lines(readFileSync(join(out, 'metrics.jsonl'), 'utf8'));
    expect(metrics.map(({ iteration }) => iteration)).toEqual([4, 8, 10, 12, 16, 20, 20]);
    expect(metrics.at(-1)).toEqual({ iteration: 20, psnr: expect.any(Number), bicubic: expect.any(Number) });

    const { tensors, metadata } = await readSafetensors(join(out, 'weights.safetensors'));
    expect(metadata).toMatchObject({ net: 'fstrn', iteration: '20', recipe: 'fstrn-small' });
    expect(JSON.parse(metadata.config)).toMatchObject({ width: 4, blocks: 1, scale: 4 });
    const net = await opened.trainer.net.stateDict();
    expect([...tensors.keys()].sort()).toEqual([...net.keys()].sort());
    expect(tensors.get('out.weight')!.data).toEqual(net.get('out.weight')!.data);

    const report = readFileSync(join(out, 'report.html'), 'utf8');
    expect(report).toContain('data:image/png;base64,');
    expect(report).toContain('net.crossResidual');
    expect(report).not.toMatch(/(src|href)="(https?:)?\/\//); // one file that needs nothing else
  });

  test('averaged weights are what is used', async () => {
    const opened = await open(['iterations=4', 'ema=0.9']);
    await train(opened, {});
    const { tensors } = await readSafetensors(join(out, 'weights.safetensors'));
    const state = await readCheckpoint(checkpoint());
    expect(tensors.get('out.bias')!.data).toEqual(state.tensors.get('ema.out.bias')!.data);
    expect(tensors.get('out.bias')!.data).not.toEqual(state.tensors.get('net.out.bias')!.data);
  });

  test('is never overwritten', async () => {
    mkdirSync(out);
    writeFileSync(join(out, 'thesis.txt'), '');
    await expect(open()).rejects.toThrow(`${out} is not empty: it holds thesis.txt`);
    await expect(resume()).rejects.toThrow('expected a training run, found thesis.txt');
    rmSync(join(out, 'thesis.txt'));
    await train(await open(['iterations=2']), {});
    await expect(open()).rejects.toThrow('a training run is there. Choose another --out, or go on with --resume');
    const file = join(folder, 'waves.mkv');
    await expect(open([], { out: file })).rejects.toThrow('expected a folder, found a file');
  });

  test('clear removes a run and nothing else', async () => {
    await train(await open(['iterations=2']), {});
    writeFileSync(join(out, 'thesis.txt'), '');
    await RunFolder.clear(out);
    expect(readdirSync(out)).toEqual(['thesis.txt']);
    await RunFolder.clear(out);
    expect(readdirSync(out)).toEqual(['thesis.txt']);
  });
});

describe('resuming', () => {
  const twenty = ['iterations=20', 'net.dropout=0.2', 'ema=0.9'];

  test('20 iterations in one go, and 10 and the rest: the same files', async () => {
    await train(await open(twenty), {});
    const whole = readFileSync(checkpoint());
    const curve = (path: string) => lines(readFileSync(path, 'utf8')).map(({ rate, ...rest }) => rest);
    const metrics = curve(join(out, 'metrics.jsonl'));
    out = join(folder, `run${run++}`);
    expect(await train(await open(twenty), {}, { stopAfter: 10 })).toBe(false);
    expect((await readCheckpoint(checkpoint())).progress.iteration).toBe(10);
    writeFileSync(join(out, 'metrics.jsonl'), '{"iteration":12,"loss":1,"lr":1}\n{"iterat', { flag: 'a' }); // by a kill
    writeFileSync(join(out, '.tmp-1-abc-checkpoint.safetensors'), 'torn');
    expect(await train(await resume([], { data: [] }), {})).toBe(true);
    expect(readFileSync(checkpoint()).equals(whole)).toBe(true);
    expect(readdirSync(out).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
    expect(curve(join(out, 'metrics.jsonl'))).toEqual(metrics);
  });

  test('where nothing was started, the run starts', async () => {
    mkdirSync(out);
    writeFileSync(join(out, '.tmp-1-abc-recipe.json'), '{'); // killed while it was being made
    const opened = await resume(['iterations=2']);
    expect(opened.remarks.join()).toContain('nothing to resume there, so the run starts anew');
    expect(await train(opened, {})).toBe(true);
  });

  test('another recipe, other clips, changed clips are refused', async () => {
    await train(await open(twenty), {}, { stopAfter: 1 });
    await expect(resume(['net.width=8'])).rejects.toThrow(
      'a resumed run keeps its recipe, but net.width: 4 there, 8 here',
    );
    const other = await video('other.mkv', 21);
    await expect(resume([], { data: [other] })).rejects.toThrow('--data: a resumed run keeps its clips: expected');
    writeFileSync(clip, readFileSync(other));
    await expect(resume()).rejects.toThrow('the clips have changed since the run was started');
    clip = await video('waves.mkv', 20);
  });

  test('a truncated or foreign checkpoint is refused and left alone', async () => {
    const { trainer } = await open(twenty);
    const state = await trainer.state();
    out = join(folder, `run${run++}`);
    await train(await open(twenty), {}, { stopAfter: 1 });
    truncateSync(checkpoint(), 3000);
    await expect(resume()).rejects.toThrow(/checkpoint\.safetensors: .*truncated/);
    expect(readFileSync(checkpoint())).toHaveLength(3000);
    writeFileSync(checkpoint(), 'PK\x03\x04 this is another kind of file');
    await expect(resume()).rejects.toThrow(FormatError);
    await writeSafetensors(checkpoint(), [['w', { shape: [1], data: Float32Array.of(1) }]]);
    await expect(resume()).rejects.toThrow('expected a checkpoint to go on from, found 1 tensors of another program');
    await saveWeights(checkpoint(), state, trainer.recipe);
    await expect(resume()).rejects.toThrow('found the weights of a network');
    writeFileSync(join(out, 'recipe.json'), '{"recipe":');
    await expect(resume()).rejects.toThrow('recipe.json: not the recipe of a training run');
  });
});

describe('bad input leaves nothing behind', () => {
  test.each<[string, () => Promise<Partial<RunRequest>>, unknown, RegExp]>([
    ['a missing file', async () => ({ data: [join(folder, 'no.mp4')] }), FormatError, /no\.mp4: no such file/],
    ['text called .mp4', async () => ({ data: [textFile()] }), FormatError, /text\.mp4/],
    ['text as --val', async () => ({ val: [textFile()] }), FormatError, /text\.mp4/],
    ['no clips', async () => ({ data: [] }), UsageError, /--data: expected at least one clip/],
    ['fewer frames than T', async () => ({ data: [await video('short.mkv', 5)] }), UsageError, /at least 5 frames/],
    ['frames of 1x1', async () => ({ data: [await video('one.mkv', 8, 1, 1)] }), UsageError, /at least 16x16 pixels/],
    ['a folder without clips', async () => ({ data: [emptyFolder()] }), FormatError, /expected clips in this folder/],
    ['--val too small', async () => ({ val: [await video('tiny.mkv', 8, 2, 2)] }), ShapeError, /at least 4x4 pixels/],
  ])('%s', async (_, request, type, message) => {
    const given = await request();
    const started = async () => train(await open(['iterations=2'], given), {});
    const error = await started().catch((e) => e);
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });

  const textFile = () => {
    const path = join(folder, 'text.mp4');
    writeFileSync(path, 'This is no video.\n'.repeat(100));
    return path;
  };
  const emptyFolder = () => {
    const path = join(folder, 'empty');
    mkdirSync(path, { recursive: true });
    return path;
  };
});

describe('trouble on the way', () => {
  test('a full disk: a clear error, the last checkpoint whole', async (context) => {
    const tiny = mountTiny(folder);
    if (!tiny) return context.skip('mounting a small file system needs root');
    try {
      out = join(tiny, 'run');
      const settings = ['net.blocks=0', 'iterations=20', 'checkpoint.every=5', 'validation.every=0'];
      const opened = await open(settings);
      let filled = false;
      const fill = () => {
        if (filled || opened.trainer.iteration < 7) return;
        filled = true;
        try {
          for (let i = 0; ; i++) writeFileSync(join(tiny, `filler${i}`), new Uint8Array(4096));
        } catch {
          // full
        }
      };
      const error = await train(opened, { step: fill }).catch((e) => e);
      expect(error).toBeInstanceOf(WriteError);
      expect(error.message).toMatch(/no space left on the device/);
      expect((await readCheckpoint(checkpoint())).progress.iteration).toBe(5);
      expect(readdirSync(out).filter((name) => name.startsWith('.tmp-'))).toEqual([]);
    } finally {
      unmount(tiny);
    }
  });

  test('the device lost: a typed error, the last checkpoint whole, and the run goes on', async () => {
    const settings = ['iterations=12', 'checkpoint.every=4', 'validation.every=0'];
    await train(await open(settings), {});
    const whole = readFileSync(checkpoint());
    out = join(folder, `run${run++}`);
    const opened = await open(settings);
    const lose = () => {
      if (opened.trainer.iteration === 7) opened.trainer.engine.device.gpu.destroy();
    };
    await expect(train(opened, { step: lose })).rejects.toThrow(DeviceLostError);
    expect((await readCheckpoint(checkpoint())).progress.iteration).toBe(4);
    await train(await resume(), {});
    expect(readFileSync(checkpoint()).equals(whole)).toBe(true);
  });

  test('an interruption saves', async () => {
    const controller = new AbortController();
    const opened = await open(['iterations=20']);
    const stop = () => {
      if (opened.trainer.iteration === 3) controller.abort();
    };
    expect(await train(opened, { step: stop }, { signal: controller.signal })).toBe(false);
    expect((await readCheckpoint(checkpoint())).progress.iteration).toBe(3);
  });
});

test('the last fifth of each clip is held out', () => {
  const clips = [waves({ frames: 20 }), waves({ frames: 7, name: 'b' })];
  const { training, heldOut } = splitClips(clips, 0.2);
  expect(training.map(({ frames }) => frames.length)).toEqual([16, 5]);
  expect(heldOut.map(({ frames }) => frames.length)).toEqual([4, 2]);
  expect(heldOut[0].frames[0]).toBe(clips[0].frames[16]);
  expect(splitClips(clips, 0).heldOut).toEqual([]);
});
