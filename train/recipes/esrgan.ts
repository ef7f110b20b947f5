import { entry } from '../../nets/esrgan.ts';
import { recipe } from '../recipe.ts';

/** Phase 1 of the paper, for PSNR. Phase 2, which starts from its weights, needs a discriminator and features. */
export const esrgan = recipe({
  name: 'esrgan',
  iterations: 1_000_000,
  net: { name: 'esrgan', ...entry.defaults },
  data: { crop: 128, margin: 8, turns: true, rounded: true },
  optimizer: { lr: 2e-4 },
  schedule: { name: 'step', steps: [200_000, 400_000, 600_000, 800_000], factor: 0.5 },
});
