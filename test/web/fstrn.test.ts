import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { Noise } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import { projectFolder } from '../../io/folders.ts';
import { floats, readSafetensors } from '../../io/safetensors.ts';
import { Fstrn, type FstrnConfig } from '../../nets/fstrn.ts';
import { bicubicUpscale, degrade, type Planes } from '../../train/degrade.ts';
import { superResolve } from '../../train/infer.ts';
import { compareFrame, DEFAULT_PROTOCOL } from '../../train/metrics.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { lumaOf, planesOf } from '../../web/lab/clip.ts';
import { testEngine } from '../ops/engine.ts';
import { type Lab, noChromium, openChapter, PATIENCE } from './lab.ts';

const [WIDTH, HEIGHT] = [192, 144];
/** The clip's frames 4 to 8, of which the page shows the third first. */
const truth = proceduralClip({ width: WIDTH, height: HEIGHT, frames: 12 })
  .slice(3, 8)
  .map((rgb) => lumaOf(planesOf(rgb, WIDTH, HEIGHT)));
const low = truth.map(({ data }) => degrade(data, WIDTH, HEIGHT, 'bicubic', 4));

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

async function trained(block: string, changed: Partial<FstrnConfig> = {}): Promise<Fstrn> {
  const { tensors, metadata } = await readSafetensors(join(projectFolder, `web/public/fstrn-${block}.safetensors`));
  const build = { engine, random: new Random(1), noise: new Noise(1) };
  const net = new Fstrn(build, { ...JSON.parse(metadata.config), ...changed });
  net.loadStateDict(new Map([...tensors].map(([name, tensor]) => [name, floats(name, tensor)])));
  net.train(false);
  return net;
}

/** PSNR of a frame as the project enlarges clips, and the frame. */
async function enlarged(block: string, changed: Partial<FstrnConfig> = {}): Promise<{ psnr: number; middle: Planes }> {
  const net = await trained(block, changed);
  const frames = low.map(({ data, ...size }) => ({ ...size, data: data.map((v) => v / 255) }));
  const results: Planes[] = [];
  for await (const frame of superResolve(engine, net, frames, { window: 5 })) results.push(frame);
  net.dispose();
  const middle = { ...results[2], data: results[2].data.map((v) => 255 * v) };
  return { psnr: compareFrame(truth[2], middle, DEFAULT_PROTOCOL).psnr, middle };
}

