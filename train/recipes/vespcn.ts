import { entry } from '../../nets/vespcn.ts';
import { recipe } from '../recipe.ts';

/**
 * The paper's patches and rate, its largest batch, and its first loss. Those of the motion net (0.01 times the difference of warped
 * neighbours, 0.001 times the flow's Huber loss) follow: here motion is learned from the result alone. Steps, and the blur before
 * every fourth pixel, as in the public code of PFNL, since the paper is silent.
 */
export const vespcn = recipe({
  name: 'vespcn',
  iterations: 150_000,
  net: { name: 'vespcn', ...entry.defaults },
  data: { frames: 3, crop: 33 * 4, margin: 8, batch: 128, degradation: 'duf' },
  loss: { name: 'mse', frames: 'centre' },
});
