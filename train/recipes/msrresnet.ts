import { entry } from '../../nets/msrresnet.ts';
import { recipe } from '../recipe.ts';

/** BasicSR's training: four cosines, and the average of the weights. */
export const msrresnet = recipe({
  name: 'msrresnet',
  iterations: 1_000_000,
  net: { name: 'msrresnet', ...entry.defaults },
  data: { crop: 128, margin: 8, turns: true, rounded: true },
  optimizer: { lr: 2e-4, beta2: 0.99 },
  schedule: { name: 'cosine', period: 250_000, last: 1e-7 },
  ema: 0.999,
});
