import { SingleBar } from 'cli-progress';
import type { LoadProgress } from '../io/load-clips.ts';
import type { TrainingRun } from '../io/training-run.ts';
import type { ScoreRecord } from '../train/loop.ts';
import type { LossRecord, Trainer } from '../train/trainer.ts';
import { colours, note } from './common.ts';
import { clock } from './progress.ts';

/** Shows a training run on stderr: a bar on a terminal, plain lines in a pipe. */
export class TrainingProgress {
  #trainer: Trainer | undefined;
  #bar: SingleBar | undefined;
  #score = '';
  #rate = 0;
  #loadedShown = 0;

  loading = ({ framesDone, framesTotal, clip }: LoadProgress): void => {
    if (process.stderr.isTTY) {
      const last = framesDone === framesTotal;
      if (!last && performance.now() - this.#loadedShown < 100) return;
      this.#loadedShown = performance.now();
      process.stderr.write(`\r\x1b[Kreading clips: frame ${framesDone} of ${framesTotal} (${clip})${last ? '\n' : ''}`);
    } else if (framesDone === framesTotal) note(`read ${framesTotal} frames`);
  };

  begin({ trainer, info, footage, remarks }: TrainingRun): void {
    this.#trainer = trainer;
    const { recipe, net } = trainer;
    const count = (clips: TrainingRun['footage']['training']) => clips.reduce((n, { frames }) => n + frames.length, 0);
    for (const remark of remarks) note(colours.yellow(remark));
    note(
      `${recipe.name}: ${net.parameterCount().toLocaleString('en')} parameters on ${info.device}; ` +
        `training on ${count(footage.training)} frames, ${count(footage.heldOut)} held out`,
    );
    if (trainer.iteration > 0) note(`going on at iteration ${trainer.iteration} of ${recipe.iterations}`);
    if (!process.stderr.isTTY) return;
    this.#bar = new SingleBar({
      format: `{bar} {value}/{total}  loss {loss}  {rate} it/s  {left} left{score}`,
      barsize: 16,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      gracefulExit: false,
    });
    process.once('exit', () => this.end()); // gives the terminal its cursor and line wrap back
    this.#bar.start(recipe.iterations, trainer.iteration, { loss: '…', rate: '…', left: '…', score: '' });
  }

  step = (rate: number): void => {
    const { iteration, lastLoss } = this.#trainer!;
    this.#rate = rate;
    this.#bar?.update(iteration, {
      loss: Number.isNaN(lastLoss) ? '…' : lastLoss.toFixed(5),
      rate: this.#speed(),
      left: this.#left(),
      score: this.#score,
    });
  };

  loss = ({ iteration, loss }: LossRecord): void => {
    if (this.#bar) return;
    const { iterations } = this.#trainer!.recipe;
    note(`iteration ${iteration}/${iterations}  loss ${loss.toFixed(5)}  ${this.#speed()} it/s  ${this.#left()} left`);
  };

  score = ({ iteration, psnr, bicubic }: ScoreRecord): void => {
    const gain = psnr - bicubic;
    const signed = `${gain >= 0 ? '+' : ''}${gain.toFixed(2)} dB`;
    this.#score = `  PSNR ${psnr.toFixed(2)} (${signed})`;
    this.#bar?.update({ score: this.#score });
    if (!this.#bar)
      note(`iteration ${iteration}  held out ${psnr.toFixed(2)} dB, bicubic ${bicubic.toFixed(2)} dB: ${signed}`);
  };

  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #speed(): string {
    return this.#rate > 0 ? this.#rate.toFixed(2) : '…';
  }

  #left(): string {
    const { iteration, recipe } = this.#trainer!;
    return clock((recipe.iterations - iteration) / this.#rate);
  }
}

/** The first Ctrl-C (or SIGTERM) asks for an orderly end with a checkpoint, the second ends at once. */
export function interruption(): { signal: AbortSignal; forget: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    note('\nsaving a checkpoint (once more: stop at once)');
    controller.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { signal: controller.signal, forget: () => process.off('SIGINT', stop).off('SIGTERM', stop) };
}
