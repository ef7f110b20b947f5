import { createHash } from 'node:crypto';
import { FormatError, UsageError } from '../engine/errors.ts';
import type { StateDict } from '../engine/nn/module.ts';
import { nets } from '../nets/index.ts';
import { differences } from '../train/overrides.ts';
import type { Recipe } from '../train/recipes.ts';
import type { Trainer } from '../train/trainer.ts';
import { readWeights, type Weights } from './checkpoint.ts';
import { resemblance } from './weights/fit.ts';

/** Weights to start a run from, in place of those that its seed draws. */
export interface FirstWeights extends Weights {
  readonly path: string;
  /** Of every value, so that a run that is resumed before its first checkpoint starts from the same. */
  readonly digest: string;
}

/**
 * Reads a file of weights, of any format, for the network of a recipe.
 * @throws {FormatError} for a damaged file, or one of another network @throws {UsageError} when the file has changed
 */
export async function readFirstWeights(
  from: { readonly path: string; readonly digest?: string } | undefined,
  recipe: Recipe,
): Promise<FirstWeights | undefined> {
  if (!from) return undefined;
  const { path } = from;
  const weights = await readWeights(path, recipe.net.name);
  const digest = digestOf(weights.tensors);
  if (from.digest !== undefined && from.digest !== digest) {
    throw new UsageError(`${path} has changed since the run was started from it`);
  }
  return { ...weights, path, digest };
}

/**
 * Gives a trainer that has taken no step its weights, and their average the same.
 * @returns what the user should know: the first of them, that the weights are in use
 * @throws {FormatError} naming the settings and tensors that do not fit
 */
export async function startFrom(trainer: Trainer, { path, tensors, config }: FirstWeights): Promise<string[]> {
  const { name, ...set } = trainer.recipe.net;
  const own: Record<string, unknown> = { ...nets[name].defaults, ...set };
  const known = Object.fromEntries(Object.keys(config).map((key) => [key, own[key]]));
  const different = differences({ net: config }, { net: known });
  const { tensors: before, progress } = await trainer.state();
  const kept = [...before].filter(([name]) => name.startsWith('optimizer.'));
  const averages = [...before.keys()].some((name) => name.startsWith('ema.')) ? ['ema'] : [];
  const given = ['net', ...averages].flatMap((kind) =>
    [...tensors].map(([name, x]) => [`${kind}.${name}`, x] as const),
  );
  try {
    trainer.restore({ tensors: new Map([...kept, ...given]), progress });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const what = `${different ? `${different}. ` : ''}${error.message}${await resemblance(tensors)}`;
    throw new FormatError(`${path}: ${what}`, { cause: error });
  }
  const start = `starting from the weights in ${path}`;
  return different ? [`${start}, which were trained with other settings: ${different}`] : [start];
}

function digestOf(tensors: StateDict): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of tensors) {
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
