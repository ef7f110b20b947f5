import { entry } from '../../nets/rbpn.ts';
import { recipe } from '../recipe.ts';

const EPOCH = Math.ceil(64_612 / 8); // Vimeo-90K's training clips over a batch

/**
 * The paper's training, with no margin: frames of Vimeo-90K are as high as a crop. Motion is measured on every finished sample: six times
 * 34 ms of one core for 64x64 pixels.
 */
export const rbpn = recipe({
  name: 'rbpn',
  iterations: 150 * EPOCH,
  net: { name: 'rbpn', ...entry.defaults },
  data: { frames: 7, crop: 64 * 4, batch: 8, rounded: true, motion: 'coarse2fine' },
  loss: { name: 'l1', frames: 'centre' },
  schedule: { name: 'step', steps: [75 * EPOCH], factor: 0.1 },
});
