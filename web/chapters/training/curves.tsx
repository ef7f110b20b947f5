import { useMemo } from 'preact/hooks';
import { Plot } from '../../lab/plot.tsx';
import type { Point, Shown } from './session.ts';

/** Losses of which the largest is so many times the smallest, as after another loss was chosen, are drawn on a logarithmic axis. */
const WIDE = 10;

/** Loss and PSNR over steps. */
export function Curves({ shown: { losses, undone, scores, bicubic } }: { readonly shown: Shown }) {
  const loss = useMemo(() => {
    const x = xs(losses, undone);
    const lines = [{ label: 'loss, mean of 10 steps', y: over(x, losses) }];
    if (undone.length > 0) lines.push({ label: 'before going back', y: over(x, undone) });
    const sizes = [...losses, ...undone].map(({ value }) => value);
    return { x, lines, logY: Math.max(...sizes) > WIDE * Math.min(...sizes) };
  }, [losses, undone]);
  const psnr = useMemo(() => {
    const x = xs(scores);
    const flat = x.map(() => bicubic);
    const lines = [
      { label: 'PSNR', y: over(x, scores) },
      { label: 'bicubic', y: flat },
    ];
    return { x, lines };
  }, [scores, bicubic]);
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
