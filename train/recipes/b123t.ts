import { entry } from '../../nets/b123t.ts';
import { recipe } from '../recipe.ts';

/**
 * The public code of PFNL. Left out: 0.01 times the loss of the motion net, which learns from the pictures alone here, and from the
 * first step, not after 10,000.
 */
export const b123t = recipe({
  name: 'b123t',
  iterations: 150_000,
  net: { name: 'b123t', ...entry.defaults },
  data: { frames: 5, crop: 30 * 4, margin: 8, batch: 16, degradation: 'duf' },
  loss: { name: 'charbonnier', eps: 1e-3, frames: 'centre' },
  optimizer: { lr: 1e-3 },
  schedule: { name: 'polynomial', last: 1e-4, power: 1, period: 120_000 },
});
