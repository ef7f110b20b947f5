import { leaves } from '../train/overrides.ts';
import type { Recipe } from '../train/recipes.ts';
import { recipes } from '../train/recipes.ts';

/** A command line to be typed again: words that a shell would not take as they are stand in quotes. */
export function commandLine(...words: readonly string[]): string {
  const quoted = words.map((word) => {
    return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  });
  return ['npx subpixel', ...quoted].join(' ');
}

/** The options that make a recipe's training out of the one of that name: --iters, --seed, --set. */
export function optionsFor(recipe: Recipe): string[] {
  const [own, named] = [leaves(recipe), leaves(recipes[recipe.name] ?? {})];
  const [iterations, seed] = [String(recipe.iterations), String(recipe.seed)];
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const settings = [...own]
    .filter(([key, value]) => key !== 'iterations' && key !== 'seed' && text(value) !== text(named.get(key)))
    .map(([key, value]) => `${key}=${text(value)}`);
  return ['--iters', iterations, '--seed', seed, ...(settings.length > 0 ? ['--set', ...settings] : [])];
}
