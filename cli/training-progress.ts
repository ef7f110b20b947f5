import type { LoadProgress } from '../io/load-clips.ts';
import type { TrainingRun } from '../io/training-run.ts';
import type { ScoreRecord } from '../train/loop.ts';
import type { LossRecord, Trainer } from '../train/trainer.ts';
import { besideBicubic, counted } from '../train/words.ts';
import { colours, exitCode, note } from './common.ts';
import { progressText, TerminalBar } from './progress.ts';

/** Shows a training run on stderr: a bar on a terminal, plain lines in a pipe. */
export class TrainingProgress {
  #trainer: Trainer | undefined;
  #bar: TerminalBar | undefined;
  #score = '';
  #rate = 0;
  #loadedShown = 0;

  loading = ({ framesDone, framesTotal, clip }: LoadProgress): void => {
    if (process.stderr.isTTY) {
      const last = framesDone === framesTotal;
      if (!last && performance.now() - this.#loadedShown < 100) return;
      this.#loadedShown = performance.now();
      process.stderr.write(`\r\x1b[Kreading clips: frame ${framesDone} of ${framesTotal} (${clip})${last ? '\n' : ''}`);
    } else if (framesDone === framesTotal) note(`read ${counted(framesTotal, 'frame')}`);
  };

  begin({ trainer, info, footage, remarks }: TrainingRun): void {
    this.#trainer = trainer;
    const { recipe, net } = trainer;
    const count = (clips: TrainingRun['footage']['training']) => clips.reduce((n, { frames }) => n + frames.length, 0);
    for (const remark of remarks) note(colours.yellow(remark));
    note(
      `${recipe.name}: ${net.parameterCount().toLocaleString('en')} parameters on ${info.device}; ` +
        `training on ${counted(count(footage.training), 'frame')}, ${count(footage.heldOut)} held out`,
    );
    const { iteration } = trainer;
    if (iteration >= recipe.iterations) {
      note(`all ${counted(iteration, 'iteration')} are done; a larger --iters goes on from there`);
    } else if (iteration > 0) note(`going on at iteration ${iteration} of ${recipe.iterations}`);
    if (process.stderr.isTTY) {
      this.#bar = new TerminalBar('training', recipe.iterations, { done: iteration, text: this.#text() });
    }
  }

  step = (rate: number): void => {
    this.#rate = rate;
    this.#bar?.update(this.#trainer!.iteration, this.#text());
  };

  loss = ({ iteration, loss }: LossRecord): void => {
    if (!this.#bar) note(`iteration ${this.#text(iteration, loss)}`);
  };

  score = ({ iteration, psnr, bicubic }: ScoreRecord): void => {
    const beside = besideBicubic(psnr - bicubic);
    this.#score = `  PSNR ${psnr.toFixed(2)} dB, ${beside}`;
    this.#bar?.update(iteration, this.#text());
    if (!this.#bar)
      note(`iteration ${iteration}  held out ${psnr.toFixed(2)} dB, bicubic ${bicubic.toFixed(2)} dB: ${beside}`);
  };

  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #text(done = this.#trainer!.iteration, loss = this.#trainer!.lastLoss): string {
    const more = `${Number.isNaN(loss) ? '' : `  loss ${loss.toFixed(5)}`}${this.#bar ? this.#score : ''}`;
    return progressText({ done, total: this.#trainer!.recipe.iterations, unit: 'it', rate: this.#rate, more });
  }
}

export interface Interruption {
  readonly signal: AbortSignal;
  /** What it came by, once it has come. */
  readonly by: NodeJS.Signals | undefined;
  forget(): void;
}

/** The first Ctrl-C (or SIGTERM) asks for an orderly end with a checkpoint, the second ends at once. */
export function interruption(): Interruption {
  const controller = new AbortController();
  let by: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (by) process.exit(exitCode(signal));
    by = signal;
    note('\nsaving a checkpoint (once more: stop at once)');
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return {
    signal: controller.signal,
    get by() {
      return by;
    },
    forget: () => process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}
