import { UsageError } from '../engine/errors.ts';
import { fstrnDefaults } from '../nets/fstrn.ts';
import { nets } from '../nets/index.ts';
import type { Degradation } from './degrade.ts';
import { nearest } from './near.ts';

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
    /** High-resolution pixels along a sample's side. */
    readonly crop: number;
    /** N, samples in one forward pass. */
    readonly batch: number;
    readonly degradation: Degradation;
    readonly flips: boolean;
    /** Without clips for validation: the share at the end of each training clip that is never trained on. */
    readonly holdOut: number;
  };
  readonly loss: {
    readonly name: 'charbonnier' | 'l1' | 'mse';
    /** ε of Charbonnier's sqrt(d² + ε²), in units of 0..1. */
    readonly eps: number;
    /** Which of the T frames enter. */
    readonly frames: 'all' | 'centre';
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
    readonly name: 'constant' | 'cosine' | 'step' | 'plateau';
    /** cosine: steps of linear warm-up, and the last learning rate. */
    readonly warmup: number;
    readonly last: number;
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

/**
 * The paper's training, with the numbers of its public code: 13,020 samples in batches of 21 are an epoch of 620 steps, and
 * there are 100. A batch goes through in three passes of seven, so that it fits into half a gigabyte; no layer mixes samples, so
 * the gradient is the same. Where the paper leaves it open, the loss is taken over all frames, as its formula has it.
 */
const fstrn: Recipe = {
  name: 'fstrn',
  seed: 1,
  iterations: 62_000,
  net: { name: 'fstrn', ...fstrnDefaults },
  data: { frames: 5, crop: 144, batch: 7, degradation: 'gaussian', flips: true, holdOut: 0.2 },
  loss: { name: 'charbonnier', eps: 1e-3, frames: 'all' },
  optimizer: { name: 'adam', lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, momentum: 0, weightDecay: 0 },
  schedule: { name: 'plateau', warmup: 0, last: 0, steps: [], factor: 0.1, window: 620, patience: 5 },
  gradients: { accumulate: 3, clipNorm: 0, clipValue: 0, lossScale: 1 },
  memory: { activations: 'f32', checkpoint: false },
  ema: 0,
  log: { every: 20 },
  validation: { every: 1000, frames: 10, crop: 0 },
  checkpoint: { every: 1000, seconds: 300 },
};

/**
 * For two processor cores and a few minutes: a narrow, shallow net that learns what to add to bicubic. Trained on eight of
 * the paper's QCIF clips, its 1500 iterations gain over bicubic (Y, 8 pixels cropped): Vid4 city 25.36 against 25.09 dB,
 * carphone 27.07 against 26.08 dB.
 */
const fstrnSmall: Recipe = {
  ...fstrn,
  name: 'fstrn-small',
  iterations: 1500,
  net: { ...fstrn.net, width: 32, blocks: 3, crossResidual: 'bicubic', dropout: 0 },
  data: { ...fstrn.data, crop: 96, batch: 2, degradation: 'bicubic' },
  optimizer: { ...fstrn.optimizer, lr: 1e-3 },
  schedule: { ...fstrn.schedule, name: 'cosine', warmup: 20, last: 1e-5 },
  gradients: { ...fstrn.gradients, accumulate: 1 },
  log: { every: 10 },
  validation: { every: 250, frames: 5, crop: 256 },
  checkpoint: { every: 200, seconds: 60 },
};

export const recipes: Readonly<Record<string, Recipe>> = { fstrn, 'fstrn-small': fstrnSmall };

/** @throws {UsageError} that lists the names */
export function recipeNamed(name: string): Recipe {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  throw new UsageError(`no recipe is called ${name}${nearest(name, Object.keys(recipes))}`);
}

/** A recipe by its name, or the paper's training of a network by the network's. Undefined where neither exists. */
export function recipeOrNet(name: string): Recipe | undefined {
  if (Object.hasOwn(recipes, name)) return recipes[name];
  return Object.hasOwn(nets, name) ? { ...fstrn, net: { name, ...nets[name].defaults } } : undefined;
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
    ['data.batch', data.batch, 1],
    ['gradients.accumulate', gradients.accumulate, 1],
    ['log.every', log.every, 1],
    ['validation.every', validation.every, 0],
    ['validation.frames', validation.frames, 0],
    ['validation.crop', validation.crop, 0],
    ['checkpoint.every', checkpoint.every, 0],
    ['schedule.warmup', schedule.warmup, 0],
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
  if (!(gradients.lossScale > 0)) refuse('gradients.lossScale', 'a positive number', gradients.lossScale);
  if (!(optimizer.lr > 0)) refuse('optimizer.lr', 'a positive number', optimizer.lr);
  const entry = nets[recipe.net.name] ?? refuse('net.name', Object.keys(nets).join(' or '), recipe.net.name);
  const scale = Number(recipe.net.scale ?? entry.defaults.scale);
  if (data.crop % scale !== 0) refuse('data.crop', `a multiple of the scale ${scale}`, data.crop);
}
