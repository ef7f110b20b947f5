import { entry, entry16, entry28 } from '../../nets/duf.ts';
import type { NetEntry } from '../../nets/net.ts';
import { type Recipe, recipe } from '../recipe.ts';

const EPOCH = 160_000 / 16; // samples over a batch

/**
 * The paper's training: 144 pixels are degraded, 128 remain; frames that stand still, skip some or run backwards. The number of epochs
 * is open there. Running statistics start at 0 and 1; TensorFlow corrects them for their start (zero debias), which is left out: before
 * some thousand steps they lag, and so does validation.
 */
const dufOf = (name: string, { defaults }: NetEntry): Recipe =>
  recipe({
    name,
    iterations: 30 * EPOCH,
    net: { name, ...defaults },
    data: {
      ...{ frames: 7, intervals: [-3, -2, -1, 0, 1, 2, 3], crop: 128, margin: 8, batch: 16 },
      ...{ degradation: 'duf', flips: false },
    },
    loss: { name: 'huber', delta: 0.01, frames: 'centre' },
    optimizer: { lr: 1e-3 },
    schedule: { name: 'step', steps: [10 * EPOCH, 20 * EPOCH], factor: 0.1 },
  });

export const duf = dufOf('duf', entry);
export const duf28 = dufOf('duf-28', entry28);
export const duf16 = dufOf('duf-16', entry16);
