import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { DeviceLostError, FormatError, NotFiniteError } from '../../engine/errors.ts';
import { encodeSafetensors } from '../../io/safetensors.ts';
import { entry as fstrn } from '../../nets/fstrn.ts';
import { ClipStore, CropSampler } from '../../train/dataset.ts';
import { runTraining } from '../../train/loop.ts';
import { cropsOf, type Recipe } from '../../train/recipe.ts';
import { type BatchSource, type LossRecord, lossOf, Trainer, type TrainerState } from '../../train/trainer.ts';
import { Validation } from '../../train/validation.ts';
import { testEngine } from '../ops/engine.ts';
import { tinyRecipe, waves } from './tiny-run.ts';

let engine: Engine;
const trainers: Trainer[] = [];
beforeAll(async () => {
  engine = await testEngine();
});
afterEach(() => {
  for (const trainer of trainers.splice(0)) trainer.dispose();
});

const sampler = (recipe: Recipe): CropSampler =>
  new CropSampler(new ClipStore([waves()]), cropsOf(recipe), recipe.seed);

function trainerOf(recipe: Recipe, samples: BatchSource = sampler(recipe), on = engine): Trainer {
  const trainer = new Trainer(on, recipe, fstrn, samples);
  if (on === engine) trainers.push(trainer);
  return trainer;
}

async function steps(trainer: Trainer, count: number): Promise<LossRecord[]> {
  const records: LossRecord[] = [];
  for (let i = 0; i < count; i++) records.push(...(await trainer.step()));
  return [...records, ...(await trainer.drain())];
}

/** The bytes that a checkpoint has. */
const bytes = ({ tensors, progress }: TrainerState) =>
  Buffer.from(encodeSafetensors(tensors, { progress: JSON.stringify(progress) })).toString('base64');

/** Everything that a state must carry: dropout, averages, a schedule that watches the loss, accumulation. */
const everything = [
  ...['net.dropout=0.3', 'ema=0.9', 'gradients.accumulate=2', 'gradients.clipNorm=0.5', 'gradients.clipValue=0.2'],
  ...['schedule.name=plateau', 'schedule.window=6', 'schedule.patience=0', 'log.every=7', 'loss.frames=centre'],
];

describe('what papers ask for', () => {
  test('half the squared distance of a sample is that of the mean, times its values', async () => {
    const [half] = await steps(trainerOf(tinyRecipe('loss.name=half', 'log.every=1', 'iterations=1')), 1);
    const [mean] = await steps(trainerOf(tinyRecipe('loss.name=mse', 'log.every=1', 'iterations=1')), 1);
    expect(half.loss).toBeCloseTo((mean.loss * 5 * 16 * 16) / 2, 4);
  });

  test('estimates enter the loss by their weights', async () => {
    using _scope = engine.scope();
    const y = engine.tensor([1, 1, 2, 1, 2], [1, 2, 5, 3]); // 1 and 2, then 5 and 3, where 2 and 2 are wanted
    const target = engine.tensor([1, 1, 1, 1, 2], [2, 2]);
    const loss = lossOf(tinyRecipe('loss.name=mse'), y, target, engine.tensor([2], [0.25, 0.75]));
    expect((await loss.read())[0]).toBeCloseTo(0.25 * 0.5 + 0.75 * 5, 6);
  });

  test('adjustable clipping: no step is longer than its bound, whatever the rate', async () => {
    const theta = 1e-4;
    const plain = ['optimizer.name=sgd', 'loss.name=half', `gradients.clipTheta=${theta}`, 'schedule.name=step'];
    const trainer = trainerOf(tinyRecipe(...plain, 'optimizer.lr=0.1', 'schedule.steps=2', 'schedule.factor=0.1'));
    let before = await trainer.net.stateDict();
    for (let step = 0; step < 4; step++) {
      await steps(trainer, 1);
      const after = await trainer.net.stateDict();
      const moved = [...after].map(([name, { data }]) =>
        Math.max(...data.map((v, i) => Math.abs(v - before.get(name)!.data[i]))),
      );
      expect(Math.max(...moved)).toBeLessThan(1.01 * theta);
      expect(Math.max(...moved)).toBeGreaterThan(0.9 * theta); // the same at a tenth of the rate
      before = after;
    }
  });

  test.each([
    ['data.scales=2,3', 'data.scales: this network wants pictures that are not enlarged: [], got [2,3]'],
    ['loss.estimates=1,2', 'loss.estimates: this network wants none, as it makes one picture, got 2'],
    ['loss.estimates=1,-1', 'loss.estimates: expected weights above 0, got -1'],
    ['data.motion=coarse2fine', 'data.motion: this network wants none, got coarse2fine'],
    ['memory.checkpoint=true', 'memory.checkpoint: fstrn has no blocks of several layers to compute again'],
  ])('%s is refused where the network has no use for it', (setting, message) => {
    expect(() => trainerOf(tinyRecipe('net.blocks=0', setting), { next: () => undefined as never } as never)).toThrow(
      message,
    );
  });
});

