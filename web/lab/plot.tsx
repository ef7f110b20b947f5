import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  readonly label: string;
  readonly y: readonly (number | null)[];
  /** points: no line between them. */
  readonly points?: boolean;
}

interface PlotProps {
  readonly x: readonly number[];
  readonly lines: readonly Line[];
  readonly xLabel: string;
  readonly yLabel: string;
  readonly height?: number;
  readonly logY?: boolean;
}

const COLOURS = ['--blue', '--orange', '--green', '--red', '--violet'];

/** Lines over numbers, as wide as there is room. Screen readers get the last values. */
export function Plot({ x, lines, xLabel, yLabel, height = 220, logY = false }: PlotProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = host.current!;
    const style = getComputedStyle(box);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--text'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line') },
    };
    const plot = new uPlot(
      {
        width: box.clientWidth,
        height,
        scales: { x: { time: false }, y: logY ? { distr: 3 } : {} },
        axes: [
          { ...axis, label: xLabel },
          { ...axis, label: yLabel, size: 60 },
        ],
        series: [
          { label: xLabel },
          ...lines.map(({ label, points }, i) => ({
            label,
            stroke: colour(COLOURS[i % COLOURS.length]),
            width: points ? 0 : 2,
            points: { show: points ?? false, size: 7 },
            spanGaps: true,
          })),
        ],
      },
      [[...x], ...lines.map(({ y }) => [...y])] as uPlot.AlignedData,
      box,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height }));
    resized.observe(box);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [x, lines, xLabel, yLabel, height, logY]);
  const words = lines.map(({ label, y }) => `${label}: ${y.at(-1) ?? 'none'}`).join(', ');
  return <div class="plot" ref={host} role="img" aria-label={`${yLabel} over ${xLabel}; last values: ${words}`} />;
}
