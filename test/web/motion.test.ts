import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { runFfmpeg } from '../../io/ffmpeg.ts';
import type { Planes } from '../../train/degrade.ts';
import { coarse2fine } from '../../train/flow/coarse2fine.ts';
import { psnr } from '../../train/metrics.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { downhill, flowColours, flowOf, longest, STILL, signed, wheel } from '../../web/chapters/motion/field.ts';
import {
  averaged,
  mixed,
  motionOf,
  noisy,
  pairsOf,
  profile,
  scoresOf,
  timesOf,
} from '../../web/chapters/motion/tradeoff.ts';
import { visible, warpAll, warpTowards } from '../../web/chapters/motion/warps.ts';
import { testEngine } from '../ops/engine.ts';
import { noChromium, openChapter, PATIENCE } from './lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'subpixel-motion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

/** Smooth, 0..255. */
const picture = (width: number, height: number, shift = 0): Planes => ({
  ...{ width, height },
  data: Float32Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [(i % width) + shift, Math.floor(i / width)];
    return 128 + 60 * Math.sin(x / 3) + 50 * Math.cos(y / 4 + x / 7);
  }),
});

const rms = (data: Float32Array) => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / data.length);

describe('the sums of chapter "motion"', () => {
  test('flow looks where a moved picture comes from', async () => {
    expect([...flowOf(STILL, 4, 3).data].every((v) => Math.abs(v) < 1e-6)).toBe(true);
    const x = picture(9, 7);
    const [moved] = await warpAll(engine, [x], [flowOf({ ...STILL, x: 2, y: 1 }, 9, 7)]);
    for (let i = 0; i < 63; i++) {
      const [column, row] = [i % 9, Math.floor(i / 9)];
      if (column >= 2 && row >= 1) expect(moved.data[i]).toBeCloseTo(x.data[i - 9 - 2], 3);
    }
    const quarter = flowOf({ ...STILL, turn: 90 }, 5, 5); // clockwise: the top of the result was the left side
    expect([quarter.data[2], quarter.data[25 + 2]]).toEqual([expect.closeTo(-2, 5), expect.closeTo(2, 5)]);
    const twice = flowOf({ ...STILL, zoom: 2 }, 5, 5);
    expect([twice.data[4], twice.data[25 + 4]]).toEqual([expect.closeTo(-1, 5), expect.closeTo(1, 5)]);
    expect(longest(twice)).toBeCloseTo(Math.SQRT2, 5);
  });

  test('steps against the gradient find a known move', async () => {
    const [image, target] = [picture(24, 24), picture(24, 24, -1.5)];
    let move = STILL;
    const at = () => warpTowards(engine, image, flowOf(move, 24, 24), target, 'border');
    const before = await at();
    for (let i = 0; i < 12; i++) move = downhill(move, (await at()).toFlow);
    const after = await at();
    expect(after.loss).toBeLessThan(before.loss / 10);
    expect(move.x).toBeGreaterThan(1);
    expect(move.x).toBeLessThan(2);
    const moved = { ...image, data: image.data.slice() };
    moved.data[300] += 1;
    const nudged = await warpTowards(engine, moved, flowOf(STILL, 24, 24), target, 'border');
    expect(255 * (nudged.loss - before.loss)).toBeCloseTo(before.toImage.data[300], 4);
  });

  test('colours say direction and length', () => {
    const field = { width: 3, height: 1, data: Float32Array.of(0, 2, -1, 0, 0, 0) };
    const { data } = flowColours(field, 2);
    expect([0, 1, 2].map((c) => data[3 * c])).toEqual([255, 255, 255]);
    expect([0, 1, 2].map((c) => Math.round(data[3 * c + 1]))).toEqual([255, 0, 0]);
    expect([0, 1, 2].map((c) => data[3 * c + 2])).toEqual([127.5, 255, 255]);
    expect(wheel(9).data[0]).toBe(255); // outside the disc
    expect([...signed({ width: 2, height: 1, data: Float32Array.of(-1, 0.5) }).data]).toEqual([1, 191.5]);
  });

  test('there and back tells what both frames show', () => {
    const flow = (x: number) => ({ width: 4, height: 1, data: Float32Array.of(x, x, x, x, 0, 0, 0, 0) });
    expect([...visible(flow(1), flow(-1))]).toEqual([1, 1, 1, 0]);
    expect([...visible(flow(1), flow(0.5))]).toEqual([0, 0, 0, 0]);
  });

  test('takes every other frame of a long clip, and counts them as the clip does', () => {
    expect(timesOf(12)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(timesOf(24)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(timesOf(11)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(timesOf(3)).toEqual([0, 1, 2]);
  });

  test('flicker and PSNR of noise are what statistics says', async () => {
    const truth = Array.from({ length: 3 }, () => picture(40, 30));
    const still = pairsOf(truth).map(([{ width, height }]) => ({
      width,
      height,
      data: new Float32Array(2 * width * height),
    }));
    const motion = await motionOf(engine, still);
    expect(motion.masks.every((mask) => mask.every((seen) => seen === 1))).toBe(true);
    const sharp = noisy(truth, 10);
    const alone = await scoresOf(engine, sharp, truth, motion);
    expect(alone.flicker / (10 * Math.SQRT2)).toBeCloseTo(1, 1);
    expect(Math.abs(alone.psnr - 20 * Math.log10(25.5))).toBeLessThan(0.3);
    const smooth = await averaged(engine, sharp, motion, 'still');
    expect(rms(smooth[1].data.map((v, i) => v - truth[1].data[i])) * Math.sqrt(3)).toBeCloseTo(10, 0);
    const moved = await averaged(engine, sharp, motion, 'moved');
    expect(Math.max(...moved[0].data.map((v, i) => Math.abs(v - smooth[0].data[i])))).toBeLessThan(1e-3);
    expect(mixed(sharp, smooth, 1)[0].data[7]).toBeCloseTo(smooth[0].data[7], 4);
    expect([...profile(truth, 5, 2).data.slice(0, 6)]).toEqual(Array(6).fill(truth[0].data[5]));
  });

  test('along the motion is better than in place, and nothing is left behind', async () => {
    const truth = [0, 1, 2].map((t) => picture(32, 32, 2 * t));
    const flows = pairsOf(truth).map(([a, b]) =>
      coarse2fine({ ...a, data: a.data.map((v) => v / 255) }, { ...b, data: b.data.map((v) => v / 255) }),
    );
    const live = engine.memory.stats().live;
    const motion = await motionOf(engine, flows);
    const sharp = noisy(truth, 5);
    const score = async (how: 'still' | 'moved') =>
      scoresOf(engine, await averaged(engine, sharp, motion, how), truth, motion);
    expect((await score('moved')).psnr).toBeGreaterThan((await score('still')).psnr + 3);
    expect(engine.memory.stats().live).toBe(live);
  });
});

describe.skipIf(noChromium)(
  'chapter "motion"',
  () => {
    test('drags, steps, finds flow and trades space for time', async () => {
      const lab = await openChapter('motion');
      const { page } = lab;
      const warp = await lab.figure('warp').done();
      const error = 'Mean squared error';
      const rest = await warp.number(error);
      await warp.at.getByRole('button', { name: 'A step against the gradient' }).click();
      await expect.poll(() => warp.number(error)).toBeLessThan(rest);
      await warp.at.getByRole('button', { name: 'Back to rest' }).click();
      await expect.poll(() => warp.number(error)).toBe(rest);
      await warp.at.locator('.drag canvas').scrollIntoViewIfNeeded();
      const box = (await warp.at.locator('.drag canvas').boundingBox())!;
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x + box.width / 8, y - box.width / 16, { steps: 2 });
      await page.mouse.up();
      expect(Number(await warp.at.getByRole('slider', { name: 'Shift right' }).inputValue())).toBeCloseTo(8, 0);
      expect(Number(await warp.at.getByRole('slider', { name: 'Shift down' }).inputValue())).toBeCloseTo(-4, 0);
      await expect.poll(() => warp.number(error)).toBeGreaterThan(rest);
      await warp.done();
      await warp.record('warp');

      const estimate = await lab.figure('estimate').done();
      const [asItIs, moved] = ['PSNR of the other frame as it is', 'PSNR, moved by the flow'];
      const frames = proceduralClip({ width: 192, height: 144, frames: 12 });
      expect(await estimate.number(asItIs)).toBeCloseTo(psnr(frames[0], frames[2]), 2);
      expect(await estimate.number(moved)).toBeGreaterThan((await estimate.number(asItIs)) + 5);
      expect(await estimate.number('PSNR, without what is covered')).toBeGreaterThan(await estimate.number(moved));
      await estimate.record('motion');
      const near = await estimate.number(moved);
      await estimate.slide('Frames apart', 4);
      await expect.poll(() => estimate.number(asItIs)).toBeCloseTo(psnr(frames[0], frames[4]), 2);
      await estimate.done();
      expect(await estimate.number(moved)).toBeLessThan(near);
      await estimate.slide('Frame', 11); // of twelve: four frames on there is none
      await estimate.at.getByRole('img', { name: 'frame 12, moved here by the flow' }).waitFor();
      await expect.poll(() => estimate.number(asItIs)).toBeCloseTo(psnr(frames[7], frames[11]), 2);
      expect(await estimate.at.getByRole('slider', { name: 'Frame', exact: true }).inputValue()).toBe('8');

      const trade = await lab.figure('tradeoff').done();
      await trade.at.getByRole('img', { name: 'the true frame 7' }).waitFor();
      const live = await lab.liveBytes();
      const at = async (share: number) => {
        const before = await trade.number('Warping error');
        await trade.slide('From each frame alone to the average', share);
        await expect.poll(() => trade.number('Warping error')).not.toBe(before);
        return { psnr: await trade.number('PSNR'), flicker: await trade.number('Warping error') };
      };
      const end = await at(1);
      const half = await at(0.5);
      await trade.record('tradeoff');
      await lab.screenshot('motion');
      const alone = await at(0);
      expect(end.flicker).toBeLessThan(half.flicker);
      expect(half.flicker).toBeLessThan(alone.flicker);
      expect(half.psnr).toBeGreaterThan(Math.max(alone.psnr, end.psnr));
      await trade.check('along the motion');
      await trade.done();
      expect((await at(1)).psnr).toBeGreaterThan(end.psnr + 1);
      expect(await lab.liveBytes()).toBe(live);
      await page.close();
    });

    test('says of a clip without motion what it lacks', async () => {
      const lab = await openChapter('motion');
      const { page } = lab;
      const video = async (frames: number) => {
        const path = join(folder, `${frames}.webm`);
        const source = `color=size=64x64:rate=10:duration=${frames / 10}`;
        expect(await runFfmpeg(['-v', 'error', '-f', 'lavfi', '-i', source, '-c:v', 'libvpx', path])).toMatchObject({
          code: 0,
        });
        await page.locator('.clip input[type=file]').setInputFiles(path);
      };
      await video(1);
      for (const id of ['warp', 'estimate', 'tradeoff']) {
        const { at } = lab.figure(id);
        await at.getByRole('alert').getByText('This clip has 1 frame: motion needs 2', { exact: true }).waitFor();
        expect(await at.locator('input, canvas').count()).toBe(0);
      }
      await video(3);
      const estimate = lab.figure('estimate');
      await estimate.at.locator('canvas').first().waitFor();
      expect(await estimate.values()).toMatchObject({ 'PSNR of the other frame as it is': 'identical' });
      await page.close();
    });
  },
  2 * PATIENCE,
);
