import { entry } from '../../nets/rcan.ts';
import { recipe } from '../recipe.ts';

const HALVED = 200_000; // steps: 200 epochs of 1,000

/** The paper's x4, but from first weights: its own starts from those of x2. Values are 0..1 in the loss, 0..255 inside. */
export const rcan = recipe({
  name: 'rcan',
  iterations: 5 * HALVED,
  net: { name: 'rcan', ...entry.defaults },
  data: { crop: 48 * 4, margin: 8, turns: true, rounded: true },
  schedule: { name: 'step', steps: [1, 2, 3, 4].map((n) => n * HALVED), factor: 0.5 },
});
