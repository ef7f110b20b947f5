import { entry } from '../../nets/fstrn.ts';
import { recipe } from '../recipe.ts';

/**
 * The paper's training, with the numbers of its public code: 13,020 samples in batches of 21 are an epoch of 620 steps, and
 * there are 100. A batch goes through in three passes of seven, so that it fits into half a gigabyte; no layer mixes samples, so
 * the gradient is the same. Where the paper leaves it open, the loss is taken over all frames, as its formula has it.
 */
export const fstrn = recipe({
  name: 'fstrn',
  iterations: 62_000,
  net: { name: 'fstrn', ...entry.defaults },
  data: { frames: 5, crop: 144, batch: 7, degradation: 'gaussian' },
  loss: { name: 'charbonnier', eps: 1e-3 },
  schedule: { name: 'plateau', factor: 0.1, window: 620, patience: 5 },
  gradients: { accumulate: 3 },
});

/**
 * For two processor cores and a few minutes: a narrow, shallow net that learns what to add to bicubic. Trained on eight of
 * the paper's QCIF clips, its 1500 iterations gain over bicubic (Y, 8 pixels cropped): Vid4 city 25.36 against 25.09 dB,
 * carphone 27.07 against 26.08 dB.
 */
export const fstrnSmall = recipe({
  name: 'fstrn-small',
  iterations: 1500,
  net: { name: 'fstrn', ...entry.defaults, width: 32, blocks: 3, crossResidual: 'bicubic', dropout: 0 },
  data: { frames: 5, crop: 96, batch: 2 },
  loss: { name: 'charbonnier', eps: 1e-3 },
  optimizer: { lr: 1e-3 },
  schedule: { name: 'cosine', warmup: 20, last: 1e-5, window: 620 },
  log: { every: 10 },
  validation: { every: 250, frames: 5, crop: 256 },
  checkpoint: { every: 200, seconds: 60 },
});
