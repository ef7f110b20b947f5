import { describe, expect, test } from 'vitest';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { toBytes } from '../../train/colour.ts';
import { bicubicUpscale, DEGRADATIONS, degrade, degradeBytes, gaussianTaps } from '../../train/degrade.ts';

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

test('the printed weights of the bicubic ones, both grids', () => {
  // an impulse at each offset from the centre of one LR pixel, of which a column would give the same
  const response = (name: 'bicubic' | 'spmc', at: number) => {
    const row = new Float32Array(64);
    row[at] = 1;
    return degrade(row, 64, 1, name, 4).data[8];
  };
  const printed = [0.2409668, 0.18188477, 0.09741211, 0.02270508, -0.01196289, -0.01831055, -0.01098633, -0.00170898];
  for (const [i, w] of printed.entries()) {
    expect(response('bicubic', 34 + i)).toBeCloseTo(w, 7);
    expect(response('bicubic', 33 - i)).toBeCloseTo(w, 7);
  }
  const keys = [1, 0.8671875, 0.5625, 0.2265625, 0, -0.0703125, -0.0625, -0.0234375]; // a = -1/2, at quarters
  for (const [i, w] of keys.entries()) {
    expect(response('spmc', 32 + i)).toBeCloseTo(w / 4, 7);
    expect(response('spmc', 32 - i)).toBeCloseTo(w / 4, 7);
  }
});

test("FRVSR's is a correlation with its 9x9 Gaussian where that fits", () => {
  const [x, taps] = [noise(40 * 40), gaussianTaps(1.5, 4)];
  const low = degrade(x, 40, 40, 'frvsr', 4);
  expect([low.width, low.height]).toEqual([10, 10]);
  for (const [row, column] of [
    [1, 1],
    [4, 7],
    [8, 2],
  ]) {
    let sum = 0;
    for (let a = 0; a < 9; a++) {
      for (let b = 0; b < 9; b++) sum += taps[a] * taps[b] * x[40 * (4 * row + a - 4) + 4 * column + b - 4];
    }
    expect(low.data[10 * row + column]).toBeCloseTo(sum, 3);
  }
});

test('pictures of bytes are rounded after each pass, columns first', () => {
  const x = noise(32 * 24).map(Math.round);
  const columns = degrade(x, 32, 24, 'bicubic', 4);
  const once = degradeBytes(x, 32, 24, 4);
  expect(once.data.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
  // one column wide, there is one pass that does anything
  const single = degradeBytes(x.subarray(0, 24), 1, 24, 4).data;
  expect([...single]).toEqual([...toBytes(degrade(x.subarray(0, 24), 1, 24, 'bicubic', 4).data)]);
  expect(once.data).not.toEqual(Float32Array.from(toBytes(columns.data)));
});

describe('degrade', () => {
  test.each(DEGRADATIONS)('%s keeps a constant and the number of planes', (name) => {
    const low = degrade(new Float32Array(3 * 24 * 16).fill(0.25), 24, 16, name, 4);
    expect([low.width, low.height, low.data.length]).toEqual([6, 4, 3 * 24]);
    expect(Math.max(...low.data.map((v) => Math.abs(v - 0.25)))).toBeLessThan(1e-6);
  });

  test('a ramp shows where LR pixels lie: 4i + 1.5, for three of them 4i', () => {
    const ramp = Float32Array.from({ length: 64 * 64 }, (_, i) => i % 64);
    const inside = (name: (typeof DEGRADATIONS)[number]) => degrade(ramp, 64, 64, name, 4).data[8 * 16 + 8];
    expect(inside('bicubic')).toBeCloseTo(33.5, 4);
    expect(inside('gaussian')).toBeCloseTo(33.5, 4);
    expect(inside('duf')).toBeCloseTo(32, 4);
    expect(inside('frvsr')).toBeCloseTo(32, 4);
    expect(inside('spmc')).toBeCloseTo(32, 4);
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
