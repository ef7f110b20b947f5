import {
  appendFileSync,
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
import { splitClips } from '../../io/footage.ts';
import { RunFolder } from '../../io/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { openRun, type RunRequest, type TrainingRun, train } from '../../io/training-run.ts';
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
    origin: { command: 'npx subpixel train', commit: 'abc' },
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

  test('a demo makes room for the next, and for nothing else', async () => {
    await RunFolder.clearDemo(out); // nothing there
    await train(await open(['iterations=2'], { demo: true }), {});
    writeFileSync(join(out, 'thesis.txt'), '');
    const before = readdirSync(out);
    await expect(RunFolder.clearDemo(out)).rejects.toThrow(/it holds thesis\.txt\. Choose another --out$/);
    expect(readdirSync(out)).toEqual(before);
    rmSync(join(out, 'thesis.txt'));
    await RunFolder.clearDemo(out);
    expect(readdirSync(out)).toEqual([]);
    await train(await open(['iterations=2']), {});
    await expect(RunFolder.clearDemo(out)).rejects.toThrow('a training run is there, and no demo');
  });

  test('infinite scores are kept, and lines that are none are passed over', async () => {
    const { folder } = await open(['iterations=2']);
    const score = { iteration: 2, psnr: Number.POSITIVE_INFINITY, bicubic: 31.5 };
    await folder.append(score);
    appendFileSync(join(out, 'metrics.jsonl'), 'null\n5\n{"iteration":3,"psnr":"high"}\n{"iter');
    expect((await folder.metrics()).slice(-1)).toEqual([score]);
  });
});

describe('a finished run is extended', () => {
  const constant = ['schedule.name=constant', 'net.dropout=0.2', 'ema=0.9'];

  test('where the schedule does not depend on the total, to the same bytes as in one go', async () => {
    await train(await open([...constant, 'iterations=20']), {});
    const whole = readFileSync(checkpoint());
    out = join(folder, `run${run++}`);
    await train(await open([...constant, 'iterations=10']), {});
    await expect(resume(['iterations=9'])).rejects.toThrow(
      '10 iterations are done already: expected a larger total, got 9',
    );
    const { remarks } = await resume(['iterations=20']); // and is killed before its first checkpoint
    expect(remarks).toEqual([
      '10 iterations were planned, 20 are now; the constant schedule does not depend on their number',
    ]);
    expect(await train(await resume(), {})).toBe(true);
    expect(readFileSync(checkpoint()).equals(whole)).toBe(true);
    const { history, recipe } = await (await RunFolder.find(out))!.readInfo();
    expect(recipe.iterations).toBe(20);
    expect(history).toMatchObject([
      { from: 0, iterations: 10, commit: 'abc' },
      { from: 10, iterations: 20 },
    ]);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('# from iteration 10 on:');
  });

  test('a cosine is recomputed from the new total', async () => {
    await train(await open(['iterations=20']), {});
    const opened = await resume(['iterations=40']);
    expect(opened.remarks.join()).toMatch(
      /cosine schedule is recomputed .*: at iteration 20 .* from 0\.0?01.* to 0\.001/,
    );
    expect(await train(opened, {})).toBe(true);
    const rates = lines(readFileSync(join(out, 'metrics.jsonl'), 'utf8')).flatMap(({ lr }) => lr ?? []);
    expect(rates.at(-1)).toBeLessThan(2e-5);
  });
});

