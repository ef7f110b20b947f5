import { entry } from '../../nets/vdsr.ts';
import { recipe } from '../recipe.ts';

const EPOCH = 9960 / 80; // steps: the paper's 80 epochs are 9,960

/**
 * The paper's training: x2, x3 and x4 in one batch of 64 squares as large as the receptive field, half the squared distance,
 * and gradients clipped the more the smaller the rate. The bound 0.01 is that of the authors' MatConvNet code. Low resolution is made
 * of more than the square, as of whole pictures.
 */
export const vdsr = recipe({
  name: 'vdsr',
  iterations: 80 * EPOCH,
  net: { name: 'vdsr', ...entry.defaults },
  data: { crop: 41, margin: 8, batch: 64, scales: [2, 3, 4], turns: true },
  loss: { name: 'half' },
  optimizer: { name: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 },
  schedule: { name: 'step', steps: [20 * EPOCH, 40 * EPOCH, 60 * EPOCH], factor: 0.1 },
  gradients: { clipTheta: 0.01 },
});
