import type { LossRecord, Trainer, TrainerState } from './trainer.ts';
import type { Score } from './validation.ts';

/** PSNR in dB on held-out frames: the network's, and that of bicubic enlargement. */
export interface ScoreRecord {
  readonly iteration: number;
  readonly psnr: number;
  readonly bicubic: number;
}

/** What happens beside the training. All are awaited. */
export interface Hooks {
  loss(record: LossRecord): void | Promise<void>;
  /** After every step. */
  step?(): void;
  validate?(): Promise<Score>;
  score?(record: ScoreRecord): void | Promise<void>;
  save(state: TrainerState): Promise<void>;
}

export interface LoopOptions {
  /** Stop once so many iterations are done, with schedules untouched. */
  readonly until?: number;
  readonly signal?: AbortSignal;
}

/**
 * Steps until the recipe's iterations are done, or earlier if told to stop; validates and saves when the recipe says so, and
 * saves at the end. Nothing here depends on where a run was interrupted.
 * @returns whether the recipe's iterations are done
 */
export async function runTraining(trainer: Trainer, hooks: Hooks, options: LoopOptions = {}): Promise<boolean> {
  const { iterations, validation, checkpoint } = trainer.recipe;
  const until = Math.min(options.until ?? iterations, iterations);
  const report = async (records: LossRecord[]) => {
    for (const record of records) await hooks.loss(record);
  };
  let [saved, savedAt] = [-1, performance.now()];
  const save = async () => {
    if (saved === trainer.iteration) return;
    await report(await trainer.drain());
    await hooks.save(await trainer.state());
    [saved, savedAt] = [trainer.iteration, performance.now()];
  };

  while (trainer.iteration < until && !options.signal?.aborted) {
    await report(await trainer.step());
    hooks.step?.();
    const { iteration } = trainer;
    const due = validation.every > 0 && iteration % validation.every === 0;
    if (hooks.validate && (due || iteration === iterations)) {
      await report(await trainer.drain());
      const { psnr, bicubic } = await hooks.validate();
      await hooks.score?.({ iteration, psnr, bicubic });
    }
    const late = checkpoint.seconds > 0 && performance.now() - savedAt > 1000 * checkpoint.seconds;
    if (late || (checkpoint.every > 0 && iteration % checkpoint.every === 0)) await save();
  }
  await save();
  return trainer.iteration >= iterations;
}
