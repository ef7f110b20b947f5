import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Planes } from '../../train/degrade.ts';
import './compare.css';
import { paint } from './picture.tsx';
import { Slider } from './ui.tsx';

export interface Side {
  readonly name: string;
  readonly picture: Planes | undefined;
}

/** Two pictures of one size, one over the other. Where they meet is dragged, or moved by the slider and its keys. */
export function Compare({ before, after }: { readonly before: Side; readonly after: Side }): JSX.Element {
  const [at, setAt] = useState(50);
  const drag = (event: PointerEvent) => {
    if (event.type === 'pointermove' && event.buttons === 0) return;
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    setAt(Math.min(Math.max(Math.round((100 * (event.clientX - left)) / width), 0), 100));
  };
  return (
    <div class="compare">
      <div class="over" onPointerDown={drag} onPointerMove={drag}>
        <Layer {...after} clip="none" />
        <Layer {...before} clip={`inset(0 ${100 - at}% 0 0)`} />
        <span class="edge" style={{ left: `${at}%` }} />
        <span class="name">{before.name}</span>
        <span class="name">{after.name}</span>
      </div>
      <Slider
        label={`${before.name}, then ${after.name}`}
        value={at}
        min={0}
        max={100}
        show={(share) => `${share} %`}
        onChange={setAt}
      />
    </div>
  );
}

function Layer({ name, picture, clip }: Side & { readonly clip: string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (picture && canvas.current) paint(canvas.current, picture);
  }, [picture]);
  const { width = 4, height = 3 } = picture ?? {};
  return <canvas ref={canvas} style={{ clipPath: clip }} {...{ width, height }} role="img" aria-label={name} />;
}
