import { FormatError, NotFiniteError, UsageError } from '../engine/errors.ts';
import type { HostTensor, StateDict } from '../engine/nn/module.ts';
import { nets } from '../nets/index.ts';
import type { Recipe } from '../train/recipes.ts';
import type { Progress, TrainerState } from '../train/trainer.ts';
import { WEIGHTS, weightsOf } from '../train/weights.ts';
import { readSafetensors, type StoredTensor, type TensorFile, writeSafetensors } from './safetensors.ts';
import { adopted, fitTo, resemblance } from './weights/fit.ts';
import { readWeightFile, type WeightFile } from './weights/read.ts';

// Two kinds of file, both safetensors, told apart by `format` in their metadata: a checkpoint holds all that a run needs to
// go on, weights hold a network and its settings. Neither holds a time or a path: equal runs give equal bytes.
const CHECKPOINT = 'subpixel-checkpoint-1';

export interface Checkpoint extends TrainerState {
  readonly recipe: Recipe;
}

/** Atomic: whatever happens, the path holds the old checkpoint or the new one. @throws {WriteError} */
export async function saveCheckpoint(path: string, { tensors, progress }: TrainerState, recipe: Recipe): Promise<void> {
  const metadata = { format: CHECKPOINT, recipe: JSON.stringify(recipe), progress: JSON.stringify(progress) };
  await writeSafetensors(path, tensors, metadata);
}

/** @throws {FormatError} for a file that is missing, truncated, foreign or damaged */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const file = await readSafetensors(path);
  if (file.metadata.format !== CHECKPOINT) {
    throw new FormatError(`${path}: expected a checkpoint to go on from, found ${describe(file)}`);
  }
  const recipe = json<Recipe>(path, file, 'recipe');
  const progress = json<Progress>(path, file, 'progress');
  const damaged = damagedPart(recipe, progress);
  if (damaged) throw new FormatError(`${path}: its metadata is not that of a checkpoint: ${damaged}`);
  return { recipe, progress, tensors: stateDict(path, file.tensors) };
}

/** The first part of a checkpoint's metadata that cannot be what a run wrote. */
function damagedPart(recipe: Recipe, progress: Progress): string | undefined {
  const count = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  const numbers = (v: unknown, ...keys: string[]) =>
    typeof v === 'object' && v !== null && Object.values(v).every(Number.isFinite) && keys.every((key) => key in v);
  const names = (v: unknown) => Array.isArray(v) && v.every((name) => typeof name === 'string');
  const { iteration, noise, sampler, schedule, kernels, recent, window } = progress;
  const sound: Record<string, boolean> = {
    recipe: typeof recipe.net === 'object' && recipe.net !== null,
    iteration: count(iteration),
    noise: count(noise),
    sampler: numbers(sampler, 'seed', 'stream', 'position'),
    schedule: numbers(schedule, ...(recipe.schedule?.name === 'plateau' ? ['lr', 'best', 'waited'] : [])),
    recent: Array.isArray(recent) && numbers(recent),
    window: Array.isArray(window) && window.length === 2 && numbers(window),
    kernels: typeof kernels === 'object' && kernels !== null && Object.values(kernels).every(names),
  };
  return Object.keys(sound).find((part) => !sound[part]);
}

/** The network alone: averaged weights where the run averages. Metadata names the net and all its settings. */
export async function saveWeights(path: string, state: TrainerState, recipe: Recipe): Promise<void> {
  const { tensors, metadata } = weightsOf(state, recipe);
  await writeSafetensors(path, tensors, metadata);
}

/** Weights as saveWeights writes them, from tensors under the network's own names. @throws {WriteError} */
export async function writeWeights(
  path: string,
  tensors: StateDict,
  net?: { readonly name: string; readonly config: object },
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const own = net && { format: WEIGHTS, net: net.name, config: JSON.stringify(net.config) };
  await writeSafetensors(path, tensors, { ...more, ...own });
}

