import { useMemo } from 'preact/hooks';
import { Plot } from '../../lab/plot.tsx';
import type { Point, Shown } from './session.ts';

/** What is further below bicubic goes from the plot as soon as there is better: it would flatten all else. */
const NEAR_DB = 3;

/** Loss and PSNR over steps. */
export function Curves({ shown: { losses, undone, scores, bicubic } }: { readonly shown: Shown }) {
  const loss = useMemo(() => {
    const x = xs(losses, undone);
    const lines = [{ label: 'loss, mean of 10 steps', y: over(x, losses) }];
    return { x, lines: undone.length > 0 ? [...lines, { label: 'before going back', y: over(x, undone) }] : lines };
  }, [losses, undone]);
  const psnr = useMemo(() => {
    const near = scores.filter(({ value }) => value > bicubic - NEAR_DB);
    const shown = near.length > 1 ? near : scores;
    const x = xs(shown, []);
    const flat = x.map(() => bicubic);
    const lines = [
      { label: 'PSNR', y: over(x, shown) },
      { label: 'bicubic', y: flat },
    ];
    return { x, lines };
  }, [scores, bicubic]);
  return (
    <>
      <Plot {...loss} xLabel="step" yLabel="loss" logY height={200} />
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
