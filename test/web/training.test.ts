import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { effect } from '@preact/signals';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { readWeights, refuseMisfit } from '../../io/checkpoint.ts';
import { decodeSafetensors } from '../../io/safetensors.ts';
import { bicubicUpscale, degrade } from '../../train/degrade.ts';
import { compareFrame, DEFAULT_PROTOCOL } from '../../train/metrics.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { KEEP_EVERY, Session, type Settings, type Shown } from '../../web/chapters/training/session.ts';
import { cut, type LabClip, lumaOf, planesOf } from '../../web/lab/clip.ts';
import { inTurn, labState } from '../../web/lab/device.ts';
import { testEngine } from '../ops/engine.ts';
import { type Lab, type LabFigure, noChromium, openChapter, PATIENCE } from './lab.ts';

const drawn = (frames: number, width = 64, height = 56): LabClip => {
  const pictures = proceduralClip({ width, height, frames });
  return { name: 'drawn', width, height, frames: pictures.map((rgb) => planesOf(rgb, width, height)) };
};
const gentle: Settings = { loss: 'mse', block: 'separable', lr: 3e-3 };

/** Resolves when what is shown is so. */
const until = (session: Session, holds: (shown: Shown) => boolean): Promise<void> =>
  new Promise((resolve) => {
    const stop = effect(() => {
      if (holds(session.shown.value)) queueMicrotask(() => [stop(), resolve()]);
    });
  });

/** Trains until a step is reached, as the buttons do. */
async function trainTo(session: Session, iteration: number): Promise<void> {
  const ended = session.start();
  await until(session, (shown) => shown.iteration >= iteration || shown.status === 'stopped');
  session.pause();
  await ended;
}

const idle = () => inTurn(new AbortController().signal, async () => {});

describe('a session of chapter "Train it here"', () => {
  let engine: Engine;
  const ready = (on: Engine) => {
    labState.value = { kind: 'ready', lab: { engine: on, name: 'test', software: true } };
  };
  beforeAll(async () => {
    engine = await testEngine();
    ready(engine);
  });
  afterAll(() => engine.destroy());

  test('learns; going back repeats the same losses, another rate makes others; nothing is left behind', async () => {
    const session = new Session(drawn(8), gentle);
    await session.prepare();
    const { scores, bicubic } = session.shown.peek();
    expect(session.shown.peek()).toMatchObject({ status: 'paused', iteration: 0, kept: [0] });
    expect(scores).toEqual([{ iteration: 0, value: expect.closeTo(bicubic, 3) }]);
    await trainTo(session, KEEP_EVERY);
    const first = session.shown.peek();
    expect(first.kept).toEqual([0, KEEP_EVERY]);

    await session.rewind(0);
    expect(session.shown.peek()).toMatchObject({ iteration: 0, losses: [], kept: [0] });
    expect(session.shown.peek().undone.losses).toEqual(first.losses);
    expect(session.shown.peek().undone.scores).toEqual(first.scores.slice(1));
    await trainTo(session, KEEP_EVERY);
    expect(session.shown.peek().losses.slice(0, 5)).toEqual(first.losses.slice(0, 5));
    expect(session.shown.peek().scores[1]).toEqual(first.scores[1]);

    await session.rewind(0);
    await session.change({ ...gentle, lr: 1e-2 });
    await trainTo(session, 20);
    expect(session.shown.peek().losses[1].value).not.toBe(first.losses[1].value);
    await session.change({ ...gentle, loss: 'l1' });
    expect(session.shown.peek().iteration).toBeGreaterThanOrEqual(20);
    session.close();
    await idle();

    const before = engine.memory.stats().live;
    const second = new Session(drawn(8), { ...gentle, block: 'full' });
    await second.prepare();
    await second.step();
    expect(second.shown.peek()).toMatchObject({ iteration: 1, status: 'paused' });
    second.close();
    await idle();
    expect(engine.memory.stats().live).toBe(before);
  });

  test("the page's own clip: above bicubic within a hundred steps, on frames that it never saw", async () => {
    const session = new Session(drawn(12, 192, 144), gentle);
    await session.prepare();
    await trainTo(session, 100);
    const { scores, bicubic } = session.shown.peek();
    expect(scores[2].value).toBeGreaterThan(bicubic + 0.1);
    const folder = mkdtempSync(join(tmpdir(), 'subpixel-training-'));
    const path = join(folder, 'weights.safetensors');
    writeFileSync(path, Buffer.from(await (await session.weights())!.arrayBuffer()));
    const weights = await readWeights(path, 'fstrn'); // as `subpixel upscale --weights` does
    await refuseMisfit(path, 'fstrn', weights);
    rmSync(folder, { recursive: true });
    expect(weights).toMatchObject({ frames: 3, degradation: 'bicubic', config: { width: 8, block: 'separable' } });
    expect(weights.tensors.get('up.weight')!.data.some((w) => w !== 0)).toBe(true); // where they began
    session.close();
    await idle();
  });

  test('a rate too large: the training stops and says so, and goes on after going back', async () => {
    const session = new Session(drawn(6), { ...gentle, lr: 0.1 });
    await session.prepare();
    await trainTo(session, KEEP_EVERY);
    expect(session.shown.peek()).toMatchObject({ status: 'paused', why: expect.stringMatching(/^At step 50 .*apart/) });
    await session.change(gentle);
    await session.rewind(0);
    await session.step();
    expect(session.shown.peek()).toMatchObject({ status: 'paused', why: '', iteration: 1 });
    session.close();
    await idle();
  });

  test('a lost device leaves what was kept, and training goes on from there on another', async () => {
    const session = new Session(drawn(6), gentle);
    await session.prepare();
    await trainTo(session, KEEP_EVERY + 2);
    labState.value = { kind: 'opening' };
    await session.step();
    expect(session.shown.peek()).toMatchObject({
      status: 'stopped',
      why: expect.stringMatching(/^The GPU was lost at step \d+\. Training can go on from step 50\.$/),
    });
    const other = await testEngine();
    ready(other);
    await session.step();
    expect(session.shown.peek()).toMatchObject({ status: 'paused', why: '', iteration: KEEP_EVERY + 1 });
    session.close();
    await idle();
    ready(engine);
    other.destroy();
  });

  test('a loss that is no number, and a clip too short: a sentence', async () => {
    const wild = new Session(drawn(6), { ...gentle, lr: 1e30 });
    await wild.prepare();
    await trainTo(wild, KEEP_EVERY);
    expect(wild.shown.peek().why).toMatch(
      /^After step \d+ the loss grew past all numbers: .*Training can go on from step 0\.$/,
    );
    wild.close();
    const short = new Session(drawn(5), gentle);
    await short.prepare();
    expect(short.shown.peek().why).toBe('training takes 3 frames at a time and keeps 3 for judging: this clip has 5.');
    short.close();
    await idle();
  });
});