/** A network's weights: its tensors under our names, and what the file says or shows of its settings. */
export interface Weights {
  readonly tensors: StateDict;
  /** Settings of the network. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Frames in the samples that it was trained on, and how their low resolution was made. */
  readonly frames?: number;
  readonly degradation?: string;
}

/**
 * Reads weights of any format that io/weights/ knows. Published files' names and layouts become ours, and tell the settings.
 * @param read what stands in the file, where it was read before
 * @throws {FormatError} for a file that is damaged, is a checkpoint, or says that it holds another network than `net`
 */
export async function readWeights(path: string, net: string, read?: WeightFile): Promise<Weights> {
  const file = read ?? (await readWeightFile(path));
  const { metadata } = file;
  refuseCheckpoint(path, file);
  if (metadata.net && metadata.net !== net) {
    throw new FormatError(`${path}: expected weights of ${net}, found those of ${metadata.net}`);
  }
  const frames = Number(metadata.frames);
  return {
    ...ownOf(path, file, net),
    frames: Number.isSafeInteger(frames) && frames > 0 ? frames : undefined,
    degradation: metadata.degradation,
  };
}

/** @throws {FormatError} for what a run goes on from: its tensors are not those of a network alone */
export function refuseCheckpoint(path: string, { metadata }: Pick<WeightFile, 'metadata'>): void {
  if (!metadata.format?.startsWith('subpixel-checkpoint')) return;
  throw new FormatError(`${path}: a checkpoint to go on training from; its weights.safetensors lies beside it`);
}

/** Tensors under a network's names. Files of ours are so already, and say the settings; of others the names tell them. */
export function ownOf(path: string, file: Pick<WeightFile, 'metadata' | 'tensors'>, net: string): Weights {
  const { metadata, tensors } = file;
  if (metadata.config !== undefined) return { tensors, config: json(path, file, 'config') };
  return adopted(nets[net], tensors);
}

/**
 * Before a network is built from what a file says of itself, and its memory taken.
 * @param given settings that stand above the file's own
 * @throws {FormatError} that names every tensor that does not fit such a network, and the network that they may be of
 * @throws {UsageError} when the given settings make no network
 */
export async function refuseMisfit(path: string, net: string, weights: Weights, given: object = {}): Promise<void> {
  const problems = await problemsOf(net, weights, given);
  if (problems.length === 0) return;
  const more = problems.length > 8 ? `; and ${problems.length - 8} more` : '';
  const told = `these weights do not fit this network: ${problems.slice(0, 8).join('; ')}${more}`;
  throw new FormatError(`${path}: ${told}${await resemblance(weights.tensors)}`);
}

async function problemsOf(net: string, { config, tensors }: Weights, given: object): Promise<readonly string[]> {
  try {
    return (await fitTo(net, nets[net], { ...config, ...given }, tensors)).problems;
  } catch (error) {
    if (!(error instanceof UsageError) || Object.keys(given).length > 0) throw error;
    return [`the settings that they tell make none, ${error.message}`];
  }
}

function stateDict(path: string, tensors: ReadonlyMap<string, StoredTensor>): StateDict {
  return new Map(
    Array.from(tensors, ([name, { dtype, shape, data }]): [string, HostTensor] => {
      if (typeof data[0] === 'bigint') throw new FormatError(`${path}: ${name} holds ${dtype}, expected floats`);
      const values = data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
      if (!values.every(Number.isFinite)) {
        throw new NotFiniteError(`${path}: ${name} holds values that are not finite`);
      }
      return [name, { shape, data: values }];
    }),
  );
}

function json<T>(path: string, { metadata }: Pick<TensorFile, 'metadata'>, key: string): T {
  try {
    const value = JSON.parse(metadata[key]);
    if (value && typeof value === 'object') return value;
  } catch {
    // told below
  }
  throw new FormatError(`${path}: its metadata has no readable ${key}`);
}

const describe = ({ metadata, tensors }: TensorFile): string =>
  metadata.format === WEIGHTS ? 'the weights of a network' : `${tensors.size} tensors of another program`;
