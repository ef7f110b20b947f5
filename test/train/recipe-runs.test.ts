import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { toPlanes } from '../../train/colour.ts';
import { type ClipFrames, ClipStore, CropSampler } from '../../train/dataset.ts';
import { override } from '../../train/overrides.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { cropsOf } from '../../train/recipe.ts';
import { recipes } from '../../train/recipes.ts';
import { type LossRecord, Trainer } from '../../train/trainer.ts';
import { Validation } from '../../train/validation.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
let clip: ClipFrames;
beforeAll(async () => {
  engine = await testEngine();
  const [width, height, count] = [64, 64, 20];
  const frames = proceduralClip({ width, height, frames: count }).map((rgb) => toPlanes(rgb));
  clip = { name: 'procedural', width, height, channels: 3, frames };
});
afterAll(() => engine.destroy());

const ITERATIONS = 24;
const PART = 6;

/** What makes each network so small that it trains in a second; rates are those of small networks. */
const small: Record<string, string[]> = {
  'fstrn-small': ['net.width=8', 'net.blocks=1', 'data.crop=32'],
  b123t: ['net.width=8', 'optimizer.lr=3e-3'],
  dbpn: ['net.features=8', 'net.width=4', 'net.stages=2', 'optimizer.lr=3e-3'],
  duf: ['net.layers=16', 'net.growth=4', 'net.width=8', 'net.head=8'],
  esrgan: ['net.width=8', 'net.blocks=1', 'net.growth=4', 'optimizer.lr=3e-3'],
  frvsr: ['data.frames=3', 'net.width=8', 'net.blocks=1', 'net.flowWidth=4', 'optimizer.lr=3e-3'],
  fstrn: ['net.width=8', 'net.blocks=1', 'optimizer.lr=3e-3', 'gradients.accumulate=2', 'data.crop=32'],
  msrresnet: ['net.width=8', 'net.blocks=1', 'optimizer.lr=3e-3'],
  rbpn: ['optimizer.lr=3e-3'],
  rcan: ['net.width=8', 'net.groups=1', 'net.blocks=1', 'net.reduction=4', 'optimizer.lr=3e-3'],
  spmc: ['optimizer.lr=3e-3'],
  srresnet: ['net.width=8', 'net.blocks=1', 'optimizer.lr=3e-3'],
  vdsr: ['net.width=8', 'net.layers=4', 'data.crop=24'],
  vespcn: ['net.width=8', 'net.layers=4', 'net.flowWidth=4', 'optimizer.lr=3e-3'],
};

async function records(trainer: Trainer): Promise<LossRecord[]> {
  const all: LossRecord[] = [];
  for (let i = 0; i < ITERATIONS; i++) all.push(...(await trainer.step()));
  return [...all, ...(await trainer.drain())];
}

describe('every recipe, with a tiny network', () => {
  test.each(Object.values(recipes))('$name lowers its loss, and is judged', async (recipe) => {
    const settings = ['data.crop=32', 'data.batch=2', 'log.every=1', `iterations=${ITERATIONS}`, ...small[recipe.name]];
    const tiny = override(recipe, settings);
    const before = engine.memory.stats().live;
    const sampler = new CropSampler(new ClipStore([clip]), cropsOf(tiny), 1);
    const trainer = new Trainer(engine, tiny, sampler);
    try {
      const losses = (await records(trainer)).map(({ loss }) => loss);
      const mean = (part: number[]) => part.reduce((a, b) => a + b, 0) / part.length;
      expect(mean(losses.slice(-PART))).toBeLessThan(mean(losses.slice(0, PART)));
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
