import { SingleBar } from 'cli-progress';
import { note } from './common.ts';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

const SECONDS_BETWEEN_LINES = 10;

/** What stands in a line of progress beside its title. */
interface State {
  readonly done: number;
  readonly total: number | undefined;
  readonly unit: string;
  /** Units a second; 0 where unknown. */
  readonly rate: number;
  /** Loss and score of a training. */
  readonly more?: string;
}

/** "12/34  3.10 frames/s  0:07 left", on terminals and in pipes alike. */
export function progressText({ done, total, unit, rate, more = '' }: State): string {
  const of = total === undefined ? '' : `/${total}`;
  const left = total === undefined ? '' : `  ${clock(rate > 0 ? (total - done) / rate : undefined)} left`;
  return `${done}${of}  ${rate > 0 ? rate.toFixed(2) : '?'} ${unit}/s${left}${more}`;
}

/** A bar on a terminal, with text to its right. */
export class TerminalBar {
  readonly #bar: SingleBar;

  constructor(title: string, total: number | undefined, state: { done: number; text: string }) {
    this.#bar = new SingleBar({
      format: total === undefined ? `${title}  {text}` : `${title}  {bar}  {text}`,
      ...{ stream: process.stderr, hideCursor: true, gracefulExit: false },
      ...{ barsize: 20, barCompleteChar: '█', barIncompleteChar: '░' },
    });
    this.#bar.start(total ?? 1, state.done, { text: state.text });
    process.on('exit', this.stop); // an early end, too, gives the terminal its cursor and line wrap back
  }

  update(done: number, text: string): void {
    this.#bar.update(done, { text });
  }

  stop = (): void => {
    process.off('exit', this.stop);
    this.#bar.stop();
  };
}

/** Done, rate and time left: a bar on a terminal, a line now and then in a pipe. All on stderr. */
export function startProgress(title: string, total: number | undefined, unit: string): Progress {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const text = (done: number) => progressText({ done, total, unit, rate: done / Math.max(seconds(), 1e-3) });
  if (process.stderr.isTTY) {
    const bar = new TerminalBar(title, total, { done: 0, text: text(0) });
    return { update: (done) => bar.update(done, text(done)), stop: bar.stop };
  }
  let shown = 0;
  return {
    update(done) {
      if (seconds() - shown < SECONDS_BETWEEN_LINES) return;
      shown = seconds();
      note(`${title}  ${text(done)}`);
    },
    stop() {},
  };
}

/** "1:05:09", "2:03"; "?" where unknown. */
export function clock(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '?';
  const s = Math.max(Math.round(seconds), 0);
  const parts = s >= 3600 ? [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60] : [Math.floor(s / 60), s % 60];
  return parts.map((n, i) => (i === 0 ? String(n) : String(n).padStart(2, '0'))).join(':');
}
