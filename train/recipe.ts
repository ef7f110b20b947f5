import { UsageError } from '../engine/errors.ts';
import type { CropOptions } from './dataset.ts';
import type { Degradation } from './degrade.ts';

/** A whole training run in plain numbers: with the clips, all that its result depends on. */
export interface Recipe {
  readonly name: string;
  /** Of the first weights, the crops and the dropout masks. */
  readonly seed: number;
  /** Optimizer steps. */
  readonly iterations: number;
  /** The network's name, and every setting of it. */
  readonly net: { readonly name: string } & Readonly<Record<string, unknown>>;
  readonly data: {
    /** T, consecutive frames in one sample. */
    readonly frames: number;
    /** From one frame of a sample to the next; of several, each sample draws one. 0 stands still, -1 runs backwards. */
    readonly intervals: readonly number[];
    /** High-resolution pixels along a sample's side. */
    readonly crop: number;
    /** High-resolution pixels around it that low resolution is made with, and that are then cut away. */
    readonly margin: number;
    /** N, samples in one forward pass. */
    readonly batch: number;
    readonly degradation: Degradation;
    /** Low resolution is rounded to 8 bits, as in files. */
    readonly rounded: boolean;
    /** Networks that take enlarged pictures: by which factors, of which each sample draws one. Empty for all others. */
    readonly scales: readonly number[];
    /** Mirrors in x and in y, each every second time. */
    readonly flips: boolean;
    /** Exchanges x and y every second time: with flips, all eight ways to lay a square. */
    readonly turns: boolean;
    /** A second input of the network: motion from the middle frame to each other one, measured on the finished sample. */
    readonly motion: 'none' | 'coarse2fine';
    /** Without clips for validation: the share at the end of each training clip that is never trained on. */
    readonly holdOut: number;
  };
  readonly loss: {
    /** Means over all values; `half` is half the squared distance of a whole sample, mean over samples. */
    readonly name: 'charbonnier' | 'l1' | 'mse' | 'half' | 'huber';
    /** ε of Charbonnier's sqrt(d² + ε²), in units of 0..1. */
    readonly eps: number;
    /** Where Huber's loss turns from a parabola to a line, in units of 0..1. */
    readonly delta: number;
    /** Which of the T frames enter. */
    readonly frames: 'all' | 'centre';
    /** Of networks that make a picture after each frame: what each weighs, of their sum. Empty: the last one counts alone. */
    readonly estimates: readonly number[];
  };
  readonly optimizer: {
    readonly name: 'adam' | 'sgd';
    readonly lr: number;
    /** Adam's. */
    readonly beta1: number;
    readonly beta2: number;
    readonly eps: number;
    /** SGD's. */
    readonly momentum: number;
    readonly weightDecay: number;
  };
  readonly schedule: {
    readonly name: 'constant' | 'cosine' | 'polynomial' | 'step' | 'plateau';
    /** cosine: steps of linear warm-up. */
    readonly warmup: number;
    /** cosine and polynomial: the last learning rate. */
    readonly last: number;
    /** cosine begins anew after so many steps, polynomial has arrived; 0: at the end of the run. */
    readonly period: number;
    /** polynomial: its exponent. */
    readonly power: number;
    /** step: where the rate is multiplied by `factor`. */
    readonly steps: readonly number[];
    readonly factor: number;
    /** plateau: windows of so many iterations; `patience` of them without a smaller mean loss multiply by `factor`. */
    readonly window: number;
    readonly patience: number;
  };
  readonly gradients: {
    /** Forward passes per optimizer step. */
    readonly accumulate: number;
    /** Largest norm of all gradients together, and largest component; 0 for no limit. */
    readonly clipNorm: number;
    readonly clipValue: number;
    /** VDSR's adjustable clipping: components are at most this over the learning rate; 0 for no limit. */
    readonly clipTheta: number;
    /** Gradients are this many times larger on their way, lest they vanish where kernels compute with 16 bits. */
    readonly lossScale: number;
  };
  readonly memory: {
    /** How activations wait for their gradients: exact, or rounded to 16 bits in half the memory. */
    readonly activations: 'f32' | 'f16';
    /** Keep only the inputs of the network's blocks, and compute again what lies inside when its gradients are due. */
    readonly checkpoint: boolean;
  };
  /** Decay of the weights' moving average, which is then what is validated and used; 0 for none. */
  readonly ema: number;
  readonly log: { readonly every: number };
  readonly validation: {
    /** Iterations between two; 0 for none. */
    readonly every: number;
    /** Frames of each clip, from its middle, and the side of the square cut from their middle; 0 for all. */
    readonly frames: number;
    readonly crop: number;
  };
  readonly checkpoint: {
    /** Whichever comes first; 0 for none. */
    readonly every: number;
    readonly seconds: number;
  };
}

