import { srresnetEntry as entry } from '../../nets/srgan.ts';
import { recipe } from '../recipe.ts';

/**
 * SRResNet-MSE, which SRGAN starts from: section 3.2 of the paper. Its 350,000 pictures of ImageNet are whatever --data is. The
 * discriminator's loss and VGG's follow.
 */
export const srresnet = recipe({
  name: 'srresnet',
  iterations: 1_000_000,
  net: { name: 'srresnet', ...entry.defaults },
  data: { crop: 96, margin: 8, batch: 16 },
  loss: { name: 'mse' },
});
