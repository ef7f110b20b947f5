import { UsageError } from '../engine/errors.ts';
import { netNamed } from '../nets/index.ts';
import { DEGRADATIONS } from './degrade.ts';
import { nearest } from './near.ts';
import { checkRecipe, type Recipe, recipes } from './recipes.ts';

type Tree = { readonly [key: string]: unknown };

/** Settings that are one of a few words; those of networks are known to themselves. */
const choices: Record<string, readonly string[]> = {
  'data.degradation': DEGRADATIONS,
  'data.motion': ['none', 'coarse2fine'],
  'loss.name': ['charbonnier', 'l1', 'mse', 'half', 'huber'],
  'loss.frames': ['all', 'centre'],
  'optimizer.name': ['adam', 'sgd'],
  'memory.activations': ['f32', 'f16'],
  'schedule.name': ['constant', 'cosine', 'polynomial', 'step', 'plateau'],
};
/** What makes a recipe another one: named on the command line, not set. */
const fixed = ['name', 'net.name'];

/**
 * Applies settings such as `net.width=32` or `schedule.steps=[100,200]`, each read as the type that the recipe has there.
 * @throws {UsageError} for unknown keys (naming the nearest), missing or unreadable values
 */
export function override(recipe: Recipe, settings: readonly string[]): Recipe {
  return settings.reduce((changed, setting) => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    if (key === undefined) throw new UsageError(`--set ${setting}: expected key=value, such as net.width=32`);
    const known = leaves(recipe);
    if (!known.has(key) || fixed.includes(key)) {
      const keys = [...known.keys()].filter((k) => !fixed.includes(k));
      throw new UsageError(`--set ${setting}: ${recipe.name} has no setting ${key}${nearest(key, keys)}`);
    }
    return replaced(changed as unknown as Tree, key.split('.'), parse(key, value, known.get(key))) as unknown as Recipe;
  }, recipe);
}

/**
 * The recipe that a file holds: every setting is there and of its kind, nothing else is, and the numbers make sense.
 * @throws {UsageError} naming the first key that is missing, unknown or wrong
 */
export function recipeFrom(value: unknown): Recipe {
  const isTree = (v: unknown): v is Tree => typeof v === 'object' && v !== null && !Array.isArray(v);
  if (!isTree(value)) throw new UsageError(`expected an object, got ${JSON.stringify(value) ?? 'nothing'}`);
  const name = isTree(value.net) ? value.net.name : undefined;
  const model = leaves({ ...recipes.fstrn, net: { name, ...netNamed(name).defaults } });
  const given = leaves(value);
  const unknown = [...given.keys()].find((key) => !model.has(key));
  if (unknown !== undefined) throw new UsageError(`${unknown}: there is no such setting`);
  for (const [key, like] of model) {
    const got = given.get(key);
    const expected = kindOf(key, like);
    if (!fits(got, like, choices[key])) {
      throw new UsageError(`${key}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`);
    }
  }
  const recipe = value as unknown as Recipe;
  checkRecipe(recipe);
  return recipe;
}

function kindOf(key: string, like: unknown): string {
  if (choices[key]) return `one of ${choices[key].join(', ')}`;
  if (Array.isArray(like)) return 'a list of numbers';
  return typeof like === 'boolean' ? 'true or false' : `a ${typeof like}`;
}

function fits(value: unknown, like: unknown, words?: readonly string[]): boolean {
  if (words) return words.includes(value as string);
  if (Array.isArray(like)) return Array.isArray(value) && value.every(Number.isFinite);
  return typeof like === 'number' ? Number.isFinite(value) : typeof value === typeof like;
}

/** Every setting by its dotted key. */
export function leaves(tree: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]): [string, unknown][] =>
      value && typeof value === 'object' && !Array.isArray(value)
        ? [...leaves(value, `${prefix}${key}.`)]
        : [[prefix + key, value]],
    ),
  );
}

/** "iterations: 20 there, 40 here; ..." for all settings that differ; empty if none does. */
export function differences(there: object, here: object): string {
  const [a, b] = [leaves(there), leaves(here)];
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  const text = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return keys
    .filter((key) => text(a.get(key)) !== text(b.get(key)))
    .map((key) => `${key}: ${text(a.get(key))} there, ${text(b.get(key))} here`)
    .join('; ');
}

function parse(key: string, text: string, now: unknown): unknown {
  const refuse = (want: string): never => {
    throw new UsageError(`--set ${key}=${text}: expected ${want}`);
  };
  const number = (word: string): number => {
    const n = Number(word);
    return word.trim() === '' || !Number.isFinite(n) ? refuse('a number') : n;
  };
  const words = choices[key];
  if (words) return words.includes(text) ? text : refuse(`one of ${words.join(', ')}`);
  if (typeof now === 'number') return number(text);
  if (typeof now === 'boolean') return text === 'true' || (text === 'false' ? false : refuse('true or false'));
  if (Array.isArray(now)) {
    const inner = text.replace(/^\[(.*)\]$/s, '$1').trim();
    return inner === '' ? [] : inner.split(',').map(number);
  }
  return text;
}

function replaced(tree: Tree, [key, ...rest]: string[], value: unknown): Tree {
  return { ...tree, [key]: rest.length === 0 ? value : replaced(tree[key] as Tree, rest, value) };
}
