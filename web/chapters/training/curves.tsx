import { useMemo } from 'preact/hooks';
import { Plot } from '../../lab/plot.tsx';
import { APART_DB, type Point, type Shown } from './session.ts';

/** Losses of which the largest is so many times the smallest, as after another loss was chosen, are drawn on a logarithmic axis. */
const WIDE = 10;
/** And so far up: what has come apart would press all else flat. */
const TALL = 100;

const BEFORE = 'before going back';

/** Loss and PSNR over steps. */
export function Curves({ shown: { losses, undone, scores, bicubic } }: { readonly shown: Shown }) {
  const loss = useMemo(() => {
    const x = xs(losses, undone.losses);
    const sizes = [...losses, ...undone.losses].map(({ value }) => value);
    const least = Math.min(...sizes);
    const within = (points: readonly Point[]) => over(x, points).map((loss) => loss && Math.min(loss, TALL * least));
    const lines = [{ label: 'loss, mean of 10 steps', y: within(losses) }];
    if (undone.losses.length > 0) lines.push({ label: BEFORE, y: within(undone.losses) });
    return { x, lines, logY: Math.max(...sizes) > WIDE * least };
  }, [losses, undone]);
  const psnr = useMemo(() => {
    const before = undone.scores.filter(({ value }) => value > bicubic - APART_DB);
    const x = xs(scores, before);
    const flat = x.map(() => bicubic);
    const lines = [
      { label: 'PSNR', y: over(x, scores) },
      { label: 'bicubic', y: flat },
    ];
    if (before.length > 0) lines.push({ label: BEFORE, y: over(x, before) });
    return { x, lines };
  }, [scores, undone, bicubic]);
  return (
    <>
      <Plot {...loss} xLabel="step" yLabel="loss" height={200} />
      <Plot {...psnr} xLabel="step" yLabel="PSNR, dB" height={200} />
    </>
  );
}

const xs = (...lines: readonly (readonly Point[])[]): number[] =>
  [...new Set(lines.flatMap((points) => points.map(({ iteration }) => iteration)))].sort((a, b) => a - b);

function over(x: readonly number[], points: readonly Point[]): (number | null)[] {
  const values = new Map(points.map(({ iteration, value }) => [iteration, value]));
  return x.map((iteration) => values.get(iteration) ?? null);
}
