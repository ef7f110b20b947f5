import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { FormatError, UsageError } from '../engine/errors.ts';
import { nets } from '../nets/index.ts';
import { type ClipFrames, ClipStore, CropSampler } from '../train/dataset.ts';
import { runTraining, type ScoreRecord } from '../train/loop.ts';
import { differences } from '../train/overrides.ts';
import type { Recipe } from '../train/recipes.ts';
import { type LossRecord, Trainer } from '../train/trainer.ts';
import { type Sample, type Score, Validation } from '../train/validation.ts';
import { readCheckpoint, saveCheckpoint, saveWeights } from './checkpoint.ts';
import type { Clip } from './clip.ts';
import { type LoadProgress, loadClips } from './load-clips.ts';
import { writeReport } from './report.ts';
import { RunFolder, type RunInfo } from './run-folder.ts';
import { writeSamplePicture } from './sample-picture.ts';

export interface RunRequest {
  /** The recipe to train with; given a resumed run's own, for what the command line changes in it. */
  readonly recipe: (started?: Recipe) => Recipe;
  /** Clips or folders of them. May be left out when a run is resumed. */
  readonly data: readonly string[];
  readonly val: readonly string[];
  readonly out: string;
  readonly resume: boolean;
  readonly openEngine: () => Promise<Engine>;
  /** Most bytes of decoded frames. */
  readonly maxBytes?: number;
  readonly onLoad?: (progress: LoadProgress) => void;
}

/** Clips split into frames to train on and frames to judge by. */
export interface Footage {
  readonly training: readonly ClipFrames[];
  readonly heldOut: readonly ClipFrames[];
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
  const found = request.resume ? await RunFolder.find(request.out) : undefined;
  const started = found && (await found.readInfo());
  if (!found) await RunFolder.refuseTaken(request.out);
  const remarks: string[] = [];
  if (request.resume && !found) remarks.push(`${request.out}: nothing to resume there, so the run starts anew`);
  const recipe = request.recipe(started?.recipe);
  const changes = started ? differences(started.recipe, recipe) : '';
  if (changes) throw new UsageError(`${request.out}: a resumed run keeps its recipe, but ${changes}`);
  const data = samePaths('--data', request.data, started?.data);
  const val = samePaths('--val', request.val, started?.val);
  if (data.length === 0) throw new UsageError('--data: expected at least one clip or folder to train on');

  const footage = await loadFootage(data, val, recipe, request);
  const sampler = samplerFor(recipe, footage.training);
  const clips = digest(footage);
  if (started && started.clips !== clips) {
    throw new UsageError('the clips have changed since the run was started: a resumed run needs the same frames');
  }

  const engine = await request.openEngine();
  const trainer = new Trainer(engine, recipe, sampler);
  const info = started ?? { recipe, data, val, clips, device: engine.caps.description };
  if (info.device !== engine.caps.description) {
    remarks.push(`this run was started on ${info.device}: on ${engine.caps.description} its bits will differ`);
  }
  const validation = await validationFor(trainer, footage.heldOut);
  const folder = found ?? (await RunFolder.create(request.out));
  if (found && (await found.has('checkpoint.safetensors'))) {
    const path = found.file('checkpoint.safetensors');
    const checkpoint = await readCheckpoint(path);
    const other = differences(checkpoint.recipe, recipe);
    if (other) throw new FormatError(`${path}: a checkpoint of another run: ${other}`);
    trainer.restore(checkpoint);
  }
  if (found) await found.forgetAfter(trainer.iteration);
  else await folder.writeInfo(info);
  return { folder, info, trainer, footage, validation, remarks };
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
        await writeReport(folder, info);
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

async function loadFootage(
  data: readonly string[],
  val: readonly string[],
  recipe: Recipe,
  { maxBytes, onLoad }: RunRequest,
): Promise<Footage> {
  const options = { channels: channelsOf(recipe), maxBytes, onProgress: onLoad };
  const clips = await loadClips(data, options);
  if (val.length > 0) return { training: clips, heldOut: await loadClips(val, options) };
  return splitClips(clips, recipe.data.holdOut);
}

function samplerFor(recipe: Recipe, clips: readonly ClipFrames[]): CropSampler {
  const { frames, crop, degradation, flips } = recipe.data;
  const scale = Number(recipe.net.scale ?? nets[recipe.net.name].defaults.scale);
  const options = { frames, crop, scale, degradation, flips, channels: channelsOf(recipe), target: recipe.loss.frames };
  return new CropSampler(new ClipStore(clips), options, recipe.seed);
}

async function validationFor(trainer: Trainer, clips: readonly ClipFrames[]): Promise<Validation | undefined> {
  const { validation, data } = trainer.recipe;
  if (validation.every === 0 || clips.length === 0) return undefined;
  return Validation.prepare(clips, trainer.net, { degradation: data.degradation, ...validation });
}

/** The last share of each clip is held out: at least a frame of it, unless the share is 0. */
export function splitClips(clips: readonly ClipFrames[], holdOut: number): Footage {
  const at = ({ frames }: ClipFrames) => frames.length - Math.ceil(frames.length * holdOut);
  return {
    training: clips.map((clip) => ({ ...clip, frames: clip.frames.slice(0, at(clip)) })),
    heldOut: clips.map((clip) => ({ ...clip, frames: clip.frames.slice(at(clip)) })).filter((c) => c.frames.length > 0),
  };
}

/**
 * Where the held-out frames of a run's only clip begin in its file. Of a long clip only the middle was loaded; of a damaged
 * one fewer frames than it promises, and then this is too late rather than too early.
 */
export function heldOutFrom(clip: Clip, { training, heldOut }: Footage): number {
  const loaded = training[0].frames.length + heldOut[0].frames.length;
  return Math.floor(((clip.frameCount ?? loaded) - loaded) / 2) + training[0].frames.length;
}

/** Of every pixel of every frame. */
function digest({ training, heldOut }: Footage): string {
  const hash = createHash('sha256');
  for (const clip of [...training, ...heldOut]) for (const frame of clip.frames) hash.update(frame);
  return hash.digest('hex').slice(0, 16);
}

function channelsOf({ net }: Recipe): 1 | 3 {
  if (net.channels === 1 || net.channels === 3) return net.channels;
  throw new UsageError(`net.channels: expected 1 (Y) or 3 (RGB) to train on video, got ${net.channels}`);
}

function samePaths(option: string, given: readonly string[], started?: readonly string[]): readonly string[] {
  const paths = given.map((path) => resolve(path));
  if (!started) return paths;
  if (paths.length > 0 && paths.join('\n') !== started.join('\n')) {
    throw new UsageError(`${option}: a resumed run keeps its clips: expected ${started.join(', ') || 'none'}`);
  }
  return started;
}