describe.skipIf(noChromium)('chapter "Train it here"', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openChapter('training');
    await lab.figure('train').done();
  }, PATIENCE);
  const button = (name: string) => lab.figure('train').at.getByRole('button', { name, exact: true });

  test('the held-out frames are judged against bicubic which the first weights make', async () => {
    const rgb = proceduralClip({ width: 192, height: 144, frames: 12 }).slice(9);
    const scores = rgb.map((bytes) => {
      const { width, height, data } = middle(bytes);
      const low = degrade(data, width, height, 'bicubic', 4);
      return compareFrame({ width, height, data }, bicubicUpscale(low.data, low.width, low.height, 4), DEFAULT_PROTOCOL)
        .psnr;
    });
    const mean = scores.reduce((a, b) => a + b) / scores.length;
    expect(await lab.figure('train').number('PSNR of bicubic')).toBeCloseTo(mean, 1);
    expect(await lab.figure('train').number('PSNR, frames held out')).toBeCloseTo(mean, 1);
  });

  test('trains, pauses, steps, goes back; the page listens all the while', async () => {
    const figure = lab.figure('train');
    await button('Train').click();
    await lab.page.waitForFunction(
      (least) => Number(document.querySelector('#train .value dd')?.textContent) > least,
      process.env.SCREENSHOTS ? 3 * KEEP_EVERY : KEEP_EVERY,
    );
    await button('Pause').click();
    await button('Train').waitFor();
    const at = await settled(figure);
    const learned = await figure.number('PSNR, frames held out');
    expect(learned).toBeGreaterThan(await figure.number('PSNR of bicubic'));
    await button('One step').click();
    await lab.page.waitForFunction(
      (step) => document.querySelector('#train .value dd')?.textContent === step,
      `${at + 1}`,
    );
    expect(await figure.number('Loss of the last step')).toBeGreaterThan(0);
    await lab.page.getByRole('img', { name: /PSNR, dB over step; last values/ }).waitFor();
    await lab.figure('train').record('train');
    await lab.figure('trained').record('trained');
    await lab.screenshot('training');
    const download = lab.page.waitForEvent('download');
    await button('Keep the weights').click();
    const file = await (await download).path();
    expect(decodeSafetensors(readFileSync(file)).metadata.iteration).toBe(`${at + 1}`);
    await figure.slide('Go back to step', 0);
    await button('Go back').click();
    await lab.page.waitForFunction(() => document.querySelector('#train .value dd')?.textContent === '0');
    expect(await figure.number('PSNR, frames held out')).toBeLessThan(learned);
  });

  test('a lost device is survived', async () => {
    const figure = lab.figure('train');
    await button('Train').click();
    await lab.page.waitForFunction(() => Number(document.querySelector('#train .value dd')?.textContent) > 3);
    await lab.page.evaluate(() => {
      const state = window.subpixel.labState.peek();
      if (state.kind === 'ready') state.lab.engine.device.gpu.destroy();
    });
    const told = figure.at.getByText(/The GPU was lost at step \d+\. Training can go on from step \d+\./);
    const kept = Number(/from step (\d+)/.exec((await told.textContent()) ?? '')?.[1]); // how far it came is the machine's
    await button('One step').click();
    const next = `document.querySelector('#train .value dd')?.textContent === '${kept + 1}'`;
    await lab.page.waitForFunction(next);
    await figure.at.getByRole('alert').waitFor({ state: 'detached' });
    await lab.page.setViewportSize({ width: 390, height: 800 });
    expect(await lab.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await lab.page.close();
  });
});

/** The step at which it stands once the turn that was under way is over: on busy cores that takes a while. */
async function settled(figure: LabFigure): Promise<number> {
  for (let before = -1; ; ) {
    const now = await figure.number('Step');
    if (now === before) return now;
    before = now;
    await figure.at.page().waitForTimeout(1500);
  }
}

/** The square of 128 pixels that the page judges, in luminance. */
function middle(rgb: Uint8Array) {
  const { data } = lumaOf(planesOf(rgb, 192, 144));
  const bytes = { width: 192, height: 144, data: data.map(Math.round) };
  return cut(bytes, 32, 8, 128, 128);
}