/** What most recipes have in common; the numbers that make a training are in the recipes themselves. */
const common: Omit<Recipe, 'name' | 'net' | 'iterations'> = {
  seed: 1,
  data: {
    ...{ frames: 1, intervals: [1], crop: 128, margin: 0, batch: 16, degradation: 'bicubic', rounded: false },
    ...{ scales: [], flips: true, turns: false, motion: 'none', holdOut: 0.2 },
  },
  loss: { name: 'l1', eps: 1e-3, delta: 0.01, frames: 'all', estimates: [] },
  optimizer: { name: 'adam', lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, momentum: 0, weightDecay: 0 },
  schedule: {
    ...{ name: 'constant', warmup: 0, last: 0, period: 0, power: 1, steps: [], factor: 0.1 },
    ...{ window: 1000, patience: 5 },
  },
  gradients: { accumulate: 1, clipNorm: 0, clipValue: 0, clipTheta: 0, lossScale: 1 },
  memory: { activations: 'f32', checkpoint: false },
  ema: 0,
  log: { every: 20 },
  validation: { every: 1000, frames: 10, crop: 0 },
  checkpoint: { every: 1000, seconds: 300 },
};

type Part = Exclude<keyof typeof common, 'seed' | 'ema'>;
type Settings = Pick<Recipe, 'name' | 'iterations' | 'net'> & { readonly [P in Part]?: Partial<Recipe[P]> } & {
  readonly ema?: number;
};

/** Settings laid over what most recipes have in common. */
export function recipe({ name, iterations, net, ema = common.ema, ...settings }: Settings): Recipe {
  const part = <P extends Part>(key: P): (typeof common)[P] => ({ ...common[key], ...(settings[key] as object) });
  return {
    ...{ name, seed: common.seed, iterations, net },
    ...{ data: part('data'), loss: part('loss'), optimizer: part('optimizer'), schedule: part('schedule') },
    ...{ gradients: part('gradients'), memory: part('memory'), ema, log: part('log') },
    ...{ validation: part('validation'), checkpoint: part('checkpoint') },
  };
}

/** How a recipe's samples are cut. @throws {UsageError} for channels that no video has */
export function cropsOf({ net, data, loss }: Pick<Recipe, 'net' | 'data' | 'loss'>): CropOptions {
  const { channels, scale } = net;
  if (channels !== 1 && channels !== 3) {
    throw new UsageError(`net.channels: expected 1 (Y) or 3 (RGB) to train on video, got ${channels}`);
  }
  const { holdOut, batch, ...crops } = data;
  return { ...crops, channels, scale: Number(scale), target: loss.frames };
}

/** @throws {UsageError} for numbers that make no training run */
export function checkRecipe(recipe: Recipe): void {
  const refuse = (key: string, want: string, got: unknown): never => {
    throw new UsageError(`${key}: expected ${want}, got ${got}`);
  };
  const { data, gradients, log, validation, checkpoint, schedule, optimizer } = recipe;
  const counts: [string, number, number][] = [
    ['seed', recipe.seed, 0],
    ['iterations', recipe.iterations, 1],
    ['data.frames', data.frames, 1],
    ['data.crop', data.crop, 1],
    ['data.margin', data.margin, 0],
    ['data.batch', data.batch, 1],
    ['gradients.accumulate', gradients.accumulate, 1],
    ['log.every', log.every, 1],
    ['validation.every', validation.every, 0],
    ['validation.frames', validation.frames, 0],
    ['validation.crop', validation.crop, 0],
    ['checkpoint.every', checkpoint.every, 0],
    ['schedule.warmup', schedule.warmup, 0],
    ['schedule.period', schedule.period, 0],
    ['schedule.window', schedule.window, 1],
    ['schedule.patience', schedule.patience, 0],
  ];
  for (const [key, n, least] of counts) {
    if (!Number.isSafeInteger(n) || n < least) refuse(key, `a whole number of at least ${least}`, n);
  }
  const shares: [string, number][] = [
    ['data.holdOut', data.holdOut],
    ['ema', recipe.ema],
    ['optimizer.beta1', optimizer.beta1],
    ['optimizer.beta2', optimizer.beta2],
  ];
  for (const [key, share] of shares) if (!(share >= 0 && share < 1)) refuse(key, 'a share in [0, 1)', share);
  for (const n of recipe.loss.estimates) if (!(n > 0)) refuse('loss.estimates', 'weights above 0', n);
  if (!(gradients.lossScale > 0)) refuse('gradients.lossScale', 'a positive number', gradients.lossScale);
  if (!(optimizer.lr > 0)) refuse('optimizer.lr', 'a positive number', optimizer.lr);
  if (data.intervals.length === 0 || !data.intervals.every(Number.isSafeInteger)) {
    refuse('data.intervals', 'one or more whole numbers', `[${data.intervals}]`);
  }
  for (const n of data.scales) if (!Number.isSafeInteger(n) || n < 1) refuse('data.scales', 'whole factors', n);
  const scale = Number(recipe.net.scale);
  if (data.scales.length > 0) return; // enlarged samples have no grid
  if (data.crop % scale !== 0) refuse('data.crop', `a multiple of the scale ${scale}`, data.crop);
  if (data.margin % scale !== 0) refuse('data.margin', `a multiple of the scale ${scale}`, data.margin);
}
