import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { encodeSafetensors } from '../../io/safetensors.ts';
import { netNamed } from '../../nets/index.ts';
import { srresnetEntry } from '../../nets/srgan.ts';
import { toPlanes } from '../../train/colour.ts';
import { type ClipFrames, ClipStore, CropSampler } from '../../train/dataset.ts';
import { override } from '../../train/overrides.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { cropsOf } from '../../train/recipe.ts';
import { recipes } from '../../train/recipes.ts';
import { type BatchSource, type LossRecord, Trainer } from '../../train/trainer.ts';
import { Validation } from '../../train/validation.ts';
import { testEngine } from '../ops/engine.ts';
import { asSettings } from './small-nets.ts';

let engine: Engine;
let clip: ClipFrames;
beforeAll(async () => {
  engine = await testEngine();
  const [width, height, count] = [80, 64, 20];
  const frames = proceduralClip({ width, height, frames: count }).map((rgb) => toPlanes(rgb));
  clip = { name: 'procedural', width, height, channels: 3, frames };
});
afterAll(() => engine.destroy());

const ITERATIONS = 24;

/** Rates of small networks, and samples that take a second. */
const rates: Record<string, string[]> = {
  ...Object.fromEntries(Object.keys(recipes).map((name) => [name, ['optimizer.lr=3e-3']])),
  ...{ duf: [], 'duf-28': [], 'duf-16': [] },
  frvsr: ['optimizer.lr=3e-3', 'data.frames=3'],
  fstrn: ['optimizer.lr=3e-3', 'gradients.accumulate=2'],
  'fstrn-small': [],
  rbpn: ['optimizer.lr=3e-3', 'data.crop=64'],
  vdsr: [],
};

async function records(trainer: Trainer): Promise<LossRecord[]> {
  const all: LossRecord[] = [];
  for (let i = 0; i < ITERATIONS; i++) all.push(...(await trainer.step()));
  return [...all, ...(await trainer.drain())];
}

describe('every recipe, with a tiny network', () => {
  test.each(Object.values(recipes))('$name lowers its loss, and is judged', async (recipe) => {
    const brief = ['data.crop=32', 'data.batch=2', 'log.every=1', `iterations=${ITERATIONS}`];
    const tiny = override(recipe, [...brief, ...asSettings(recipe.net.name), ...rates[recipe.name]]);
    const before = engine.memory.stats().live;
    const sampler = new CropSampler(new ClipStore([clip]), cropsOf(tiny), 1);
    const batch = sampler.next(2); // again and again: another one may be harder
    const samples: BatchSource = { next: () => batch, state: () => sampler.state(), restore() {} };
    const trainer = new Trainer(engine, tiny, netNamed(tiny.net.name), samples);
    try {
      const losses = (await records(trainer)).map(({ loss }) => loss);
      expect(losses.at(-1)).toBeLessThan(0.99 * losses[0]);
      const { degradation, rounded, frames: window } = tiny.data;
      const options = { degradation, rounded, window, frames: 2, crop: 32 };
      const validation = await Validation.prepare([clip], trainer.net, options);
      const { psnr, bicubic } = await trainer.evaluating((net) => validation.measure(engine, net));
      expect([psnr, bicubic].every((dB) => dB > 0 && Number.isFinite(dB))).toBe(true);
    } finally {
      trainer.dispose();
    }
    expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
  });
});

test('a run with running statistics goes on from its state to the same bits', async () => {
  const settings = ['data.crop=32', 'data.batch=2', 'log.every=1', ...asSettings('srresnet'), 'ema=0.9'];
  const recipe = override(recipes.srresnet, settings);
  const trainerOf = () =>
    new Trainer(engine, recipe, srresnetEntry, new CropSampler(new ClipStore([clip]), cropsOf(recipe), 1));
  const step = async (trainer: Trainer, count: number) => {
    for (let i = 0; i < count; i++) await trainer.step();
    await trainer.drain();
  };
  const bytes = async (trainer: Trainer) => {
    const { tensors, progress } = await trainer.state();
    return Buffer.from(encodeSafetensors(tensors, { progress: JSON.stringify(progress) })).toString('base64');
  };
  const [whole, first, second] = [trainerOf(), trainerOf(), trainerOf()];
  await step(whole, 7);
  await step(first, 3);
  second.restore(await first.state());
  await step(second, 4);
  expect([...(await second.state()).tensors.keys()].some((name) => name.includes('running_mean'))).toBe(true);
  expect(await bytes(second)).toBe(await bytes(whole));
  for (const trainer of [whole, first, second]) trainer.dispose();
});
