import { entry } from '../../nets/spmc.ts';
import { recipe } from '../recipe.ts';

/**
 * The public code of PFNL, which trains this network where its own code does not, on pictures made small as the paper makes them
 * (PFNL blurs them with a Gaussian). Left out: 0.01 times the loss of the motion net, which learns from the pictures alone here, and
 * from the first step, not after 10,000. The norm is limited for all gradients together, there for those of the ConvLSTM.
 */
export const spmc = recipe({
  name: 'spmc',
  iterations: 150_000,
  net: { name: 'spmc', ...entry.defaults },
  data: { frames: 3, crop: 100 * 4, margin: 8, batch: 10, degradation: 'spmc' },
  loss: { name: 'mse', frames: 'centre', estimates: [0.5, 0.75, 1] },
  optimizer: { lr: 1e-3 },
  schedule: { name: 'polynomial', last: 1e-4, power: 0.9, period: 120_000 },
  gradients: { clipNorm: 3 },
});
