import { entry } from '../../nets/frvsr.ts';
import { recipe } from '../recipe.ts';

/**
 * The paper's training through ten frames. A margin of four pixels makes low resolution what the public code of TecoGAN makes
 * without any border. The loss of the flow, the squared difference of the warped frame before, follows: here motion is learned
 * through the result alone.
 */
export const frvsr = recipe({
  name: 'frvsr',
  iterations: 400_000,
  net: { name: 'frvsr', ...entry.defaults },
  data: { frames: 10, crop: 64 * 4, margin: 4, batch: 4, degradation: 'frvsr' },
  loss: { name: 'mse' },
});
