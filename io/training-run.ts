import { resolve } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { FormatError, UsageError } from '../engine/errors.ts';
import { cosineRate } from '../engine/optim/schedule.ts';
import { netNamed } from '../nets/index.ts';
import { type ClipFrames, ClipStore, CropSampler } from '../train/dataset.ts';
import { runTraining, type ScoreRecord } from '../train/loop.ts';
import { differences } from '../train/overrides.ts';
import { cropsOf, type Recipe } from '../train/recipe.ts';
import { type LossRecord, Trainer } from '../train/trainer.ts';
import { type Sample, type Score, Validation } from '../train/validation.ts';
import { type Checkpoint, readCheckpoint, saveCheckpoint, saveWeights } from './checkpoint.ts';
import { type FirstWeights, readFirstWeights, startFrom } from './first-weights.ts';
import { digestOf, type Footage, loadFootage } from './footage.ts';
import type { LoadProgress } from './load-clips.ts';
import { writeReport } from './report.ts';
import { RunFolder } from './run-folder.ts';
import type { Leg, RunInfo } from './run-info.ts';
import { writeSamplePicture } from './sample-picture.ts';

export interface RunRequest {
  /** The recipe to train with; given a resumed run's own, for what the command line changes in it. */
  readonly recipe: (started?: Recipe) => Recipe;
  /** Clips or folders of them. May be left out when a run is resumed. */
  readonly data: readonly string[];
  readonly val: readonly string[];
  readonly out: string;
  readonly resume: boolean;
  /** A file of weights to start from, instead of those that the seed draws. */
  readonly weights?: string;
  /** What is put down in the run folder as its origin. */
  readonly origin: Pick<Leg, 'command' | 'commit'>;
  readonly demo?: boolean;
  readonly openEngine: () => Promise<Engine>;
  /** Most bytes of decoded frames. */
  readonly maxBytes?: number;
  readonly onLoad?: (progress: LoadProgress) => void;
}

export interface TrainingRun {
  readonly folder: RunFolder;
  readonly info: RunInfo;
  readonly trainer: Trainer;
  readonly footage: Footage;
  /** What the trainer is judged by; nothing where the recipe has no validation. */
  readonly validation: Validation | undefined;
  /** What the user should know before it starts. */
  readonly remarks: readonly string[];
}

/** Everything is read and checked before the run folder is made, so that a mistake leaves nothing behind. */
export async function openRun(request: RunRequest): Promise<TrainingRun> {
  const { out, resume, openEngine, demo } = request;
  const found = resume ? await RunFolder.find(out) : undefined;
  const started = found && (await found.readInfo());
  if (!found) await RunFolder.refuseTaken(out);
  const remarks: string[] = [];
  if (resume && !found) remarks.push(nothingToResume(request));
  const recipe = request.recipe(started?.recipe);
  const checkpoint = found && started && (await checkpointOf(found, started.recipe, recipe));
  const data = samePaths('--data', request.data, started?.data);
  const val = samePaths('--val', request.val, started?.val);
  if (data.length === 0) throw new UsageError('--data: expected at least one clip or folder to train on');
  const first = await firstWeights(request, recipe, { started, begun: checkpoint !== undefined });

  const { holdOut, frames } = recipe.data;
  const options = { channels: cropsOf(recipe).channels, maxBytes: request.maxBytes, onProgress: request.onLoad };
  const footage = await loadFootage(data, val, { ...options, holdOut, sample: frames });
  const sampler = samplerFor(recipe, footage.training);
  const clips = digestOf(footage);
  if (started && started.clips !== clips) {
    throw new UsageError('the clips have changed since the run was started: a resumed run needs the same frames');
  }

  const engine = await openEngine();
  const device = engine.caps.description;
  const trainer = new Trainer(engine, recipe, netNamed(recipe.net.name), sampler);
  if (started && started.device !== device) {
    remarks.push(`this run was started on ${started.device}: on ${device} its bits will differ`);
  }
  const [before, now] = [knobsOf(started?.history.at(-1)?.command), knobsOf(request.origin.command)];
  if (started && before !== now) {
    remarks.push(
      `this run was started with ${before || 'no knobs'}, now there are ${now || 'none'}: its bits will differ`,
    );
  }
  if (checkpoint) trainer.restore(checkpoint);
  else if (first) remarks.push(...(await startFrom(trainer, first)));
  const validation = await validationFor(trainer, footage.heldOut);

  const extended = started && started.recipe.iterations !== recipe.iterations;
  if (extended) remarks.push(extension(started.recipe, recipe, trainer.iteration));
  const leg = { from: trainer.iteration, iterations: recipe.iterations, ...request.origin };
  const weights = first && { path: first.path, digest: first.digest };
  const fresh = { recipe, data, val, clips, device, weights, history: [leg], demo };
  const info = started ? { ...started, recipe, history: [...started.history, ...(extended ? [leg] : [])] } : fresh;
  const folder = found ?? (await RunFolder.create(out));
  if (found) await found.forgetAfter(trainer.iteration);
  if (!started || extended) await folder.writeInfo(info);
  return { folder, info, trainer, footage, validation, remarks };
}

/** What stands before a command, such as KERNEL=conv:direct. */
const knobsOf = (command = ''): string => command.slice(0, Math.max(0, command.indexOf('npx'))).trim();

/** A run may start under --resume, so that one command line serves both; but not without knowing what to train on. */
function nothingToResume({ out, data }: RunRequest): string {
  if (data.length > 0) return `${out}: nothing to resume there, so the run starts anew`;
  throw new UsageError(`${out}: no training run is there to resume; to start one, leave out --resume and give --data`);
}