describe('a tiny run', () => {
  test('ten losses fall, and the same seed gives the same ones', async () => {
    const records = await steps(trainerOf(tinyRecipe()), 40);
    expect(records.map(({ iteration }) => iteration)).toEqual([4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
    const mean = (part: LossRecord[]) => part.reduce((sum, { loss }) => sum + loss, 0) / part.length;
    expect(mean(records.slice(-3))).toBeLessThan(0.7 * mean(records.slice(0, 3)));
    expect(await steps(trainerOf(tinyRecipe()), 40)).toEqual(records);
    expect(await steps(trainerOf(tinyRecipe('seed=2')), 40)).not.toEqual(records);
  });

  test.each(['l1', 'mse'])('learns by %s and SGD too', async (loss) => {
    const recipe = tinyRecipe(`loss.name=${loss}`, 'optimizer.name=sgd', 'optimizer.momentum=0.9', 'optimizer.lr=0.02');
    const records = await steps(trainerOf(recipe), 40);
    expect(records[9].loss).toBeLessThan(records[0].loss);
  });

  test('live memory after step 3 is that after step 100', async () => {
    const trainer = trainerOf(tinyRecipe(...everything));
    await steps(trainer, 3);
    const { live, liveBlocks } = engine.memory.stats();
    await steps(trainer, 97);
    expect(engine.memory.stats()).toMatchObject({ live, liveBlocks });
    trainers.pop()!.dispose();
    expect(engine.memory.stats().live).toBeLessThan(live);
  });

  test('steps replayed and steps made anew give the same bytes', async () => {
    const recipe = tinyRecipe(...everything);
    const [replayed, made] = [trainerOf(recipe), new Trainer(engine, recipe, fstrn, sampler(recipe), false)];
    trainers.push(made);
    await made.compile(); // takes no step
    expect(await steps(replayed, 20)).toEqual(await steps(made, 20));
    expect(bytes(await replayed.state())).toBe(bytes(await made.state()));
  });

  test('activations in half the memory, blocks computed twice, a scaled loss: nearly or exactly the same gradients', async () => {
    const train = async (...settings: string[]) => {
      const trainer = trainerOf(
        tinyRecipe('optimizer.name=sgd', 'data.crop=48', 'data.batch=4', 'net.width=16', 'net.blocks=10', ...settings),
      );
      await steps(trainer, 1);
      engine.memory.resetPeak();
      const { live } = engine.memory.stats();
      await steps(trainer, 1);
      const weights = (await trainer.net.stateDict()).get('blocks.0.spatial.weight')!.data;
      const peak = engine.memory.stats().peak - live;
      trainers.pop()!.dispose();
      return { weights, peak };
    };
    const plain = await train();
    const furthest = (other: Float32Array) => Math.max(...other.map((v, i) => Math.abs(v - plain.weights[i])));
    const again = await train('memory.checkpoint=true');
    expect(again.weights).toEqual(plain.weights);
    expect(again.peak).toBeLessThan(0.9 * plain.peak);
    const half = await train('memory.activations=f16');
    expect(furthest(half.weights)).toBeGreaterThan(0);
    expect(furthest(half.weights)).toBeLessThan(1e-4);
    expect(half.peak).toBeLessThan(plain.peak);
    expect(furthest((await train('gradients.lossScale=1024')).weights)).toBeLessThan(1e-7);
  });

  test('accumulated passes equal one large batch', async () => {
    const twice = trainerOf(tinyRecipe('gradients.accumulate=2', 'data.batch=1', 'optimizer.name=sgd'));
    const once = trainerOf(tinyRecipe('gradients.accumulate=1', 'data.batch=2', 'optimizer.name=sgd'));
    await steps(twice, 1);
    await steps(once, 1);
    const [a, b] = [await twice.net.stateDict(), await once.net.stateDict()];
    for (const [name, { data }] of a) {
      const furthest = Math.max(...data.map((v, i) => Math.abs(v - b.get(name)!.data[i])));
      expect(furthest, name).toBeLessThan(1e-6);
    }
  });
});

describe('going on from a state', () => {
  test.each([1, 10, 13])('20 iterations in one go, and %i and the rest: the same bytes', async (first) => {
    const recipe = tinyRecipe('iterations=20', ...everything);
    const whole = trainerOf(recipe);
    const records = await steps(whole, 20);
    const before = trainerOf(recipe);
    const early = await steps(before, first);
    const state = await before.state();
    const after = trainerOf(recipe);
    after.restore({ tensors: state.tensors, progress: JSON.parse(JSON.stringify(state.progress)) });
    const late = await steps(after, 20 - first);
    expect([...early, ...late]).toEqual(records);
    expect(bytes(await after.state())).toBe(bytes(await whole.state()));
  });

  test('saving and validating on the way change nothing', async () => {
    const recipe = tinyRecipe('iterations=12', ...everything);
    const quiet = trainerOf(recipe);
    await steps(quiet, 12);
    const busy = trainerOf({ ...recipe, validation: { ...recipe.validation, every: 3 } });
    const options = { degradation: 'bicubic', rounded: false, frames: 1, crop: 32, window: 5 } as const;
    const validation = await Validation.prepare([waves({ frames: 3 })], busy.net, options);
    const scores: number[] = [];
    let saves = 0;
    const finished = await runTraining(busy, {
      loss() {},
      validate: () => busy.evaluating((net) => validation.measure(engine, net)),
      score: ({ psnr, bicubic }) => void scores.push(psnr, bicubic),
      save: async () => void saves++,
    });
    expect([finished, saves, scores.length]).toEqual([true, 1, 8]);
    expect(scores.every((score) => score > 5 && score < 60)).toBe(true);
    expect(bytes(await busy.state())).toBe(bytes(await quiet.state()));
  });

  test('the state of another network is refused', async () => {
    const state = await trainerOf(tinyRecipe('net.blocks=2')).state();
    expect(() => trainerOf(tinyRecipe()).restore(state)).toThrow(FormatError);
    expect(() => trainerOf(tinyRecipe()).restore(state)).toThrow(/blocks\.1\..* is unknown/);
  });
});

describe('what goes wrong', () => {
  test('a loss that is not a number names its iteration', async () => {
    const recipe = tinyRecipe();
    const good = sampler(recipe);
    let served = 0;
    const source: BatchSource = {
      next(batch) {
        const samples = good.next(batch);
        if (++served === 5) samples.lr[0] = Number.NaN;
        return samples;
      },
      state: () => good.state(),
      restore: (state) => good.restore(state),
    };
    const trainer = trainerOf(recipe, source);
    const error = await steps(trainer, 20).catch((e) => e);
    expect(error).toBeInstanceOf(NotFiniteError);
    expect(error.message).toMatch(/^iteration 5: the loss is NaN\. /);
  });

  test('weights that are not finite are not kept', async () => {
    const trainer = trainerOf(tinyRecipe('optimizer.name=sgd', 'optimizer.lr=1e39', 'schedule.name=constant'));
    await trainer.step();
    await expect(trainer.state()).rejects.toThrow(NotFiniteError);
  });

  test('a device lost in the middle of training', async () => {
    const own = await testEngine();
    const recipe = tinyRecipe('checkpoint.every=4');
    const trainer = trainerOf(recipe, sampler(recipe), own);
    const saved: TrainerState[] = [];
    const run = runTraining(trainer, {
      loss() {},
      step: () => void (trainer.iteration === 10 && own.device.gpu.destroy()),
      save: async (state) => void saved.push(state),
    });
    await expect(run).rejects.toThrow(DeviceLostError);
    expect(saved.map(({ progress }) => progress.iteration)).toEqual([4, 8]);
  });
});
