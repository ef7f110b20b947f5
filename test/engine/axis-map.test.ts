import { describe, expect, test } from 'vitest';
import {
  type AxisMap,
  applyMap,
  blurMap,
  composeMap,
  imresizeMap,
  interpolatedSize,
  interpolateMap,
  padMap,
  sliceMap,
  transposeMap,
} from '../../engine/axis-map.ts';
import { ShapeError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';

const along = (map: AxisMap, x: number[]) => Array.from(applyMap(map, Float64Array.from(x), [x.length], 0));
const ramp = (n: number) => Array.from({ length: n }, (_, i) => i);
const rowOf = (map: AxisMap, j: number) => {
  const range = [map.start[j], map.start[j + 1]] as const;
  return { index: [...map.index.slice(...range)], weight: [...map.weight.slice(...range)] };
};

describe('imresize', () => {
  test('the printed weights for s = 1/4', () => {
    // MATLAB: offsets ±0.5, 1.5, ... from the centre 4i + 1.5; here output 5 of 64 inputs, centre 21.5
    const printed = [0.2409668, 0.18188477, 0.09741211, 0.02270508, -0.01196289, -0.01831055, -0.01098633, -0.00170898];
    const { index, weight } = rowOf(imresizeMap(64, 1 / 4), 5);
    expect(index).toEqual(ramp(16).map((i) => i + 14));
    printed.forEach((w, i) => {
      expect(weight[7 - i]).toBeCloseTo(w, 8);
      expect(weight[8 + i]).toBeCloseTo(w, 8);
    });
  });

  test('x2 up: the phases of Keys at 1/4 and 3/4, mirrored at the border', () => {
    const x = [3, 1, 4, 1, 5];
    const w = [-0.0234375, 0.2265625, 0.8671875, -0.0703125]; // c(1.75), c(0.75), c(0.25), c(1.25)
    const y = along(imresizeMap(5, 2), x);
    expect(y).toHaveLength(10);
    expect(y[4]).toBeCloseTo(w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3], 12);
    expect(y[0]).toBeCloseTo(w[0] * x[1] + w[1] * x[0] + w[2] * x[0] + w[3] * x[1], 12);
  });

  test('sizes round up, constants stay, and outputs may be given instead of the factor', () => {
    expect(imresizeMap(13, 1 / 4).outputs).toBe(4);
    expect(along(imresizeMap(13, { outputs: 5 }), Array(13).fill(7)).every((v) => Math.abs(v - 7) < 1e-12)).toBe(true);
    expect(along(imresizeMap(1, 4), [7])).toEqual([7, 7, 7, 7]);
    expect(imresizeMap(64, 1 / 4, false).start[1]).toBeLessThanOrEqual(4); // no antialiasing: four taps
    expect(() => imresizeMap(4, 0)).toThrow(ShapeError);
    expect(() => imresizeMap(0, 2)).toThrow(ShapeError);
    expect(() => imresizeMap(4, { outputs: 0 })).toThrow(ShapeError);
  });
});

describe('interpolate', () => {
  test('nearest', () => {
    expect(along(interpolateMap(3, 7, { mode: 'nearest' }), [1, 2, 3])).toEqual([1, 1, 1, 2, 2, 3, 3]);
    expect(along(interpolateMap(5, 2, { mode: 'nearest' }), ramp(5))).toEqual([0, 2]);
  });

  test('linear with half-pixel centres', () => {
    expect(along(interpolateMap(3, 6, { mode: 'linear' }), [0, 4, 8])).toEqual([0, 1, 3, 5, 7, 8]);
    expect(along(interpolateMap(4, 2, { mode: 'linear' }), [0, 1, 2, 3])).toEqual([0.5, 2.5]);
  });

  test('linear with aligned corners', () => {
    expect(along(interpolateMap(3, 5, { mode: 'linear', alignCorners: true }), [0, 4, 8])).toEqual([0, 2, 4, 6, 8]);
    expect(along(interpolateMap(3, 1, { mode: 'linear', alignCorners: true }), [5, 6, 7])).toEqual([5]);
  });

  test('a given scale factor sets the coordinates', () => {
    // PyTorch: 5 · 1.5 = 7.5 -> 7 outputs, coordinates (j + 0.5) / 1.5 - 0.5 and not · 5/7
    expect(interpolatedSize(5, 1.5)).toBe(7);
    const y = along(interpolateMap(5, 7, { mode: 'linear', scaleFactor: 1.5 }), ramp(5));
    y.forEach((v, j) => {
      expect(v).toBeCloseTo(Math.min(Math.max((j + 0.5) / 1.5 - 0.5, 0), 4), 12);
    });
    expect(along(interpolateMap(5, 7, { mode: 'nearest', scaleFactor: 1.5 }), ramp(5))).toEqual([0, 0, 1, 2, 2, 3, 4]);
  });

  test('refusals', () => {
    expect(() => interpolateMap(3, 6, { mode: 'nearest', alignCorners: true })).toThrow(ShapeError);
    expect(() => interpolateMap(3, 6, { mode: 'linear', scaleFactor: -2 })).toThrow(ShapeError);
    expect(() => interpolateMap(3, 0, { mode: 'linear' })).toThrow(ShapeError);
  });
});

