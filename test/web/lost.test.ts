import { beforeAll, describe, expect, test } from 'vitest';
import { bicubicUpscale, degrade, type Planes } from '../../train/degrade.ts';
import { compareFrame, DEFAULT_PROTOCOL, PROTOCOLS, type Protocol } from '../../train/metrics.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { enlarge, rounded, shrink } from '../../web/chapters/lost/pictures.ts';
import { cut, lumaOf, mostDetailed, planesOf } from '../../web/lab/clip.ts';
import { type Lab, noChromium, openChapter, PATIENCE } from './lab.ts';

/** What the page shows of the drawn clip. */
const [WIDTH, HEIGHT, EDGE] = [192, 144, 96];
const frame = () => planesOf(proceduralClip({ width: WIDTH, height: HEIGHT, frames: 1 })[0], WIDTH, HEIGHT);
const square = mostDetailed(frame(), EDGE);
const upAndDown = ({ width, height, data }: Planes, low = degrade(data, width, height, 'bicubic', 4)) =>
  bicubicUpscale(low.data, low.width, low.height, 4);

function meanSquare(a: Planes, b: Planes): number {
  return a.data.reduce((sum, value, i) => sum + (value - b.data[i]) ** 2, 0) / a.data.length;
}

describe('enlarging from a grid', () => {
  const y = lumaOf(square);
  test('of imresize is bicubicUpscale, but for the border', () => {
    const low = shrink(y, 'bicubic', 4);
    const [ours, theirs] = [enlarge(low, 4, 1.5), upAndDown(y)];
    const inside = (of: Planes) => [...cut(of, 8, 8, EDGE - 16, EDGE - 16).data];
    const expected = inside(theirs);
    for (const [i, value] of inside(ours).entries()) expect(Math.abs(value - expected[i])).toBeLessThan(1e-4);
  });

  test.each([
    [2, 0],
    [3, 1],
    [4, 3],
  ])('by %i with phase %i leaves the samples at their places', (scale, phase) => {
    const low = shrink(y, 'every', scale);
    const up = enlarge(low, scale, phase);
    for (let i = 0; i < low.width * low.height; i++) {
      const at = (Math.floor(i / low.width) * scale + phase) * up.width + (i % low.width) * scale + phase;
      expect(Math.abs(up.data[at] - low.data[i])).toBeLessThan(1e-4);
    }
  });
});

