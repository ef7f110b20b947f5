import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../engine/errors.ts';
import { readImage } from '../../io/image.ts';
import type { Planes } from '../../train/degrade.ts';
import { coarse2fine } from '../../train/flow/coarse2fine.ts';
import { readFixture } from '../fixtures/read.ts';
import { sharedData } from '../shared-data.ts';

function planes(width: number, height: number, value: (x: number, y: number, c: number) => number, count = 3): Planes {
  const data = Float32Array.from({ length: count * width * height }, (_, i) => {
    const [c, at] = [Math.floor(i / (width * height)), i % (width * height)];
    return value(at % width, Math.floor(at / width), c);
  });
  return { width, height, data };
}

/** Waves of several lengths, that no shift of a few pixels carries onto themselves. */
const texture = (x: number, y: number, c: number) =>
  0.5 + 0.15 * Math.sin(x / 3.1 + y / 4.3 + c) + 0.15 * Math.cos(y / 2.7 - x / 6.1) + 0.1 * Math.sin((x + y) / 11);

/** Mean distance from the true flow, of pixels at least `rim` from the border. */
function endPointError(flow: Planes, truth: (x: number, y: number) => readonly [number, number] | undefined, rim = 0) {
  const { width, height, data } = flow;
  let [sum, count] = [0, 0];
  for (let y = rim; y < height - rim; y++) {
    for (let x = rim; x < width - rim; x++) {
      const known = truth(x, y);
      if (!known) continue;
      const at = y * width + x;
      sum += Math.hypot(data[at] - known[0], data[at + width * height] - known[1]);
      count++;
    }
  }
  return sum / count;
}

describe('Coarse2Fine', () => {
  it.each(['two levels', 'six levels'])('%s: as numpy computes its definition', (name) => {
    const { tensors } = readFixture('coarse2fine');
    const planesOf = (key: string): Planes => {
      const { shape, data } = tensors[`${name}.${key}`];
      return { width: shape[2], height: shape[1], data: Float32Array.from(data) };
    };
    const flow = coarse2fine(planesOf('target'), planesOf('neighbour'));
    const expected = planesOf('flow');
    const worst = flow.data.reduce((most, v, i) => Math.max(most, Math.abs(v - expected.data[i])), 0);
    expect(worst).toBeLessThan(1e-6); // pixels; both are rounded to float32
  });

  it.each([1, 3])('finds a shift by (1.3, -0.7) in %i planes', (count) => {
    const target = planes(64, 48, texture, count);
    const neighbour = planes(64, 48, (x, y, c) => texture(x - 1.3, y + 0.7, c), count);
    expect(endPointError(coarse2fine(target, neighbour), () => [1.3, -0.7], 8)).toBeLessThan(0.1);
  });

  it('sees no motion where there is none, and takes pictures of any size', () => {
    for (const [width, height] of [
      [1, 1],
      [7, 2],
      [50, 3],
      [200, 1],
    ]) {
      const picture = planes(width, height, texture);
      expect(coarse2fine(picture, picture)).toEqual({ width, height, data: new Float32Array(2 * width * height) });
    }
  });

  it('refuses pictures of different sizes, and two planes', () => {
    expect(() => coarse2fine(planes(8, 6, texture), planes(6, 8, texture))).toThrow(ShapeError);
    expect(() => coarse2fine(planes(8, 6, texture, 2), planes(8, 6, texture, 2))).toThrow(ShapeError);
  });

  it.skipIf(sharedData.missing)(`RubberWhale of Middlebury (skipped when there are ${sharedData.reason})`, async () => {
    const folder = sharedData.path('flow/rubberwhale');
    const [target, neighbour] = await Promise.all(
      ['frame10.png', 'frame11.png'].map(async (name): Promise<Planes> => {
        const { width, height, data } = await readImage(`${folder}/${name}`);
        return planes(width, height, (x, y, c) => data[3 * (y * width + x) + c] / 255);
      }),
    );
    const file = readFileSync(`${folder}/flow10.flo`);
    const known = (x: number, y: number) => {
      const at = 12 + 8 * (y * target.width + x);
      const [u, v] = [file.readFloatLE(at), file.readFloatLE(at + 4)];
      return Math.abs(u) < 1e9 && Math.abs(v) < 1e9 ? ([u, v] as const) : undefined;
    };
    expect(endPointError(coarse2fine(target, neighbour), known)).toBeLessThan(0.14); // 0.1286 pixels
  });
});