/**
 * Where a run is to go on from; nothing if it was stopped before its first checkpoint.
 * @throws {UsageError} when the recipe changes in more than its iterations, or has none left
 */
async function checkpointOf(folder: RunFolder, started: Recipe, recipe: Recipe): Promise<Checkpoint | undefined> {
  const { iterations } = recipe; // may change: a finished run can be extended
  const changes = differences({ ...started, iterations }, recipe);
  if (changes) throw new UsageError(`${folder.path}: a resumed run keeps its recipe, but ${changes}`);
  if (!(await folder.has('checkpoint.safetensors'))) return undefined;
  const path = folder.file('checkpoint.safetensors');
  const checkpoint = await readCheckpoint(path);
  const other = differences({ ...checkpoint.recipe, iterations }, recipe);
  if (other) throw new FormatError(`${path}: a checkpoint of another run: ${other}`);
  const done = checkpoint.progress.iteration;
  if (done > iterations) {
    throw new UsageError(
      `${folder.path}: ${done} iterations are done already: expected a larger total, got ${iterations}`,
    );
  }
  return checkpoint;
}

/** What another total of iterations means to the learning rate. */
function extension(before: Recipe, { iterations, schedule, optimizer }: Recipe, iteration: number): string {
  const change = `${before.iterations} iterations were planned, ${iterations} are now`;
  if (schedule.name !== 'cosine') return `${change}; the ${schedule.name} schedule does not depend on their number`;
  const rate = (total: number) =>
    cosineRate(optimizer.lr, total, schedule.last, schedule.warmup).rate(iteration).toPrecision(3);
  return (
    `${change}; the cosine schedule is recomputed from the new total: at iteration ${iteration} the learning rate ` +
    `goes from ${rate(before.iterations)} to ${rate(iterations)}`
  );
}

/** Nothing where a checkpoint is there. @throws {UsageError} when a resumed run is given other weights than it started from */
async function firstWeights(
  { weights }: RunRequest,
  recipe: Recipe,
  { started, begun }: { started?: RunInfo; begun: boolean },
): Promise<FirstWeights | undefined> {
  const path = weights === undefined ? undefined : resolve(weights);
  if (started && path !== undefined && path !== started.weights?.path) {
    throw new UsageError(
      `--weights: a resumed run keeps the weights it started from: expected ${started.weights?.path ?? 'none'}`,
    );
  }
  if (begun) return undefined;
  return readFirstWeights(started ? started.weights : path === undefined ? undefined : { path }, recipe);
}

export interface RunHooks {
  loss?(record: LossRecord): void;
  step?(rate: number): void;
  score?(record: ScoreRecord): void;
}

/** Trains until the recipe's end, `stopAfter` or the signal. @returns whether the recipe's iterations are done */
export async function train(
  { folder, info, trainer, validation }: TrainingRun,
  hooks: RunHooks,
  { stopAfter, signal }: { stopAfter?: number; signal?: AbortSignal } = {},
): Promise<boolean> {
  const { recipe, engine } = trainer;
  const clock = new Clock(trainer.iteration);
  const validate = async (): Promise<Score> => {
    clock.pause();
    const samples: Sample[] = [];
    const score = await trainer.evaluating((net) => validation!.measure(engine, net, (s) => samples.push(s)));
    await writeSamplePicture(await folder.sampleFile(trainer.iteration), samples[0]);
    return score;
  };
  return runTraining(
    trainer,
    {
      async loss(record) {
        await folder.append({ ...record, rate: clock.rate });
        hooks.loss?.(record);
      },
      step() {
        clock.tick(trainer.iteration);
        hooks.step?.(clock.rate);
      },
      validate: validation && validate,
      async score(record) {
        await folder.append(record);
        await writeReport(folder, info, { parameters: trainer.net.parameterCount() });
        hooks.score?.(record);
        clock.resume();
      },
      async save(state) {
        await saveWeights(folder.file('weights.safetensors'), state, recipe);
        await saveCheckpoint(folder.file('checkpoint.safetensors'), state, recipe);
      },
    },
    { until: stopAfter, signal },
  );
}

/** Iterations per second of late, validation left out; 0 in the first second, which is queueing and compiling. */
class Clock {
  rate = 0;
  #since = performance.now();
  #from: number;
  #pausedAt = 0;

  constructor(iteration: number) {
    this.#from = iteration;
  }

  tick(iteration: number): void {
    const seconds = (performance.now() - this.#since) / 1000;
    if (seconds < 1) return;
    const now = (iteration - this.#from) / seconds;
    this.rate = this.rate > 0 ? 0.7 * this.rate + 0.3 * now : now;
    this.#from = iteration;
    this.#since = performance.now();
  }

  pause(): void {
    this.#pausedAt = performance.now();
  }

  resume(): void {
    this.#since += performance.now() - this.#pausedAt;
  }
}

const samplerFor = (recipe: Recipe, clips: readonly ClipFrames[]): CropSampler =>
  new CropSampler(new ClipStore(clips), cropsOf(recipe), recipe.seed);

async function validationFor(trainer: Trainer, clips: readonly ClipFrames[]): Promise<Validation | undefined> {
  const { validation, data } = trainer.recipe;
  if (validation.every === 0 || clips.length === 0) return undefined;
  const { degradation, rounded, frames: window } = data;
  return Validation.prepare(clips, trainer.net, { degradation, rounded, window, ...validation });
}

function samePaths(option: string, given: readonly string[], started?: readonly string[]): readonly string[] {
  const paths = given.map((path) => resolve(path));
  if (!started) return paths;
  if (paths.length > 0 && paths.join('\n') !== started.join('\n')) {
    throw new UsageError(`${option}: a resumed run keeps its clips: expected ${started.join(', ') || 'none'}`);
  }
  return started;
}
