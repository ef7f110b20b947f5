import type { ClipFrames } from '../../train/dataset.ts';
import { override } from '../../train/overrides.ts';
import { type Recipe, recipeNamed } from '../../train/recipes.ts';

/** Moving waves: detail at several scales that a small net can learn from. */
export function waves({ frames = 15, width = 64, height = 48, name = 'waves' } = {}): ClipFrames {
  const draw = (t: number) =>
    Uint8Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [(i % width) + 1.3 * t, Math.floor(i / width) - 0.7 * t];
      return 128 + 50 * Math.sin(x / 2.1) * Math.cos(y / 2.7) + 40 * Math.sign(Math.sin((x + y) / 7));
    });
  return { name, width, height, channels: 1, frames: Array.from({ length: frames }, (_, t) => draw(t)) };
}

/** Settings of a run that takes a second. */
export const tinySettings = [
  ...['net.width=4', 'net.blocks=1', 'data.crop=16', 'data.batch=1', 'log.every=4'],
  ...['validation.every=10', 'validation.frames=1', 'validation.crop=32', 'checkpoint.every=0', 'checkpoint.seconds=0'],
];

export function tinyRecipe(...settings: string[]): Recipe {
  return override(recipeNamed('fstrn-small'), [...tinySettings, 'iterations=40', ...settings]);
}
