import { describe, expect, test } from 'vitest';
import { openClip } from '../../io/clip.ts';
import { lumaOfPlanes, toBytes, toPlanes } from '../../train/colour.ts';
import { bicubicUpscale, degrade } from '../../train/degrade.ts';
import { compareClip, DEFAULT_PROTOCOL, type Picture } from '../../train/metrics.ts';
import { sharedData } from '../shared-data.ts';

/** Ground truth and bicubic of the first frames, in Y or, with every picture in 8 bits, in RGB. */
async function bicubic(path: string, channel: 'y' | 'rgb', count?: number) {
  const [hr, sr]: Picture[][] = [[], []];
  for await (const { width, height, data } of (await openClip(path)).frames({ format: 'rgb', count })) {
    const rgb = toPlanes(data);
    const truth = channel === 'y' ? lumaOfPlanes(rgb) : rgb;
    const low = degrade(truth, width, height, 'bicubic', 4);
    hr.push({ width, height, data: truth });
    sr.push(bicubicUpscale(channel === 'y' ? low.data : toBytes(low.data), low.width, low.height, 4));
  }
  return compareClip(hr, sr, { ...DEFAULT_PROTOCOL, quantise: channel === 'y' ? 'none' : 'round' });
}

describe.skipIf(sharedData.missing)(`bicubic x4 on Vid4 (skipped when there are ${sharedData.reason})`, () => {
  test.each([
    ['calendar', 41, 20.53, 0.568],
    ['city', 34, 25.09, 0.601],
  ])('%s: %i frames, %f dB, %f', async (name, frames, db, similarity) => {
    const score = await bicubic(sharedData.path(`vid4/vid4_${name}.mkv`), 'y');
    expect(score.frames).toBe(frames);
    expect(Math.abs(score.psnr - db)).toBeLessThan(0.02);
    expect(Math.abs(score.ssim - similarity)).toBeLessThan(0.001);
  });

  test('8-bit RGB in between changes the last digits only', async () => {
    const path = sharedData.path('vid4/vid4_city.mkv');
    const [y, rgb] = [await bicubic(path, 'y', 3), await bicubic(path, 'rgb', 3)];
    expect(Math.abs(y.psnr - rgb.psnr)).toBeLessThan(0.003);
    expect(Math.abs(y.ssim - rgb.ssim)).toBeLessThan(0.0005);
  });
});
