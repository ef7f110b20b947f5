import { FormatError, UsageError } from '../engine/errors.ts';
import { recipeFrom } from '../train/overrides.ts';
import type { Recipe } from '../train/recipes.ts';

/** A stretch of a run under one total of iterations: the first from its start on, each other from where it was extended. */
export interface Leg {
  /** Iterations taken when it began, and those aimed at. */
  readonly from: number;
  readonly iterations: number;
  /** What was typed, and which sources ran. */
  readonly command: string;
  readonly commit: string;
}

/** What a run was started with. */
export interface RunInfo {
  readonly recipe: Recipe;
  /** Absolute paths. */
  readonly data: readonly string[];
  readonly val: readonly string[];
  /** A digest of all frames, so that a resumed run notices other clips under the same names. */
  readonly clips: string;
  /** The adapter: another one gives other bits. */
  readonly device: string;
  /** The weights that it started from, if not from its seed: absolute path and digest. */
  readonly weights?: { readonly path: string; readonly digest: string };
  readonly history: readonly Leg[];
  /** A demo may be replaced by the next one; other runs never are. */
  readonly demo?: boolean;
}

/**
 * What a recipe.json holds, every part of it checked.
 * @throws {FormatError} naming the file and the first key that is missing or of another kind
 */
export function runInfoFrom(path: string, value: unknown): RunInfo {
  const fail = (key: string, expected: string) => {
    return new FormatError(`${path}: not the recipe of a training run: ${key}: expected ${expected}`);
  };
  const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null;
  const isTexts = (v: unknown) => Array.isArray(v) && v.every((text) => typeof text === 'string');
  const isLeg = (v: unknown) =>
    isObject(v) &&
    [v.from, v.iterations].every(Number.isSafeInteger) &&
    [v.command, v.commit].every((text) => typeof text === 'string');

  if (!isObject(value)) throw fail('the file', 'a JSON object');
  for (const key of ['data', 'val']) if (!isTexts(value[key])) throw fail(key, 'a list of paths');
  for (const key of ['clips', 'device']) if (typeof value[key] !== 'string') throw fail(key, 'a text');
  const { history, weights, demo } = value;
  if (!Array.isArray(history) || !history.every(isLeg))
    throw fail('history', 'a list of {from, iterations, command, commit}');
  if (weights !== undefined && !(isObject(weights) && isTexts([weights.path, weights.digest]))) {
    throw fail('weights', '{path, digest}');
  }
  if (demo !== undefined && typeof demo !== 'boolean') throw fail('demo', 'true or false');
  try {
    return { ...(value as unknown as RunInfo), recipe: recipeFrom(value.recipe) };
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RangeError)) throw error; // nested too deep
    throw new FormatError(`${path}: not the recipe of a training run: recipe: ${error.message}`, { cause: error });
  }
}
