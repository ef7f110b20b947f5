import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import {
  checkerboard,
  coverage,
  enlarge,
  planeOf,
  rowSpectrum,
  stretched,
  WAYS,
  type Way,
} from '../../web/chapters/pixels/ways.ts';
import { testEngine } from '../ops/engine.ts';
import { noChromium, openChapter, PATIENCE } from './lab.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const wave = (width: number, height: number) => ({
  ...{ width, height },
  data: Float32Array.from({ length: width * height }, (_, i) => Math.sin(i * i) + 0.3 * (i % 4)),
});

describe('the sums of chapter "pixels"', () => {
  test('every way makes four times the size, for every kernel', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 1, 3, 5], wave(5, 3).data);
    for (const way of Object.keys(WAYS) as Way[]) {
      for (const kernel of way === 'transposed' ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [4]) {
        expect(enlarge(x, way, { seed: 1, kernel }).shape).toEqual([1, 1, 12, 20]);
      }
    }
  });

  test('ICNR begins as blocks of one colour, random filters do not', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([1, 1, 6, 6], wave(6, 6).data);
    const block = async (way: Way) => {
      const { data, width } = await planeOf(enlarge(x, way, { seed: 3, kernel: 4 }));
      return Math.max(
        ...data.map((v, i) =>
          Math.abs(v - data[4 * Math.floor(i / width / 4) * width + 4 * Math.floor((i % width) / 4)]),
        ),
      );
    };
    expect(await block('icnr')).toBe(0);
    expect(await block('shuffle')).toBeGreaterThan(0.1);
  });

  test.each([1, 2, 3, 4])('stamps %i apart: away from the borders, what one axis says', async (stride) => {
    for (let kernel = 1; kernel <= 9; kernel++) {
      const { width, data } = await coverage(engine, kernel, stride);
      // Output q is tap q - p·stride of every input p, of which there is no first and no last.
      const axis = Array.from(
        { length: width },
        (_, q) => Array.from({ length: kernel }, (_, tap) => q - tap).filter((at) => at % stride === 0).length,
      );
      expect([...data]).toEqual(axis.flatMap((a) => axis.map((b) => a * b)));
    }
  });

  test("the pattern's share is the energy at its frequencies", () => {
    const picture = wave(16, 16);
    let [pattern, all] = [0, 0];
    for (let v = 0; v < 16; v++) {
      for (let u = 0; u < 16; u++) {
        let [re, im] = [0, 0];
        for (const [i, value] of picture.data.entries()) {
          const angle = (2 * Math.PI * (u * (i % 16) + v * Math.floor(i / 16))) / 16;
          re += value * Math.cos(angle);
          im += value * Math.sin(angle);
        }
        const energy = u + v > 0 ? re * re + im * im : 0;
        all += energy;
        if (u % 4 === 0 && v % 4 === 0) pattern += energy;
      }
    }
    expect(checkerboard(picture, 4, 0)).toBeCloseTo(pattern / all, 6);
    expect(checkerboard({ ...picture, data: new Float32Array(256).fill(0.5) }, 4, 0)).toBe(0);
  });

  test('the spectrum of a wave is one line', () => {
    const data = Float32Array.from({ length: 64 }, (_, i) => Math.cos((2 * Math.PI * 4 * (i % 16)) / 16));
    const { frequency, power } = rowSpectrum({ width: 16, height: 4, data });
    expect(frequency[3]).toBe(0.25);
    expect(power[3]).toBeCloseTo(0.25, 6);
    expect(power.reduce((a, b) => a + b, 0)).toBeCloseTo(0.25, 6);
  });

  test('what is all alike is shown grey', () => {
    expect([...stretched({ width: 2, height: 1, data: Float32Array.of(3, 3) }).data]).toEqual([128, 128]);
    expect([...stretched({ width: 2, height: 1, data: Float32Array.of(-1, 3) }).data]).toEqual([0, 255]);
  });
});

describe.skipIf(noChromium)(
  'chapter "pixels"',
  () => {
    test('draws by mouse and keys, counts holes and weighs the checkerboard', async () => {
      const lab = await openChapter('pixels');
      const { page } = lab;
      const drawing = await lab.figure('drawing').done();
      const bright = async () => (await drawing.pixels()).data.filter((v, i) => i % 4 === 0 && v === 255).length;
      expect(await bright()).toBe(1);
      const [stamp, grey] = ['transposed', 'bicubic'].map((way) => Object.keys(WAYS).indexOf(way) + 1);
      const before = await drawing.pixels(stamp);
      await drawing.at.locator('.pad canvas').click({ position: { x: 5, y: 5 } });
      expect(await bright()).toBe(2);
      await drawing.at.getByRole('application').focus();
      for (const key of ['ArrowRight', 'ArrowDown', ' ']) await page.keyboard.press(key);
      expect(await bright()).toBe(3);
      expect((await drawing.pixels()).data[4 * 13]).toBe(255);
      await drawing.done();
      await expect.poll(async () => (await drawing.pixels(stamp)).data.join() === before.data.join()).toBe(false);
      await drawing.at.getByRole('button', { name: 'all grey' }).click();
      await expect.poll(async () => new Set((await drawing.pixels(grey)).data).size).toBe(2); // grey, and opaque
      await drawing.at.getByRole('button', { name: 'dot' }).click();
      await drawing.record('pixels');

      const holes = await lab.figure('holes').done();
      expect(await holes.number('Pixels that nothing reaches')).toBe(43.75);
      await holes.record('holes');
      await holes.slide('Kernel', 5);
      await expect.poll(() => holes.number('Pixels that nothing reaches')).toBe(0);
      expect(await holes.number('Most products')).toBe(4);
      expect(await holes.number('Fewest products')).toBe(1);
      await holes.slide('Kernel', 4);
      await holes.slide('Stride', 1);
      await expect.poll(() => holes.number('Most products')).toBe(16);
      expect(await holes.number('Fewest products')).toBe(16);
      await holes.slide('Stride', 4);

      const board = await lab.figure('checkerboard').done();
      expect(await board.number(WAYS.shuffle)).toBeGreaterThan(20);
      expect(await board.number(WAYS.transposed)).toBeGreaterThan(20);
      expect(await board.number(WAYS.icnr)).toBeLessThan(0.005);
      expect(await board.number(WAYS.bicubic)).toBeLessThan(1);
      await board.record('checkerboard');
      const live = await lab.liveBytes();
      const first = await board.number(WAYS.shuffle);
      await board.slide('Random filters, draw number', 7);
      await expect.poll(() => board.number(WAYS.shuffle)).not.toBe(first);
      expect(await lab.liveBytes()).toBe(live);
      await holes.slide('Kernel', 3);
      await lab.screenshot('pixels');
      await page.close();
    });
  },
  2 * PATIENCE,
);
