import { SingleBar } from 'cli-progress';
import { note } from './common.ts';

export interface Progress {
  update(done: number): void;
  stop(): void;
}

const SECONDS_BETWEEN_LINES = 10;

/** Done, rate and time left: a bar on a terminal, a line now and then in a pipe. All on stderr. */
export function startProgress(title: string, total: number | undefined, unit: string): Progress {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const rate = (done: number) => `${(done / Math.max(seconds(), 1e-3)).toFixed(2)} ${unit}/s`;
  const left = (done: number) => (total && done ? ((total - done) * seconds()) / done : undefined);
  if (process.stderr.isTTY) {
    const format = total ? `${title} [{bar}] {value}/{total} ${unit}, {rate}, {left} left` : `${title} {value} {rate}`;
    const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, barsize: 24 });
    bar.start(total ?? 1, 0, { rate: '', left: '?' });
    const stop = () => {
      process.off('exit', stop);
      bar.stop();
    };
    process.on('exit', stop); // an early end, too, gives the terminal its cursor and line wrap back
    return { update: (done) => bar.update(done, { rate: rate(done), left: clock(left(done)) }), stop };
  }
  let shown = 0;
  return {
    update(done) {
      if (seconds() - shown < SECONDS_BETWEEN_LINES) return;
      shown = seconds();
      note(`${title}: ${done}${total ? `/${total}` : ''} ${unit}, ${rate(done)}, ${clock(left(done))} left`);
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
