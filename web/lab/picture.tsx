import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Planes } from '../../train/degrade.ts';

interface PictureProps {
  /** One plane (grey) or three (RGB), 0..255. */
  readonly of: Planes | undefined;
  readonly caption: string;
  /** Screen pixels for each of the picture's; without it, as wide as there is room. */
  readonly zoom?: number;
  readonly onPoint?: (x: number, y: number) => void;
  /** Drawn over it, in the picture's pixels. */
  readonly mark?: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

/** A picture, pixel by pixel, without smoothing. */
export function Picture({ of, caption, zoom, onPoint, mark }: PictureProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (of && canvas.current) paint(canvas.current, of);
  }, [of]);
  const { width = 1, height = 1 } = of ?? {};
  const point = (event: PointerEvent) => {
    if (!onPoint || (event.type === 'pointermove' && event.buttons === 0)) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = (value: number, size: number, n: number) => Math.min(Math.max(Math.floor((value / size) * n), 0), n - 1);
    onPoint(at(event.clientX - box.left, box.width, width), at(event.clientY - box.top, box.height, height));
  };
  return (
    <figure class="picture" style={zoom ? { flex: `0 1 ${zoom * width}px`, width: `${zoom * width}px` } : {}}>
      <div class={`frame ${onPoint ? 'point' : ''}`} onPointerDown={point} onPointerMove={point}>
        <canvas ref={canvas} width={width} height={height} role="img" aria-label={caption} />
        {of && mark && <span class="mark" style={markStyle(mark, width, height)} />}
      </div>
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

const markStyle = ({ x, y, w, h }: NonNullable<PictureProps['mark']>, width: number, height: number) => ({
  left: `${(100 * x) / width}%`,
  top: `${(100 * y) / height}%`,
  width: `${(100 * w) / width}%`,
  height: `${(100 * h) / height}%`,
});

export function paint(canvas: HTMLCanvasElement, { width, height, data }: Planes): void {
  canvas.width = width;
  canvas.height = height;
  const n = width * height;
  const grey = data.length === n;
  const image = new ImageData(width, height);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(data[grey ? i : c * n + i]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}
