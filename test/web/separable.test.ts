import { describe, expect, test } from 'vitest';
import { conv3d } from '../../engine/ops/conv.ts';
import { separable_conv3d } from '../../engine/ops/separable_conv3d.ts';
import { betweenBytes, countFull, countSeparable, promise } from '../../web/chapters/separable/count.ts';
import {
  Blocks,
  type Form,
  forms,
  gainOf,
  type Measured,
  promisesOf,
  settingsOf,
  tooFast,
} from '../../web/chapters/separable/measure.ts';
import { median } from '../../web/lab/timing.ts';
import { testEngine } from '../ops/engine.ts';
import { noChromium, openChapter, PATIENCE } from './lab.ts';

describe('the arithmetic of chapter "separable"', () => {
  test.each([1, 3, 5, 7])('counts what the ops count, k = %i', (k) => {
    const size = { k, channels: 8, frames: 5, edge: 6 };
    const x = [1, 8, 5, 6, 6];
    const full = { input: x, weight: [8, 8, k, k, k], bias: undefined };
    expect(2 * countFull(size).macs).toBe(conv3d.spec.flops(full, conv3d.spec.attrs, x));
    const pair = {
      ...{ input: x, weight_s: [8, 8, 1, k, k], weight_t: [8, 8, k, 1, 1] },
      ...{ bias_s: undefined, bias_t: undefined, slope: undefined, residual: undefined },
    };
    expect(2 * countSeparable(size).macs).toBe(separable_conv3d.spec.flops(pair, { recompute: false }, x));
    expect(countFull(size).macs / countSeparable(size).macs).toBeCloseTo(promise(k), 12);
  });

  test('leaves out the taps that lie in the padding', () => {
    const size = { k: 5, channels: 1, frames: 3, edge: 4 };
    let [full, plane, line] = [0, 0, 0];
    const taps = [-2, -1, 0, 1, 2];
    for (let t = 0; t < 3; t++) {
      for (let p = 0; p < 16; p++) {
        const [y, x] = [Math.floor(p / 4), p % 4];
        const frames = taps.filter((d) => t + d >= 0 && t + d < 3).length;
        const rows = taps.filter((i) => y + i >= 0 && y + i < 4).length;
        const columns = taps.filter((j) => x + j >= 0 && x + j < 4).length;
        full += frames * rows * columns;
        plane += rows * columns;
        line += frames;
      }
    }
    expect(countFull(size).useful).toBe(full);
    expect(countSeparable(size).useful).toBe(plane + line);
    expect(betweenBytes(size)).toBe(4 * 48);
  });

  test('of a single frame, nothing is gained', () => {
    const size = { k: 3, channels: 4, frames: 1, edge: 1000 };
    expect(countFull(size).useful / countSeparable(size).useful).toBeCloseTo(0.9, 2);
  });

  test('every measurement becomes points, in order of its promise, those of one frame too', () => {
    const row = (forward: number, both: number) => ({ forward: [forward], both: [both], ran: [] });
    const rows = { fullSteps: row(8, 30), steps: row(4, 10), full: row(6, 18), fused: row(2, 9) };
    const of = (k: number, frames: number): Measured => ({
      ...{ k, frames, channels: 8, edge: 24, kernels: 'best', rows },
    });
    const all = [of(3, 5), of(3, 1), of(5, 12)];
    const { x, lines } = promisesOf(all);
    expect(x).toEqual([...x].sort((a, b) => a - b));
    expect(x).toHaveLength(all.length + 2);
    for (const size of all) expect(x.slice(1, -1)).toContain(countFull(size).useful / countSeparable(size).useful);
    expect(x[1]).toBeCloseTo(0.9, 1);
    const [promised, ...points] = lines;
    expect(promised.y).toEqual(x);
    expect(points.map(({ y }) => y)).toEqual([2, 3, 3, 2].map((gain) => [null, gain, gain, gain, null]));
    expect(gainOf(all[0], 'full', 'both').median).toBe(1);
    expect(settingsOf([...all, all[0]])).toEqual([all[0], all[2], all[1]]);
    expect(tooFast(all[0])).toEqual([
      { form: 'steps', way: 'both' },
      { form: 'fused', way: 'forward' },
    ]);
  });

  test('a gain has the range of its repeats, each of them like against like', () => {
    const row = (...ms: number[]) => ({ forward: ms, both: ms, ran: [] });
    const rows = { fullSteps: row(4, 4, 4), steps: row(2, 2, 2), full: row(6, 9, 8), fused: row(3, 4, 5) };
    const measured: Measured = { k: 3, frames: 5, channels: 8, edge: 24, kernels: 'best', rows };
    expect(gainOf(measured, 'fused', 'both')).toEqual({ median: 2, least: 1.6, most: 2.25, repeats: 3 });
    expect(tooFast(measured)).toEqual([]);
  });

  test('medians', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  test('each window makes the same block step by step and fused; nothing is left behind', async () => {
    const engine = await testEngine();
    const before = engine.memory.stats().live;
    {
      using blocks = new Blocks(engine, { k: 3, channels: 5, frames: 3, edge: 6 });
      using scope = engine.scope();
      const [fullSteps, steps, full, fused] = await Promise.all(forms.map((form) => blocks.forward(form).read()));
      const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - b[i])));
      expect(apart(steps, fused)).toBeLessThan(1e-5);
      expect(apart(fullSteps, full)).toBeLessThan(1e-5);
      expect(apart(steps, full)).toBeGreaterThan(0.1);
      expect(scope).toBeDefined();
      for (const form of forms) blocks.train(form);
    }
    await engine.finish();
    expect(engine.memory.stats().live).toBe(before);
  });
});

