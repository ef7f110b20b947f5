import { expect, test } from 'vitest';
import { Random } from '../../engine/random.ts';
import {
  interleavedToYuv420,
  lumaOfInterleaved,
  lumaOfPlanes,
  rgbToYcbcr,
  toBytes,
  toInterleaved,
  toPlanes,
  ycbcrToRgb,
} from '../../train/colour.ts';

test('the coefficients that rgb2ycbcr of MATLAB documents', () => {
  const unit = (i: number) => rgbToYcbcr(Float32Array.from([0, 0, 0].with(i, 1)));
  const printed = [
    [0.256788235294118, -0.148223529411765, 0.43921568627451],
    [0.504129411764706, -0.290992156862745, -0.367788235294118],
    [0.097905882352941, 0.43921568627451, -0.071427450980392],
  ];
  for (const [i, row] of printed.entries()) {
    const offset = [16, 128, 128];
    unit(i).forEach((v, c) => {
      expect(v - offset[c]).toBeCloseTo(row[c], 4);
    });
  }
  expect([...rgbToYcbcr(Uint8Array.of(255, 255, 255))]).toEqual([235, 128, 128]);
  expect([...rgbToYcbcr(Uint8Array.of(0, 0, 0))]).toEqual([16, 128, 128]);
});

test('there and back', () => {
  const random = new Random(4);
  const rgb = Uint8Array.from({ length: 3 * 20 }, () => random.int(256));
  ycbcrToRgb(rgbToYcbcr(rgb)).forEach((v, i) => {
    expect(v).toBeCloseTo(rgb[i], 3);
  });
  const planes = toPlanes(rgb);
  expect([planes[0], planes[20], planes[40]]).toEqual([rgb[0], rgb[1], rgb[2]]);
  expect(toInterleaved(planes)).toEqual(rgb);
  expect(lumaOfPlanes(planes)).toEqual(lumaOfInterleaved(rgb));
  expect(rgbToYcbcr(planes).subarray(0, 20)).toEqual(lumaOfInterleaved(rgb));
});

test('4:2:0 of a flat odd-sized picture', () => {
  const rgb = Uint8Array.from({ length: 3 * 15 }, (_, i) => [200, 100, 50][i % 3]);
  const yuv = interleavedToYuv420(rgb, 5, 3);
  expect(yuv).toHaveLength(15 + 2 * 6);
  const [y, cb, cr] = [yuv[0], yuv[15], yuv[21]];
  expect([y, cb, cr]).toEqual([...toBytes(rgbToYcbcr(Uint8Array.of(200, 100, 50)))]);
  expect(new Set(yuv)).toEqual(new Set([y, cb, cr]));
});

test('bytes round half up and clip', () => {
  expect([...toBytes([-3, 0.49, 0.5, 254.5, 300])]).toEqual([0, 0, 1, 255, 255]);
  expect([...toBytes([0, 0.5, 1], 255)]).toEqual([0, 128, 255]);
});
