import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Planes } from '../../../train/degrade.ts';
import { Picture } from '../../lab/picture.tsx';

interface PadProps {
  /** 0..255, square. */
  readonly of: Planes;
  /** The value that the pen leaves. */
  readonly pen: number;
  readonly onDraw: (picture: Planes) => void;
}

const steps: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** A small picture to draw on: by mouse or touch, or with the arrow keys and the space bar. */
export function Pad({ of, pen, onDraw }: PadProps): JSX.Element {
  const [at, setAt] = useState({ x: of.width >> 1, y: of.height >> 1 });
  const draw = (x: number, y: number) => {
    setAt({ x, y });
    const data = of.data.slice();
    data[y * of.width + x] = pen;
    onDraw({ ...of, data });
  };
  const key = (event: KeyboardEvent) => {
    const step = steps[event.key];
    if (!step && event.key !== ' ') return;
    event.preventDefault();
    if (!step) return draw(at.x, at.y);
    const inside = (n: number, size: number) => Math.min(Math.max(n, 0), size - 1);
    setAt({ x: inside(at.x + step[0], of.width), y: inside(at.y + step[1], of.height) });
  };
  const here = Math.round(of.data[at.y * of.width + at.x]);
  return (
    <div
      class="pad"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys, as its label says
      tabIndex={0}
      role="application"
      aria-label="Drawing pad: arrow keys move, space draws"
      onKeyDown={key}
    >
      <Picture of={of} caption="your picture: draw here" onPoint={draw} mark={{ ...at, w: 1, h: 1 }} />
      <span class="unseen" aria-live="polite">
        column {at.x + 1}, row {at.y + 1}: {here}
      </span>
    </div>
  );
}
