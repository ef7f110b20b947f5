import { recipe } from '../recipe.ts';

const EPOCH = Math.ceil(64_612 / 8); // Vimeo-90K's training clips over a batch

/**
 * The paper's training, with no margin: frames of Vimeo-90K are as high as a crop. Motion is measured on every sample, which takes the
 * host about as long as the device its step: a smaller data.crop costs less of both.
 */
export const rbpn = recipe({
  name: 'rbpn',
  iterations: 150 * EPOCH,
  net: { name: 'rbpn' },
  data: { frames: 7, crop: 64 * 4, batch: 8, rounded: true, motion: 'coarse2fine' },
  loss: { name: 'l1', frames: 'centre' },
  schedule: { name: 'step', steps: [75 * EPOCH], factor: 0.1 },
});