describe('pad, slice, blur', () => {
  test.each([
    ['zeros', 2, 1, [0, 0, 1, 2, 3, 0]],
    ['replicate', 2, 1, [1, 1, 1, 2, 3, 3]],
    ['reflect', 2, 1, [3, 2, 1, 2, 3, 2]],
    ['zeros', -1, 2, [2, 3, 0, 0]],
    ['reflect', -1, 2, [2, 3, 2, 1]],
    ['replicate', 1, -2, [1, 1]],
  ] as const)('pad %s by %i and %i', (mode, before, after, expected) => {
    expect(along(padMap(3, before, after, mode), [1, 2, 3])).toEqual(expected);
  });

  test('pad refuses what PyTorch refuses', () => {
    expect(() => padMap(3, 3, 0, 'reflect')).toThrow('expected less than the size of the axis (3)');
    expect(() => padMap(3, -2, -1, 'zeros')).toThrow(ShapeError);
    expect(() => padMap(3, 0.5, 0, 'zeros')).toThrow(ShapeError);
  });

  test('slice as in Python', () => {
    expect(along(sliceMap(6, 1, 5, 2), ramp(6))).toEqual([1, 3]);
    expect(along(sliceMap(6, -2, 99), ramp(6))).toEqual([4, 5]);
    expect(() => sliceMap(6, 4, 2)).toThrow(ShapeError);
    expect(() => sliceMap(6, 0, 6, 0)).toThrow(ShapeError);
  });

  test('blur keeps the size', () => {
    expect(along(blurMap(4, [0.25, 0.5, 0.25]), [4, 0, 0, 8])).toEqual([3, 1, 2, 6]);
    expect(along(blurMap(4, [0.25, 0.5, 0.25], 'reflect'), [4, 0, 0, 8])).toEqual([2, 1, 2, 4]);
    expect(() => blurMap(4, [0.5, 0.5])).toThrow(ShapeError);
    expect(() => blurMap(2, [0.2, 0.2, 0.2, 0.2, 0.2], 'reflect')).toThrow(ShapeError);
  });
});

describe('algebra of maps', () => {
  test('compose equals one after the other', () => {
    const random = new Random(1);
    const x = ramp(20).map(() => random.normal());
    const [a, b] = [blurMap(20, [0.2, 0.6, 0.2]), imresizeMap(20, 1 / 4)];
    along(composeMap(a, b), x).forEach((v, j) => {
      expect(v).toBeCloseTo(along(b, along(a, x))[j], 12);
    });
    expect(() => composeMap(b, a)).toThrow(ShapeError);
  });

  test.each([
    imresizeMap(13, 1 / 3),
    imresizeMap(5, 4),
    padMap(7, 3, -2, 'reflect'),
    padMap(7, 3, 2, 'zeros'),
    interpolateMap(5, 11, { mode: 'linear' }),
    sliceMap(9, 1, 9, 3),
  ])('transpose is the adjoint (map %#)', (map) => {
    const random = new Random(2);
    const [x, y] = [map.inputs, map.outputs].map((n) => ramp(n).map(() => random.normal()));
    const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);
    expect(dot(along(map, x), y)).toBeCloseTo(dot(x, along(transposeMap(map), y)), 12);
    expect(transposeMap(transposeMap(map))).toEqual(map);
  });

  test('apply along the middle axis, and in float32', () => {
    const data = Float32Array.from({ length: 24 }, (_, i) => i); // (2, 3, 4)
    const out = applyMap(sliceMap(3, 1, 3), data, [2, 3, 4], 1);
    expect(out).toBeInstanceOf(Float32Array);
    expect([...out]).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]);
    expect(() => applyMap(sliceMap(3, 1, 3), data, [2, 3, 4], 2)).toThrow(ShapeError);
    expect(() => applyMap(sliceMap(3, 1, 3), data, [2, 3, 5], 1)).toThrow(ShapeError);
  });
});
