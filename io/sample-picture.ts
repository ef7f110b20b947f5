import { toBytes } from '../train/colour.ts';
import { compareFrame, type Picture } from '../train/metrics.ts';
import { protocolFor, type Sample } from '../train/validation.ts';
import { type Image, writeImage } from './image.ts';
import { drawText } from './pixel-font.ts';

interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
interface Rect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const [GAP, BAR, ZOOM, MOST] = [6, 18, 4, 480];
const INK = [235, 235, 235] as const;
const MARK = [255, 210, 60] as const;

/**
 * One picture to judge by: low resolution, bicubic, the network and the truth side by side, and below each the part where
 * low resolution still holds the most detail, enlarged. Pictures of Y are shown in grey; labels give the PSNR of Y.
 */
export async function writeSamplePicture(path: string, sample: Sample): Promise<void> {
  await writeImage(path, samplePicture(sample));
}

export function samplePicture({ truth, low, bicubic, ours }: Sample): Image {
  const { width, height } = truth;
  const shrink = Math.ceil(width / MOST);
  const [w, h] = [Math.floor(width / shrink), Math.floor(height / shrink)];
  const zoom = Math.min(ZOOM, Math.max(1, Math.floor(w / 16)));
  const part = detailed(bicubic, Math.floor(w / zoom), Math.floor(Math.min(h, w) / zoom));
  const scale = width / low.width;
  const columns = [
    { label: `low ${low.width}x${low.height}`, picture: enlarged(low, scale) },
    { label: `bicubic ${decibels(truth, bicubic)}`, picture: bicubic },
    { label: `ours ${decibels(truth, ours)}`, picture: ours },
    { label: 'truth', picture: truth },
  ];
  const size = { width: columns.length * (w + GAP) + GAP, height: BAR + h + GAP + part.h * zoom + GAP };
  const canvas: Canvas = { ...size, data: new Uint8Array(3 * size.width * size.height).fill(24) };
  for (const [i, { label, picture }] of columns.entries()) {
    const left = GAP + i * (w + GAP);
    const rgb = interleaved(picture);
    drawText(canvas, label, [left, 4], w < 150 ? 1 : 2, INK);
    draw(canvas, shrunk(rgb, shrink), left, BAR);
    frame(canvas, {
      x: left + Math.floor(part.x / shrink),
      y: BAR + Math.floor(part.y / shrink),
      w: Math.floor(part.w / shrink),
      h: Math.floor(part.h / shrink),
    });
    draw(canvas, magnified(cut(rgb, part), zoom), left, BAR + h + GAP);
  }
  return canvas;
}

const decibels = (truth: Picture, result: Picture): string =>
  `${compareFrame(truth, result, protocolFor(truth)).psnr.toFixed(2)} dB`;

/** Of all places, in steps of half its size, the rectangle over which neighbouring pixels differ most. */
function detailed({ width, height, data }: Picture, w: number, h: number): Rect {
  let best: Rect & { sum: number } = { x: 0, y: 0, w, h, sum: -1 };
  const step = (n: number) => Math.max(1, Math.floor(n / 2));
  for (let y = 0; y + h <= height; y += step(h)) {
    for (let x = 0; x + w <= width; x += step(w)) {
      let sum = 0;
      for (let row = y; row < y + h - 1; row++) {
        for (let i = row * width + x; i < row * width + x + w - 1; i++) {
          sum += Math.abs(data[i + 1] - data[i]) + Math.abs(data[i + width] - data[i]);
        }
      }
      if (sum > best.sum) best = { x, y, w, h, sum };
    }
  }
  return best;
}

function interleaved({ width, height, data }: Picture): Canvas {
  const planes = toBytes(data);
  const n = width * height;
  const rgb = new Uint8Array(3 * n);
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) rgb[3 * i + c] = planes[(planes.length > n ? c * n : 0) + i];
  return { width, height, data: rgb };
}

/** Every pixel a square of pixels, planes. */
function enlarged({ width, height, data }: Picture, factor: number): Picture {
  const [w, h] = [width * factor, height * factor];
  const out = new Float32Array(data.length * factor ** 2);
  for (let i = 0; i < out.length; i++) {
    const [x, y, c] = [i % w, Math.floor(i / w) % h, Math.floor(i / (w * h))];
    out[i] = data[c * width * height + Math.floor(y / factor) * width + Math.floor(x / factor)];
  }
  return { width: w, height: h, data: out };
}

const magnified = (source: Canvas, factor: number): Canvas =>
  sampled(source.width * factor, source.height * factor, (x, y, c) => {
    return source.data[3 * (Math.floor(y / factor) * source.width + Math.floor(x / factor)) + c];
  });

const cut = (source: Canvas, { x, y, w, h }: Rect): Canvas =>
  sampled(w, h, (i, j, c) => source.data[3 * ((y + j) * source.width + x + i) + c]);

/** Means of square blocks. */
const shrunk = (source: Canvas, factor: number): Canvas =>
  sampled(Math.floor(source.width / factor), Math.floor(source.height / factor), (x, y, c) => {
    let sum = 0;
    for (let j = 0; j < factor; j++) {
      for (let i = 0; i < factor; i++) sum += source.data[3 * ((y * factor + j) * source.width + x * factor + i) + c];
    }
    return sum / factor ** 2;
  });

function sampled(width: number, height: number, at: (x: number, y: number, channel: number) => number): Canvas {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) data[i++] = at(x, y, c);
  }
  return { width, height, data };
}

function draw(canvas: Canvas, picture: Canvas, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
    canvas.data.set(row, 3 * ((top + y) * canvas.width + left));
  }
}

function frame(canvas: Canvas, { x, y, w, h }: Rect): void {
  for (let i = 0; i < w; i++) for (const row of [y, y + h - 1]) canvas.data.set(MARK, 3 * (row * canvas.width + x + i));
  for (let j = 0; j < h; j++) {
    for (const column of [x, x + w - 1]) canvas.data.set(MARK, 3 * ((y + j) * canvas.width + column));
  }
}
