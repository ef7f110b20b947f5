import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import './plot.css';

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
const FONT = '12px system-ui, sans-serif';

const darkness = matchMedia('(prefers-color-scheme: dark)');
const dark = signal(darkness.matches);
darkness.addEventListener('change', () => {
  dark.value = darkness.matches;
});

const shown = (value: number | null | undefined, digits = 4): string =>
  value == null ? '' : String(+value.toPrecision(digits));

/** Lines over numbers, as wide as there is room. Screen readers get the last values. */
export function Plot({ x, lines, xLabel, yLabel, height = 220, logY = false }: PlotProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = host.current!;
    const colour = (name: string) => {
      box.style.color = `var(${name})`; // as the browser resolves it: a canvas knows no variables
      const { color } = getComputedStyle(box);
      box.style.color = '';
      return color;
    };
    const strokes = lines.map((_, i) => colour(COLOURS[i % COLOURS.length]));
    const line = { stroke: colour('--line'), width: 1 };
    const axis = { stroke: colour('--text'), grid: line, ticks: { ...line, size: 4 }, gap: 4 };
    const text = { font: FONT, labelFont: FONT, labelSize: 20, labelGap: 2 };
    const edge = lines.some(({ points }) => points) ? 0.03 : 0; // room for points at the ends
    const range = (_: uPlot, least: number, most: number): uPlot.Range.MinMax => {
      const room = edge * (most - least || 1);
      return [least - room, most + room];
    };
    const plot = new uPlot(
      {
        width: box.clientWidth,
        height,
        scales: { x: { time: false, range }, y: logY ? { distr: 3 } : {} },
        axes: [
          { ...axis, ...text, label: xLabel, size: 24 },
          { ...axis, ...text, label: yLabel, size: 54, values: (_, all) => all.map((value) => shown(value, 6)) },
        ],
        legend: { markers: { width: 0, fill: (_, i) => strokes[i - 1] } },
        series: [
          { label: xLabel, value: (_, value) => shown(value) },
          ...lines.map(({ label, points }, i) => ({
            label,
            stroke: strokes[i],
            width: points ? 0 : 2,
            points: { show: points ?? false, size: 8, fill: strokes[i] },
            spanGaps: true,
            value: (_: uPlot, value: number | null) => shown(value),
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
  }, [x, lines, xLabel, yLabel, height, logY, dark.value]);
  const words = lines.map(({ label, y }) => `${label}: ${shown(y.at(-1)) || 'none'}`).join(', ');
  const empty = lines.every(({ y }) => y.every((value) => value === null));
  return (
    <div
      class={`plot ${empty ? 'empty' : ''}`}
      ref={host}
      role="img"
      aria-label={`${yLabel} over ${xLabel}; last values: ${words}`}
    />
  );
}