describe.skipIf(noChromium)('chapter "FSTRN taken apart"', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openChapter('fstrn');
    for (const id of ['result', 'layers', 'blocks', 'time']) await lab.figure(id).done();
  }, PATIENCE);

  test('the page enlarges as superResolve does, and beats bicubic on a clip it was not trained on', async () => {
    const figure = lab.figure('result');
    const { psnr, middle } = await enlarged('separable');
    expect(await figure.number('PSNR of the network')).toBeCloseTo(psnr, 1);
    const bicubic = bicubicUpscale(low[2].data, WIDTH / 4, HEIGHT / 4, 4);
    expect(await figure.number('PSNR of bicubic')).toBeCloseTo(
      compareFrame(truth[2], bicubic, DEFAULT_PROTOCOL).psnr,
      1,
    );
    expect(await figure.number('Gained')).toBeGreaterThan(0.2);
    const [after, before] = [await figure.pixels(0), await figure.pixels(1)];
    for (const i of [0, 1000, 20_000]) {
      expect(Math.abs(after.data[4 * i] - middle.data[i])).toBeLessThanOrEqual(1);
      expect(Math.abs(before.data[4 * i] - bicubic.data[i])).toBeLessThanOrEqual(1);
    }
  });

  test('errors, eight times as strong', async () => {
    const figure = lab.figure('result');
    await figure.check('their errors, eight times as strong');
    const bicubic = bicubicUpscale(low[2].data, WIDTH / 4, HEIGHT / 4, 4);
    const { data } = await figure.pixels(1);
    for (const i of [0, 1000, 20_000]) {
      const error = 127.5 + 8 * (bicubic.data[i] - truth[2].data[i]);
      expect(Math.abs(data[4 * i] - Math.min(Math.max(error, 0), 255))).toBeLessThanOrEqual(1);
    }
    await figure.check('the pictures');
  });

  test('the edge between before and after moves by keys and by the pointer', async () => {
    const figure = lab.figure('result');
    const slider = figure.at.getByRole('slider', { name: 'bicubic, then the network' });
    const edge = figure.at.locator('.edge');
    await slider.focus();
    await slider.press('ArrowLeft');
    expect(await edge.getAttribute('style')).toContain('49%');
    const box = (await figure.at.locator('.over').boundingBox())!;
    await figure.at.locator('.over').click({ position: { x: box.width / 4, y: 20 } });
    expect(await slider.inputValue()).toBe('25');
  });

  test('feature maps: every op in order, channels and frames as the engine has them', async () => {
    const figure = lab.figure('layers');
    const names: string[] = [];
    for (let layer = 0; layer < 10; layer++) {
      await figure.slide('Layer', layer);
      names.push((await figure.values())['The op, as the engine names it']);
    }
    expect(names).toEqual([
      ...['lfe conv3d', 'blocks.0 separable_conv3d', 'blocks.1 separable_conv3d', 'blocks.2 separable_conv3d', 'add'],
      ...['prelu prelu', 'imresize', 'fusion conv3d', 'up fused_conv3d', 'out fused_conv3d'],
    ]);
    await figure.slide('Layer', 0);
    await figure.slide('Channel', 5);
    await figure.slide('Frame', 4);
    const net = await trained('separable');
    using _scope = engine.scope();
    const frames = low.flatMap(({ data }) => [...data].map((v) => v / 255));
    const values = await net.lfe.forward(engine.tensor([1, 1, 5, HEIGHT / 4, WIDTH / 4], frames)).read();
    net.dispose();
    const area = (WIDTH / 4) * (HEIGHT / 4);
    const channel = values.subarray(5 * 5 * area, 6 * 5 * area);
    const most = Math.max(...channel.map(Math.abs));
    expect(await figure.number('Largest size of a value')).toBeCloseTo(most, 2);
    const { data } = await figure.pixels(1);
    for (const i of [0, 77, area - 1]) {
      expect(Math.abs(data[4 * i] - 127.5 * (1 + channel[4 * area + i] / most))).toBeLessThanOrEqual(1);
    }
  });

  test('full blocks against separable ones: what the settings say they hold and compute', async () => {
    const rows = await lab.figure('blocks').at.locator('tbody tr').allInnerTexts();
    const [parameters, inBlocks, macs, ms] = rows.map((row) =>
      row.split('\t').map((cell) => Number.parseFloat(cell.replace(',', ''))),
    );
    expect(parameters.slice(1)).toEqual([17949, 50157, 2.79]);
    expect(inBlocks.slice(1, 3)).toEqual([9360, 3 * 2 * (27 * 16 * 16 + 16)]);
    const [, separable, full, ratio] = macs;
    expect(separable).toBe(19312);
    expect(full - separable).toBe(3 * (2 * 27 - 9 - 3) * 16 * 16);
    expect(ratio).toBeCloseTo(full / separable, 2);
    expect(ms[1]).toBeGreaterThan(0);
  });

  test('where the time goes: every layer has its part, and the parts are the whole', async () => {
    const figure = lab.figure('time');
    const total = await figure.number('One run');
    for (const by of ['layer', 'op', 'kernel']) {
      await figure.check(by);
      const rows = await figure.at.locator('tbody tr').allInnerTexts();
      const sum = rows.reduce((ms, row) => ms + Number.parseFloat(row.split('\t')[2]), 0);
      expect(Math.abs(sum / total - 1)).toBeLessThan(0.01); // of three digits
      if (by === 'layer') expect(rows).toHaveLength(10);
    }
    expect(await figure.number('Dispatches')).toBeGreaterThan(9);
  });

  test('paths switched off, and on again: their PSNR, and no memory left behind', async () => {
    const figure = lab.figure('result');
    const before = await lab.liveBytes();
    await figure.at.getByRole('checkbox', { name: /CRL/ }).uncheck();
    await figure.at.getByText('Without CRL there is no picture').waitFor();
    expect(await figure.number('PSNR of the network')).toBeCloseTo(
      (await enlarged('separable', { crossResidual: 'none' })).psnr,
      1,
    );
    await figure.at.getByRole('checkbox', { name: /CRL/ }).check();
    await figure.at.getByRole('checkbox', { name: /LRL/ }).uncheck();
    await figure.at.getByText('Without CRL').waitFor({ state: 'detached' });
    await figure.done();
    await lab.figure('time').done();
    expect(await figure.number('PSNR of the network')).toBeCloseTo(
      (await enlarged('separable', { localResidual: false })).psnr,
      1,
    );
    await figure.at.getByRole('checkbox', { name: /LRL/ }).check();
    await figure.done();
    await lab.figure('time').done();
    expect(await figure.number('Gained')).toBeGreaterThan(0.2);
    expect(await lab.liveBytes()).toBeLessThanOrEqual(before);
    await figure.record('result');
    for (const id of ['layers', 'blocks', 'time']) await lab.figure(id).record(id);
    await lab.screenshot('fstrn');
    await lab.page.setViewportSize({ width: 390, height: 800 });
    expect(await lab.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await lab.page.close();
  });
});