describe.skipIf(noChromium)(
  'chapter "separable"',
  () => {
    test('counts by the sliders, and measures on the device', async () => {
      const lab = await openChapter('separable');
      const counts = await lab.figure('counts').done();
      const cells = (row: string) => counts.at.locator(`[data-row=${row}] td`).allTextContents();
      expect(await cells('macs')).toEqual(['2.26 G', '1.01 G', '2.25x']);
      expect(await cells('parameters')).toEqual(['110,656', '49,280', '2.25x']);
      await counts.slide('Taps along each axis, k', 5);
      expect((await cells('macs')).at(-1)).toBe('4.17x');
      await counts.slide('Taps along each axis, k', 3);
      await counts.slide('Frames', 1);
      expect((await cells('useful')).at(-1)).toBe('0.90x');
      await counts.slide('Frames', 5);

      const measured = await lab.figure('measured').done();
      const about = await measured.at.locator('.about').textContent();
      expect(about).toContain(`${await measured.at.getByRole('slider', { name: 'Channels' }).inputValue()} channels`);
      const live = await lab.liveBytes();
      expect(await measured.number('Promised by arithmetic')).toBe(2.25);
      expect(await measured.number('Promised without the padding')).toBeLessThan(2.25);
      expect(await measured.at.textContent()).toContain('27 taps became 9 + 3 = 12, and on this device');
      // How long it takes is the machine's; that the ratio is that of the times shown is not.
      const ms = async (form: Form) =>
        Number.parseFloat((await measured.at.locator(`[data-form=${form}] td`).nth(2).textContent()) ?? '');
      const [full, fused] = [await ms('full'), await ms('fused')];
      expect(full).toBeGreaterThan(0);
      expect(await measured.number('Measured, forward and backward, fused')).toBeCloseTo(full / fused, 1);
      await measured.record('separable');
      await lab.screenshot('separable');

      const stale = measured.at.locator('.stale');
      expect(await stale.count()).toBe(0);
      await measured.slide('Channels', 8);
      expect(await stale.count()).toBe(1);
      await measured.at.getByText('measured with other settings').waitFor();
      await measured.slide('Frames', 1);
      await measured.check('the plain one for all');
      await measured.at.getByRole('button', { name: 'Measure' }).click();
      await measured.at.getByText('8 channels, 1 frame of').waitFor();
      await measured.done();
      const ran = await measured.at.locator('.ran li').allTextContents();
      expect(ran[forms.indexOf('steps')]).toMatch(/prelu, conv\.direct, conv\.direct, \w+$/);
      expect(ran[forms.indexOf('fullSteps')]).toMatch(/prelu, conv\.direct, \w+$/);
      expect(ran[forms.indexOf('fused')]).toMatch(/: conv\.direct, conv\.direct$/);
      expect(ran[forms.indexOf('full')]).toMatch(/: conv\.direct$/);
      expect(await stale.count()).toBe(0);
      expect(await measured.at.locator('.settings tbody tr').count()).toBe(2);
      expect(await lab.liveBytes()).toBe(live);

      await measured.slide('Frames', 3);
      await measured.check('Winograd where it fits');
      await measured.at.getByRole('button', { name: 'Measure' }).click();
      await measured.at.getByText('8 channels, 3 frames of').waitFor();
      await measured.done();
      expect(await measured.number('Promised with Winograd, forward')).toBe(1.71);
      await lab.page.close();
    });
  },
  2 * PATIENCE,
);