describe.skipIf(noChromium)('the chapter on what is lost', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openChapter('lost');
    await lab.figure('protocols').at.locator('td', { hasText: /dB$/ }).first().waitFor();
    await lab.screenshot('lost');
  }, PATIENCE);

  test('shows the scores of train/metrics.ts for what degradations lose', async () => {
    const figure = lab.figure('degradations');
    const psnr = () => figure.number('PSNR of the enlarged picture');
    const expected = compareFrame(square, upAndDown(square), { ...DEFAULT_PROTOCOL, channel: 'rgb' });
    const bicubic = await psnr();
    expect(bicubic).toBeCloseTo(expected.psnr, 1);
    expect(await figure.number('SSIM')).toBeCloseTo(expected.ssim, 3);
    expect((await figure.pixels(1)).width).toBe(EDGE / 4);
    await figure.check('one pixel of each square');
    expect(await psnr()).toBeLessThan(bicubic - 1);
    await figure.check('blur, then bicubic');
    expect(await psnr()).toBeLessThan(bicubic);
    await figure.check('bicubic');
    await figure.slide('Scale', 2);
    expect(await psnr()).toBeGreaterThan(bicubic + 1);
    expect((await figure.pixels(1)).width).toBe(EDGE / 2);
    await figure.check('luminance');
    const [red, green, blue] = (await figure.pixels()).data;
    expect([green, blue]).toEqual([red, red]);
  });

  test('aliases at full contrast what bicubic removes', async () => {
    const figure = lab.figure('aliasing');
    const left = async () => {
      const values = await figure.values();
      return ['one pixel of each', 'bicubic'].map((way) => values[`contrast left beyond that, ${way}`]);
    };
    await figure.slide('Finest rings, at the edge', 0.3);
    const [thinned, bicubic] = (await left()).map(Number.parseFloat);
    expect(thinned).toBeGreaterThan(85);
    expect(bicubic).toBeLessThan(25);
    await figure.slide('Finest rings, at the edge', 0.1);
    expect(await left()).toEqual(['nothing is too fine', 'nothing is too fine']);
    const plate = (await figure.pixels()).data;
    const low = (await figure.pixels(1)).data;
    expect(low.slice(0, 4)).toEqual(plate.slice(0, 4)); // the first pixel of the first square
  });

  test('finds the top of the curve at the grid of the small picture', async () => {
    const figure = lab.figure('phase');
    const y = lumaOf(square);
    const right = compareFrame(y, upAndDown(y), DEFAULT_PROTOCOL).psnr;
    const low = degrade(y.data, EDGE, EDGE, 'bicubic', 4);
    const wrong = compareFrame(y, enlarge(low, 4, 0), DEFAULT_PROTOCOL).psnr;
    await figure.slide('The enlargement believes', 0);
    expect(await figure.number('PSNR, right grid')).toBeCloseTo(right, 1);
    expect(await figure.number('lost by the shift alone')).toBeCloseTo(right - wrong, 1);
    expect(right - wrong).toBeGreaterThan(0.5);
    await figure.slide('The enlargement believes', 1.5);
    expect(await figure.number('lost by the shift alone')).toBe(0);
    await figure.check('4i: the same filter, other grid');
    expect(await figure.number('lost by the shift alone')).toBeGreaterThan(0.5);
    await figure.slide('The enlargement believes', 0);
    expect(await figure.number('lost by the shift alone')).toBe(0);
  });

  test('gives three errors one PSNR and different SSIM', async () => {
    const figure = lab.figure('scores');
    const expected = 10 * Math.log10(255 ** 2 / meanSquare(lumaOf(square), upAndDown(lumaOf(square))));
    for (const share of [1, 0.5]) {
      await figure.slide('Error, of what bicubic loses', share);
      for (const name of ['detail lost', 'noise', 'brighter']) {
        expect(await figure.number(`PSNR, ${name}`)).toBeCloseTo(expected - 20 * Math.log10(share), 1);
      }
    }
    expect(await figure.number('SSIM, brighter')).toBeGreaterThan((await figure.number('SSIM, noise')) + 0.05);
    expect(await figure.number('SSIM, brighter')).toBeGreaterThan((await figure.number('SSIM, detail lost')) + 0.05);
  });

  test('scores one result under each protocol', async () => {
    const figure = lab.figure('protocols');
    const shown = async () => [await figure.number('PSNR'), await figure.number('SSIM')];
    const expectScore = async (change: Partial<Protocol>) => {
      const low = degrade(square.data, EDGE, EDGE, 'bicubic', 4);
      const given = change.lowResolution === 'none' ? low : rounded(low);
      const score = compareFrame(square, upAndDown(square, given), { ...DEFAULT_PROTOCOL, ...change });
      const [psnr, ssim] = await shown();
      expect(psnr).toBeCloseTo(score.psnr, 1);
      expect(ssim).toBeCloseTo(score.ssim, 3);
    };
    await expectScore({});
    await figure.check('RGB');
    await expectScore({ channel: 'rgb' });
    await figure.slide('Border left out', 2);
    await expectScore({ channel: 'rgb', border: [2, 2, 2, 2] });
    await figure.check('7x7 square');
    await expectScore({ channel: 'rgb', border: [2, 2, 2, 2], ssimVariant: 'skimage' });
    const rows = await figure.at.locator('tbody tr').allTextContents();
    const score = compareFrame(
      square,
      upAndDown(square, rounded(degrade(square.data, EDGE, EDGE, 'bicubic', 4))),
      PROTOCOLS.duf(4),
    );
    expect(Number.parseFloat(rows[0].slice('duf'.length))).toBeCloseTo(score.psnr, 1);
    expect(await figure.number('between the lowest and the highest')).toBeGreaterThan(0.3);
  });
});
