import { FormatError, NotFiniteError } from '../engine/errors.ts';
import type { HostTensor, StateDict } from '../engine/nn/module.ts';
import type { Recipe } from '../train/recipes.ts';
import type { Progress, TrainerState } from '../train/trainer.ts';
import { floats, readSafetensors, type StoredTensor, type TensorFile, writeSafetensors } from './safetensors.ts';

// Two kinds of file, both safetensors, told apart by `format` in their metadata: a checkpoint holds all that a run needs to
// go on, weights hold a network and its settings. Neither holds a time or a path: equal runs give equal bytes.
const CHECKPOINT = 'subpixel-checkpoint-1';
const WEIGHTS = 'subpixel-weights-1';

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
export async function saveWeights(path: string, { tensors, progress }: TrainerState, recipe: Recipe): Promise<void> {
  const { name, ...config } = recipe.net;
  const metadata = {
    ...{ format: WEIGHTS, net: name, config: JSON.stringify(config) },
    ...{ recipe: recipe.name, iteration: String(progress.iteration), degradation: recipe.data.degradation },
    frames: String(recipe.data.frames),
  };
  await writeSafetensors(path, usable(tensors), metadata);
}

/** What a file of weights holds and says of itself: other programs' files hold tensors alone. */
export interface Weights {
  readonly tensors: StateDict;
  /** Settings of the network. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Frames in the samples that it was trained on. */
  readonly frames?: number;
}

/** @throws {FormatError} for a file that is damaged, is a checkpoint, or holds another network than `net` */
export async function readWeights(path: string, net: string): Promise<Weights> {
  const file = await readSafetensors(path);
  const { metadata, tensors } = file;
  if (metadata.format?.startsWith('subpixel-checkpoint')) {
    throw new FormatError(`${path}: a checkpoint to go on training from; its weights.safetensors lies beside it`);
  }
  if (metadata.net && metadata.net !== net) {
    throw new FormatError(`${path}: expected weights of ${net}, found those of ${metadata.net}`);
  }
  const frames = Number(metadata.frames);
  return {
    tensors: new Map(Array.from(tensors, ([name, tensor]) => [name, floats(name, tensor)])),
    config: metadata.config === undefined ? {} : json(path, file, 'config'),
    frames: Number.isSafeInteger(frames) && frames > 0 ? frames : undefined,
  };
}

/** The network's tensors, averages in the place of what is averaged: running statistics are not. */
function usable(tensors: StateDict): StateDict {
  const own = [...tensors].filter(([name]) => name.startsWith('net.'));
  const names = own.map(([name, tensor]) => [name.slice('net.'.length), tensor] as const);
  return new Map(names.map(([name, tensor]) => [name, tensors.get(`ema.${name}`) ?? tensor]));
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

function json<T>(path: string, { metadata }: TensorFile, key: string): T {
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
