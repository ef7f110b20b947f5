/**
 * BT.601 limited range, MATLAB's rgb2ycbcr and the luma of all video super-resolution papers here.
 * Values are 0..255 everywhere in this file; Y nominally 16..235. Planes stand one after the other, (C, H, W).
 */

type Samples = Uint8Array | Float32Array | Float64Array;

const [KR, KG, KB] = [0.299, 0.587, 0.114];
const luma = (r: number, g: number, b: number): number => 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255;
const blueDifference = (r: number, g: number, b: number): number => 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255;
const redDifference = (r: number, g: number, b: number): number => 128 + (112 * r - 93.786 * g - 18.214 * b) / 255;

/** Y of interleaved RGB, not rounded. */
export function lumaOfInterleaved(rgb: Samples): Float32Array {
  const y = new Float32Array(rgb.length / 3);
  for (let i = 0, j = 0; i < y.length; i++, j += 3) y[i] = luma(rgb[j], rgb[j + 1], rgb[j + 2]);
  return y;
}

/** Y of RGB planes, not rounded. */
export function lumaOfPlanes(rgb: Samples): Float32Array {
  const n = rgb.length / 3;
  const y = new Float32Array(n);
  for (let i = 0; i < n; i++) y[i] = luma(rgb[i], rgb[i + n], rgb[i + 2 * n]);
  return y;
}

/** R, G, B planes to Y, Cb, Cr planes, not rounded. */
export function rgbToYcbcr(rgb: Samples): Float32Array {
  const n = rgb.length / 3;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const [r, g, b] = [rgb[i], rgb[i + n], rgb[i + 2 * n]];
    out[i] = luma(r, g, b);
    out[i + n] = blueDifference(r, g, b);
    out[i + 2 * n] = redDifference(r, g, b);
  }
  return out;
}

/** The exact inverse; neither rounded nor clipped. */
export function ycbcrToRgb(ycbcr: Samples): Float32Array {
  const n = ycbcr.length / 3;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const y = (255 / 219) * (ycbcr[i] - 16);
    const blue = (255 / 112) * (1 - KB) * (ycbcr[i + n] - 128);
    const red = (255 / 112) * (1 - KR) * (ycbcr[i + 2 * n] - 128);
    out[i] = y + red;
    out[i + n] = y - (KB / KG) * blue - (KR / KG) * red;
    out[i + 2 * n] = y + blue;
  }
  return out;
}

/** Interleaved RGB to I420: planes Y, U, V, rounded; chroma is the mean of each 2x2 block, sizes rounded up. */
export function interleavedToYuv420(rgb: Uint8Array, width: number, height: number): Uint8Array {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const out = new Uint8Array(width * height + 2 * w * h);
  out.set(toBytes(lumaOfInterleaved(rgb)));
  const mean = [0, 0, 0];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const right = Math.min(2 * x + 1, width - 1); // an odd edge counts twice
      const below = Math.min(2 * y + 1, height - 1);
      for (let c = 0; c < 3; c++) {
        const at = (row: number, column: number) => rgb[3 * (row * width + column) + c];
        mean[c] = (at(2 * y, 2 * x) + at(2 * y, right) + at(below, 2 * x) + at(below, right)) / 4;
      }
      const [r, g, b] = mean;
      out[width * height + y * w + x] = Math.round(blueDifference(r, g, b));
      out[width * height + w * h + y * w + x] = Math.round(redDifference(r, g, b));
    }
  }
  return out;
}

/** (H, W, C) to (C, H, W). */
export function toPlanes<A extends Samples>(interleaved: A, channels = 3): A {
  const n = interleaved.length / channels;
  const out = interleaved.slice() as A;
  for (let c = 0; c < channels; c++) for (let i = 0; i < n; i++) out[c * n + i] = interleaved[i * channels + c];
  return out;
}

/** (C, H, W) to (H, W, C). */
export function toInterleaved<A extends Samples>(planes: A, channels = 3): A {
  const n = planes.length / channels;
  const out = planes.slice() as A;
  for (let c = 0; c < channels; c++) for (let i = 0; i < n; i++) out[i * channels + c] = planes[c * n + i];
  return out;
}

/** Rounds half up and clips to 0..255, as MATLAB's uint8 does. */
export function toBytes(values: ArrayLike<number>, scale = 1): Uint8Array {
  const out = new Uint8Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(Math.floor(values[i] * scale + 0.5), 0), 255);
  return out;
}
