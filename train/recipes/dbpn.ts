import { entry } from '../../nets/dbpn.ts';
import { recipe } from '../recipe.ts';

/** The paper's numbers; the loss is that of the public code. */
export const dbpn = recipe({
  name: 'dbpn',
  iterations: 1_000_000,
  net: { name: 'dbpn', ...entry.defaults },
  data: { crop: 32 * 4, margin: 8, batch: 20, rounded: true },
  optimizer: { weightDecay: 1e-4 },
  schedule: { name: 'step', steps: [500_000], factor: 0.1 },
});
