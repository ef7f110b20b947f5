import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FormatError, SubpixelError, UsageError } from '../engine/errors.ts';
import type { ScoreRecord } from '../train/loop.ts';
import type { LossRecord } from '../train/trainer.ts';
import { WriteError, writeFileAtomic } from './atomic.ts';
import { fromJson, toJson } from './json.ts';
import { type RunInfo, runInfoFrom } from './run-info.ts';

const OWN = [
  ...['checkpoint.safetensors', 'weights.safetensors', 'metrics.jsonl', 'report.html', 'samples'],
  ...['upscaled.mp4', 'before-after.png'], // a demo's
  'recipe.json', // last: until then the folder can be told to be a run
];

/** A line of metrics.jsonl; `rate` in iterations per second. */
export type Metric = (LossRecord & { readonly rate: number }) | ScoreRecord;

/**
 * The folder of one training run: recipe.json, checkpoint.safetensors, weights.safetensors, metrics.jsonl, samples/ and
 * report.html; a demo adds upscaled.mp4 and before-after.png.
 */
export class RunFolder {
  private constructor(readonly path: string) {}

  /** @throws {UsageError} when there is something in the folder: a run never overwrites another */
  static async refuseTaken(path: string): Promise<void> {
    const there = await entries(path);
    if (there.length === 0) return;
    throw new UsageError(
      there.includes('recipe.json')
        ? `${path} is not empty: a training run is there. Choose another --out, or go on with --resume`
        : `${path} is not empty: it holds ${there[0]}. Choose another --out`,
    );
  }

  static async create(path: string): Promise<RunFolder> {
    await RunFolder.refuseTaken(path);
    await makeFolder(path);
    return new RunFolder(path);
  }

  /**
   * Removes an earlier demo, so that there is room for the next.
   * @throws {UsageError} and removes nothing, when there is another run or a file that no demo wrote
   */
  static async clearDemo(path: string): Promise<void> {
    const there = await entries(path);
    const other = there.find((name) => !OWN.includes(name));
    if (other !== undefined) throw new UsageError(`${path} is not empty: it holds ${other}. Choose another --out`);
    if (there.length === 0) return;
    const run = await RunFolder.find(path);
    if (!(await run!.readInfo()).demo) {
      throw new UsageError(`${path}: a training run is there, and no demo. Choose another --out`);
    }
    const unfinished = (await readdir(path)).filter(isTemporary);
    for (const name of [...unfinished, ...OWN]) await rm(join(path, name), { recursive: true, force: true });
  }

  /** Opens a run to go on with. Undefined where none was started. @throws {UsageError} for a folder of something else */
  static async find(path: string): Promise<RunFolder | undefined> {
    const there = await entries(path);
    if (there.length > 0 && !there.includes('recipe.json')) {
      throw new UsageError(`${path}: expected a training run, found ${there[0]}`);
    }
    return there.length > 0 ? new RunFolder(path) : undefined;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async has(name: string): Promise<boolean> {
    return (await entries(this.path)).includes(name);
  }

  async writeInfo(info: RunInfo): Promise<void> {
    await writeFileAtomic(this.file('recipe.json'), `${JSON.stringify(info, null, 2)}\n`);
  }

  /** @throws {FormatError} naming what is damaged */
  async readInfo(): Promise<RunInfo> {
    const path = this.file('recipe.json');
    try {
      return runInfoFrom(path, JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      if (error instanceof SubpixelError) throw error;
      throw new FormatError(`${path}: not the recipe of a training run: ${(error as Error).message}`, { cause: error });
    }
  }

  /** @throws {WriteError} */
  async append(metric: Metric): Promise<void> {
    const path = this.file('metrics.jsonl');
    try {
      await appendFile(path, `${toJson(metric)}\n`);
    } catch (error) {
      throw new WriteError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** All whole lines; a kill may have torn the last one. */
  async metrics(): Promise<Metric[]> {
    const text = await readFile(this.file('metrics.jsonl'), 'utf8').catch(() => '');
    return text.split('\n').flatMap((line): Metric[] => {
      try {
        const metric = fromJson(line || 'null') as Metric | null;
        return metric?.iteration && Object.values(metric).every((v) => typeof v === 'number') ? [metric] : [];
      } catch {
        return [];
      }
    });
  }

  /** Forgets what came after the checkpoint, and what a kill left unfinished: it will come again. */
  async forgetAfter(iteration: number): Promise<void> {
    const files = [...(await readdir(this.path)), ...(await this.#samples())];
    const late = (name: string) => Number(/^samples\/(\d+)\.png$/.exec(name)?.[1] ?? 0) > iteration;
    for (const name of files) if (isTemporary(basename(name)) || late(name)) await rm(this.file(name), { force: true });
    const kept = (await this.metrics()).filter((metric) => metric.iteration <= iteration);
    await writeFileAtomic(this.file('metrics.jsonl'), kept.map((metric) => `${toJson(metric)}\n`).join(''));
  }

  async #samples(): Promise<string[]> {
    return (await readdir(this.file('samples')).catch(() => [])).map((name) => `samples/${name}`);
  }

  /** The path of a picture of the run so far. */
  async sampleFile(iteration: number): Promise<string> {
    await makeFolder(this.file('samples'));
    return this.file(`samples/${String(iteration).padStart(6, '0')}.png`);
  }
}

/** What is in a folder, without the unfinished files that a kill leaves. */
async function entries(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).filter((name) => !isTemporary(name));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new UsageError(`${path}: expected a folder${code === 'ENOTDIR' ? ', found a file' : ` (${message})`}`);
  }
}

const isTemporary = (name: string): boolean => name.startsWith('.tmp-');

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new WriteError(`cannot make the folder ${path}: ${(error as Error).message}`, { cause: error });
  }
}
