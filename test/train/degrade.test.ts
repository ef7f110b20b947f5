import { describe, expect, test } from 'vitest';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { bicubicUpscale, DEGRADATIONS, degrade, gaussianTaps } from '../../train/degrade.ts';

const random = new Random(6);
const noise = (n: number) => Float32Array.from({ length: n }, () => 255 * random.uniform());

test('the printed taps of both papers', () => {
  // the blurs of the public FSTRN and DUF codes
  gaussianTaps(2, 2)
    .slice(0, 3)
    .forEach((w, i) => {
      expect(w).toBeCloseTo([0.15246914, 0.2218413, 0.25137912][i], 8);
    });
  gaussianTaps(1.6, 6)
    .slice(6)
    .forEach((w, i) => {
      const printed = [0.24934808, 0.20510814, 0.11415987, 0.042993, 0.01095559, 0.00188898, 0.00022038];
      expect(w).toBeCloseTo(printed[i], 8);
    });
});

describe('degrade', () => {
  test.each(DEGRADATIONS)('%s keeps a constant and the number of planes', (name) => {
    const low = degrade(new Float32Array(3 * 24 * 16).fill(0.25), 24, 16, name, 4);
    expect([low.width, low.height, low.data.length]).toEqual([6, 4, 3 * 24]);
    expect(Math.max(...low.data.map((v) => Math.abs(v - 0.25)))).toBeLessThan(1e-6);
  });

  test('a ramp shows where LR pixels lie: 4i + 1.5, for DUF 4i', () => {
    const ramp = Float32Array.from({ length: 64 * 64 }, (_, i) => i % 64);
    const inside = (name: (typeof DEGRADATIONS)[number]) => degrade(ramp, 64, 64, name, 4).data[8 * 16 + 8];
    expect(inside('bicubic')).toBeCloseTo(33.5, 4);
    expect(inside('gaussian')).toBeCloseTo(33.5, 4);
    expect(inside('duf')).toBeCloseTo(32, 4);
  });

  test('gaussian is the blur and then the resize, in two dimensions', () => {
    const x = noise(16 * 16);
    const taps = gaussianTaps(2, 2);
    const clamp = (i: number) => Math.min(Math.max(i, 0), 15);
    const blurred = x.map((_, i) => {
      const [row, column] = [Math.floor(i / 16), i % 16];
      let sum = 0;
      for (let a = -2; a <= 2; a++) {
        for (let b = -2; b <= 2; b++) sum += taps[a + 2] * taps[b + 2] * x[16 * clamp(row + a) + clamp(column + b)];
      }
      return sum;
    });
    const expected = degrade(blurred, 16, 16, 'bicubic', 4).data;
    degrade(x, 16, 16, 'gaussian', 4).data.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 3);
    });
  });

  test('odd sizes round up, one pixel stays', () => {
    expect(degrade(noise(13 * 9), 13, 9, 'bicubic', 4)).toMatchObject({ width: 4, height: 3 });
    expect(degrade(Float32Array.of(7), 1, 1, 'gaussian', 4).data).toEqual(Float32Array.of(7));
    expect(bicubicUpscale([7], 1, 1, 4).data).toEqual(new Float32Array(16).fill(7));
  });

  test('refusals', () => {
    expect(() => degrade(noise(10), 4, 4, 'bicubic', 4)).toThrow(ShapeError);
    expect(() => degrade(noise(16), 4, 4, 'duf', 4)).toThrow(ShapeError); // reflection needs 7 pixels
    expect(() => degrade(noise(400), 20, 20, 'duf', 5)).toThrow(UsageError);
  });

  test('a training sample of 5 frames takes a few milliseconds', () => {
    const sample = noise(5 * 144 * 144);
    for (let i = 0; i < 20; i++) degrade(sample, 144, 144, 'gaussian', 4);
    const start = performance.now();
    for (let i = 0; i < 20; i++) degrade(sample, 144, 144, 'gaussian', 4);
    expect((performance.now() - start) / 20).toBeLessThan(30); // 1 ms on one idle core; machines that test are busy
  });
});