describe('weights to start from', () => {
  const given = async (): Promise<string> => {
    await train(await open(['iterations=8', 'ema=0.5']), {});
    const weights = join(out, 'weights.safetensors');
    out = join(folder, `run${run++}`);
    return weights;
  };

  test('are those of the first step, and of the average', async () => {
    const weights = await given();
    const { tensors } = await readSafetensors(weights);
    const opened = await open(['iterations=2', 'ema=0.9', 'net.dropout=0.1'], { weights });
    expect(opened.remarks).toEqual([
      `starting from the weights in ${weights}, which were trained with other settings: net.dropout: 0 there, 0.1 here`,
    ]);
    const own = (await opened.trainer.state()).tensors;
    for (const [name, { data }] of tensors) {
      expect(own.get(`net.${name}`)!.data).toEqual(data);
      expect(own.get(`ema.${name}`)!.data).toEqual(data);
    }
    // Stopped before its first checkpoint, the run starts from them again; a file that has changed is refused.
    const again = await resume([], { data: [] });
    expect((await again.trainer.net.stateDict()).get('out.bias')!.data).toEqual(tensors.get('out.bias')!.data);
    await expect(resume([], { weights: clip })).rejects.toThrow(`expected ${weights}`);
    const halved = [...tensors].map(
      ([name, x]) => [name, { ...x, data: Float32Array.from(x.data as Float32Array, (v) => v / 2) }] as const,
    );
    await writeSafetensors(weights, halved);
    await expect(resume()).rejects.toThrow('weights.safetensors has changed since the run was started from it');
  });

  test('that do not fit are refused by name, and nothing is made', async () => {
    const weights = await given();
    await expect(open(['net.width=8'], { weights })).rejects.toThrow(
      /weights\.safetensors: net\.width: 4 there, 8 here\. .*do not fit this network: lfe\.weight: expected/,
    );
    await expect(open([], { weights: checkpointBeside(weights) })).rejects.toThrow(
      'a checkpoint to go on training from',
    );
    await writeSafetensors(weights, [['x', { shape: [1], data: Float32Array.of(1) }]], { net: 'vdsr' });
    await expect(open([], { weights })).rejects.toThrow('expected weights of fstrn, found those of vdsr');
    expect(existsSync(out)).toBe(false);
  });
  const checkpointBeside = (weights: string) => join(weights, '../checkpoint.safetensors');
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
    await expect(resume([], { out: `${out}-typo`, data: [] })).rejects.toThrow(
      `${out}-typo: no training run is there to resume; to start one, leave out --resume and give --data`,
    );
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
  });

  test('a checkpoint with damaged metadata is told by file and part', async () => {
    await train(await open([...twenty, 'schedule.name=plateau']), {}, { stopAfter: 1 });
    const { tensors, metadata } = await readSafetensors(checkpoint());
    const parts: [string, unknown][] = [
      ...([
        ['iteration', -1],
        ['noise', null],
        ['sampler', {}],
        ['schedule', { lr: 'NaN' }],
      ] as [string, unknown][]),
      ...([
        ['schedule', {}],
        ['recent', [null]],
        ['window', [0]],
        ['kernels', { conv: 3 }],
      ] as [string, unknown][]),
    ];
    for (const [part, value] of parts) {
      const progress = JSON.stringify({ ...JSON.parse(metadata.progress), [part]: value });
      await writeSafetensors(checkpoint(), tensors, { ...metadata, progress });
      await expect(resume()).rejects.toThrow(`${checkpoint()}: its metadata is not that of a checkpoint: ${part}`);
    }
    await writeSafetensors(checkpoint(), tensors, metadata);
    expect((await resume()).trainer.iteration).toBe(1);
  });

  test('a damaged or hostile recipe.json is told by file and key', async () => {
    await train(await open(twenty), {}, { stopAfter: 1 });
    const path = join(out, 'recipe.json');
    const good = readFileSync(path, 'utf8');
    const refused = async (text: string, message: string) => {
      writeFileSync(path, text);
      const error = await resume().catch((e) => e);
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain(`${path}: not the recipe of a training run: ${message}`);
    };
    const changed = (change: (info: ReturnType<typeof JSON.parse>) => void) => {
      const info = JSON.parse(good);
      change(info);
      return JSON.stringify(info);
    };
    await refused('{"recipe":', '');
    await refused('[]', 'data: expected a list of paths');
    await refused('null', 'the file: expected a JSON object');
    await refused(
      changed((info) => info.data.push(5)),
      'data: expected a list of paths',
    );
    await refused(
      changed((info) => (info.history = [null])),
      'history: expected a list of',
    );
    await refused(
      changed((info) => (info.recipe = 'fstrn')),
      'recipe: expected an object, got "fstrn"',
    );
    await refused(
      changed((info) => (info.recipe.net.name = 'constructor')),
      'recipe: net.name: expected one of ',
    );
    await refused(
      changed((info) => delete info.recipe.memory),
      'recipe: memory.activations: expected one of f32, f16, got nothing',
    );
    await refused(
      changed((info) => (info.recipe.data.batch = '2')),
      'recipe: data.batch: expected a number, got "2"',
    );
    await refused(
      changed((info) => (info.recipe.schedule.steps = [null])),
      'recipe: schedule.steps: expected a list of',
    );
    await refused(
      changed((info) => (info.recipe.seed = -1)),
      'recipe: seed: expected a whole number of at least 0, got -1',
    );
    await refused(
      changed((info) => (info.recipe.net.extra = 1)),
      'recipe: net.extra: there is no such setting',
    );
    await refused(
      `{"data":[],"val":[],"clips":"","device":"","history":[],"recipe":${'['.repeat(1e5)}${']'.repeat(1e5)}}`,
      'recipe: ',
    );
  });
});

describe('bad input leaves nothing behind', () => {
  test.each<[string, () => Promise<Partial<RunRequest>>, unknown, RegExp]>([
    ['a missing file', async () => ({ data: [join(folder, 'no.mp4')] }), FormatError, /no\.mp4: no such file/],
    ['text called .mp4', async () => ({ data: [textFile()] }), FormatError, /text\.mp4/],
    ['text as --val', async () => ({ val: [textFile()] }), FormatError, /text\.mp4/],
    ['no clips', async () => ({ data: [] }), UsageError, /--data: expected at least one clip/],
    [
      'fewer frames than T',
      async () => ({ data: [await video('short.mkv', 4)], val: [clip] }),
      UsageError,
      /at least 5/,
    ],
    [
      'fewer than T after hold-out',
      async () => ({ data: [await video('held.mkv', 5)] }),
      UsageError,
      /clip held: too short: it has 5 frames; hold-out \(data\.holdOut=0\.2\) keeps 1 .* leaves 4, a sample needs 5/,
    ],
    [
      'frames of 1x1',
      async () => ({ data: [await video('one.mkv', 8, 1, 1)] }),
      UsageError,
      /squares of 16 pixels .* it has 1x1: too few for any/,
    ],
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

test('of pictures, the last fifth of them is held out', () => {
  const pictures = Array.from({ length: 7 }, (_, i) => waves({ frames: 1, name: String(i) }));
  const { training, heldOut } = splitClips([...pictures, waves({ frames: 5 })], 0.2);
  expect(training.map(({ frames }) => frames.length)).toEqual([1, 1, 1, 1, 1, 0, 0, 4]);
  expect(heldOut.map(({ name }) => name)).toEqual(['5', '6', 'waves']);
});
