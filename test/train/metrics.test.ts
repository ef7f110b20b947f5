import { describe, expect, test } from 'vitest';
import { NotFiniteError, ShapeError, UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { lumaOfPlanes } from '../../train/colour.ts';
import { gaussianTaps } from '../../train/degrade.ts';
import {
  compareClip,
  compareFrame,
  DEFAULT_PROTOCOL,
  PROTOCOLS,
  type Protocol,
  psnr,
  type SsimVariant,
  ssim,
} from '../../train/metrics.ts';

const random = new Random(8);
const [W, H] = [19, 15];
const noise = (n: number) => Float64Array.from({ length: n }, () => random.int(256));
const near = (x: Float64Array) => x.map((v) => Math.min(Math.max(v + 30 * random.normal(), 0), 255));

/** SSIM by its definition: a two-dimensional window and central moments, pixel by pixel. */
function ssimByDefinition(a: Float64Array, b: Float64Array, variant: SsimVariant): number {
  const taps = variant === 'skimage' ? Array(7).fill(1 / 7) : gaussianTaps(1.5, 5);
  const radius = (taps.length - 1) / 2;
  const inset = variant === 'pytorch' ? 0 : radius;
  const value = (x: Float64Array, r: number, c: number) => (r < 0 || c < 0 || r >= H || c >= W ? 0 : x[r * W + c]);
  let [total, count] = [0, 0];
  for (let y = inset; y < H - inset; y++) {
    for (let x = inset; x < W - inset; x++) {
      const mean = (f: (r: number, c: number) => number) => {
        let sum = 0;
        taps.forEach((v, i) => {
          taps.forEach((w, j) => {
            sum += v * w * f(y + i - radius, x + j - radius);
          });
        });
        return sum;
      };
      const ma = mean((r, c) => value(a, r, c));
      const mb = mean((r, c) => value(b, r, c));
      const bias = variant === 'skimage' ? 49 / 48 : 1;
      const va = bias * mean((r, c) => (value(a, r, c) - ma) ** 2);
      const vb = bias * mean((r, c) => (value(b, r, c) - mb) ** 2);
      const cov = bias * mean((r, c) => (value(a, r, c) - ma) * (value(b, r, c) - mb));
      const [c1, c2] = [6.5025, 58.5225];
      total += ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      count++;
    }
  }
  return total / count;
}

describe('one plane', () => {
  test('psnr', () => {
    expect(psnr([0, 0], [255, 255])).toBe(0);
    expect(psnr([10, 20], [11, 21])).toBeCloseTo(48.1308, 4);
    expect(psnr([1, 2], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(() => psnr([1], [1, 2])).toThrow(ShapeError);
  });

  test.each(['matlab', 'skimage', 'pytorch'] as const)('ssim, %s, against its definition', (variant) => {
    const a = noise(W * H);
    const b = near(a);
    expect(ssim(a, b, W, H, variant)).toBeCloseTo(ssimByDefinition(a, b, variant), 10);
    expect(ssim(a, a, W, H, variant)).toBeCloseTo(1, 12);
  });

  test('ssim needs its window', () => {
    expect(() => ssim(new Float32Array(100), new Float32Array(100), 10, 10)).toThrow('at least 11x11');
    expect(ssim(new Float32Array(1), new Float32Array(1), 1, 1, 'pytorch')).toBe(1);
    expect(() => ssim(new Float32Array(99), new Float32Array(100), 10, 10)).toThrow(ShapeError);
  });
});

describe('protocols', () => {
  const whole: Protocol = { ...DEFAULT_PROTOCOL, border: [0, 0, 0, 0], quantise: 'none' };
  const picture = (data: Float64Array) => ({ width: W, height: H, data });

  test('border, channel and quantisation', () => {
    const hr = noise(3 * W * H);
    const sr = near(hr);
    const y = compareFrame(picture(hr), picture(sr), whole);
    expect(y.psnr).toBeCloseTo(psnr(lumaOfPlanes(hr), lumaOfPlanes(sr)), 10);
    const rgb = compareFrame(picture(hr), picture(sr), { ...whole, channel: 'rgb' });
    expect(rgb.psnr).toBeCloseTo(psnr(hr, sr), 10);

    const flawed = hr.slice(0, W * H);
    for (let i = 0; i < W * H; i++) if (i < W || i % W === W - 1) flawed[i] = 255 - flawed[i]; // top row, right column
    const plane = picture(hr.slice(0, W * H));
    expect(compareFrame(plane, picture(flawed), { ...whole, border: [1, 1, 0, 0] }).psnr).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(compareFrame(plane, picture(flawed), { ...whole, border: [0, 0, 1, 1] }).psnr).toBeLessThan(30);

    const shifted = picture(plane.data.map((v) => v + 0.75));
    expect(compareFrame(plane, shifted, { ...whole, quantise: 'truncate' }).psnr).toBe(Number.POSITIVE_INFINITY);
    expect(compareFrame(plane, shifted, { ...whole, quantise: 'none' }).psnr).toBeCloseTo(50.63, 2);
    expect(compareFrame(plane, shifted, { ...whole, quantise: 'round' }).psnr).toBeLessThan(49);
  });

  test('a clip is the mean of its frames, ends skipped', async () => {
    const hr = [0, 1, 2, 3].map(() => picture(noise(W * H)));
    const sr = hr.map(({ data }) => picture(near(data)));
    const all = await compareClip(hr, sr, whole);
    expect(all.frames).toBe(4);
    const middle = await compareClip(hr, sr, { ...whole, skipHead: 1, skipTail: 2 });
    expect(middle.perFrame).toEqual([all.perFrame[1]]);
    expect(all.psnr).toBeCloseTo(all.perFrame.reduce((sum, f) => sum + f.psnr, 0) / 4, 12);
    await expect(compareClip(hr, sr.slice(1), whole)).rejects.toThrow('got 3');
    await expect(compareClip(hr.slice(1), sr, whole)).rejects.toThrow('got more');
    await expect(compareClip(hr, sr, { ...whole, skipHead: 4 })).rejects.toThrow(UsageError);
  });

  test('frames that cannot be compared', () => {
    const plane = picture(noise(W * H));
    expect(() => compareFrame(plane, picture(plane.data.with(3, Number.NaN)), whole)).toThrow(NotFiniteError);
    expect(() => compareFrame(plane, { width: 1, height: 1, data: new Uint8Array(1) }, whole)).toThrow(ShapeError);
    expect(() => compareFrame(plane, plane, PROTOCOLS.iseebetter(4))).toThrow('expected RGB planes');
    expect(() => compareFrame(plane, plane, DEFAULT_PROTOCOL)).toThrow('nothing left');
  });
});
