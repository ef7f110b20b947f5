import { recipe } from '../recipe.ts';

/**
 * The public code of PFNL, which trains this network where its own code does not. The loss is that of the last estimate; those of the
 * earlier ones, and 0.01 times the motion net's, follow.
 */
export const spmc = recipe({
  name: 'spmc',
  iterations: 150_000,
  net: { name: 'spmc' },
  data: { frames: 3, crop: 100 * 4, margin: 8, batch: 10, degradation: 'spmc' },
  loss: { name: 'mse', frames: 'centre' },
  optimizer: { lr: 1e-3 },
  schedule: { name: 'polynomial', last: 1e-4, power: 0.9, period: 120_000 },
  gradients: { clipNorm: 3 },
});
