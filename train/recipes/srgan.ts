import { entry } from '../../nets/srgan.ts';
import { recipe } from '../recipe.ts';

const EPOCH = Math.ceil(16_700 / 64); // the public code's pictures of VOC2012 over a batch

/**
 * The public code of the variant that has weights (github.com/leftthomas/SRGAN), with its first loss alone. The others follow: 0.001
 * times the discriminator's, 0.006 times VGG16's, 2e-8 times the total variation.
 */
export const srgan = recipe({
  name: 'srgan',
  iterations: 100 * EPOCH,
  net: { name: 'srgan', ...entry.defaults },
  data: { crop: 88, margin: 8, batch: 64, rounded: true },
  loss: { name: 'mse' },
  optimizer: { lr: 1e-3 },
});
