import { beforeAll, describe, expect, test } from 'vitest';
import type { NDArray } from '../../engine/reference/array.ts';
import { conv } from '../../engine/reference/convolution.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { filters, lossGradient, outputEdge, type Settings } from '../../web/chapters/convolution/compute.ts';
import { cut, detailedSpot, lumaOf, planesOf } from '../../web/lab/clip.ts';
import { type Lab, noChromium, openChapter, PATIENCE } from './lab.ts';

/** What the page shows of the drawn clip: 5 frames of 9x9, luminance 0..1. */
const [WIDTH, HEIGHT, EDGE, FRAMES] = [192, 144, 9, 5];
const frames = proceduralClip({ width: WIDTH, height: HEIGHT, frames: FRAMES }).map((rgb) =>
  planesOf(rgb, WIDTH, HEIGHT),
);
const spot = detailedSpot(frames[0], EDGE, 3);
const patch = frames.flatMap((frame) => [...lumaOf(cut(frame, spot.x, spot.y, EDGE, EDGE)).data].map((v) => v / 255));

const array = (shape: number[], data: ArrayLike<number>): NDArray => ({ shape, data: Float64Array.from(data) });
const inputs = ({ filter }: Settings) => ({
  input: array([1, 1, EDGE, EDGE], patch.slice(0, EDGE * EDGE)),
  weight: array([1, 1, 3, 3], filters[filter]),
});

describe.skipIf(noChromium)('the chapter on convolution', () => {
  let lab: Lab;
  const settings = { filter: 'edges', stride: 1, padding: 1, dilation: 1 } as const;
  beforeAll(async () => {
    lab = await openChapter('convolution');
    for (const [figure, name] of [
      ['window', 'window'],
      ['frames', 'frames'],
      ['input-gradient', 'input'],
      ['weight-gradient', 'weight'],
      ['check', 'check'],
    ]) {
      await (await lab.figure(figure).done()).record(`convolution-${name}`);
    }
    await lab.screenshot('convolution');
  }, 2 * PATIENCE);

  test('one output is the sum over its window, for any stride, padding and dilation', async () => {
    const figure = lab.figure('window');
    for (const changed of [settings, { ...settings, stride: 2, padding: 2, dilation: 3 }]) {
      await figure.slide('Stride', changed.stride);
      await figure.slide('Padding', changed.padding);
      await figure.slide('Dilation', changed.dilation);
      await figure.slide('Output row', 2);
      await figure.slide('Output column', 1);
      const y = conv.forward(inputs(changed), changed);
      expect(await figure.number('rows and columns of the output')).toBe(y.shape[3]);
      expect(y.shape[3]).toBe(outputEdge(changed));
      const expected = y.data[2 * y.shape[3] + 1];
      expect(await figure.number("the device's output there")).toBeCloseTo(expected, 3);
      expect(await figure.number('sum of the nine products')).toBeCloseTo(expected, 3);
      expect(await figure.at.locator('.grid .window').count()).toBe(9);
    }
    await figure.at
      .locator('.grid')
      .nth(2)
      .locator('svg')
      .click({ position: { x: 4, y: 4 } });
    expect(await figure.at.getByRole('slider', { name: 'Output row' }).inputValue()).toBe('0');
    await figure.at.getByRole('slider', { name: 'Output row' }).press('ArrowRight');
    expect(await figure.at.getByRole('slider', { name: 'Output row' }).inputValue()).toBe('1');
  });

  test('over frames', async () => {
    const figure = lab.figure('frames');
    const plain = (shape: number[], data: number[]) =>
      conv.forward(
        { input: array([1, 1, FRAMES, EDGE, EDGE], patch), weight: array([1, 1, ...shape], data) },
        { padding: shape.map((k) => (k - 1) / 2) },
      ).data;
    await figure.slide('Row', 3);
    await figure.slide('Column', 5);
    const cube = plain([3, 3, 3], Array(27).fill(1 / 27));
    const change = plain([3, 1, 1], [-0.5, 0, 0.5]);
    for (const frame of [0, 2]) {
      await figure.slide('Frame', frame + 1);
      const at = (frame * EDGE + 3) * EDGE + 5;
      for (const [choice, y] of [
        ['3x3x3, mean', cube],
        ['3x1x1, next frame minus last', change],
      ] as const) {
        await figure.check(choice);
        expect(await figure.number("the device's output there")).toBeCloseTo(y[at], 3);
        expect(await figure.number('their sum')).toBeCloseTo(y[at], 3);
      }
    }
    expect(await figure.number('products for each output')).toBe(3);
  });

  test('gradients of the input and of the filter are those of the reference', async () => {
    const [input, weight] = [lab.figure('input-gradient'), lab.figure('weight-gradient')];
    const changed = { filter: 'counted', stride: 2, padding: 1, dilation: 1 } as const;
    await input.check('a random mixture');
    await input.check('0.1 to 0.9');
    await input.slide('Stride', changed.stride);
    await input.slide('Padding', changed.padding);
    await input.slide('Dilation', changed.dilation);
    await input.slide('Input row', 3);
    await input.slide('Input column', 6);
    await weight.slide('Tap row', 2);
    await weight.slide('Tap column', 1);
    const edge = outputEdge(changed);
    const dy = array([1, 1, edge, edge], lossGradient('random', edge));
    const exact = conv.backward(dy, inputs(changed), changed);
    for (const name of ['their gradients times the flipped filter', 'from the tape', 'central difference']) {
      expect(await input.number(name)).toBeCloseTo(exact.input.data[3 * EDGE + 6], 3);
    }
    expect(await input.number('outputs that read this pixel')).toBe(2); // an odd row, an even column, padding 1
    for (const name of ['sum of the products of both', 'from the tape', 'central difference']) {
      expect(await weight.number(name)).toBeCloseTo(exact.weight.data[2 * 3 + 1], 3);
    }
  });

  test('a loss of one output brings the filter back, and small steps lose the agreement', async () => {
    const [input, check] = [lab.figure('input-gradient'), lab.figure('check')];
    await input.check('the middle output alone');
    await check.slide('Step h of the central differences', -2);
    expect(await check.number('apart from central differences, at most')).toBeLessThan(1e-5);
    expect(await check.number('apart from the float64 reference, at most')).toBeLessThan(1e-6);
    await check.slide('Step h of the central differences', -16);
    expect(await check.number('apart from central differences, at most')).toBeGreaterThan(1e-5);
    expect(await check.at.textContent()).toMatch(/Shaders that ran: .*conv/);
  });

  test('leaves nothing on the device, and goes on with a new one', async () => {
    const input = lab.figure('input-gradient');
    await input.done();
    await lab.figure('frames').done();
    const before = await lab.liveBytes();
    await input.check('blur');
    await input.done();
    await input.check('edges');
    const value = await input.number('from the tape');
    expect(await lab.liveBytes()).toBe(before);
    await lab.page.evaluate(() => {
      const state = window.subpixel.labState.peek();
      if (state.kind === 'ready') state.lab.engine.device.gpu.destroy();
    });
    await input.at.page().locator('#input-gradient[data-state=waiting]').waitFor();
    expect(await input.number('from the tape')).toBe(value);
  });
});
