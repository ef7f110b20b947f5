import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nodeGpu } from '../../io/gpu.ts';
import { findChromium, runInChromium } from './chromium.ts';
import { tinyTraining } from './training-step.ts';

const page = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe('in headless Chromium', () => {
  test('a compute shader runs', async (context) => {
    if (!findChromium()) context.skip('no Chromium on the PATH');
    const result = await runInChromium(page('compute-page.ts'));
    expect(result).toEqual({ adapter: expect.any(String), largestError: 0 });
  });

  test('what a page throws is thrown by the test', async (context) => {
    if (!findChromium()) context.skip('no Chromium on the PATH');
    await expect(runInChromium(page('throwing-page.ts'))).rejects.toThrow('thrown in the page');
  });

  test('a tiny FSTRN trains with the same losses as in Node', async (context) => {
    if (!findChromium()) context.skip('no Chromium on the PATH');
    const { losses } = (await runInChromium(page('training-page.ts'))) as { losses: number[] };
    const expected = await tinyTraining((await nodeGpu()).adapter);
    expect(losses).toHaveLength(3);
    expect(losses[2]).toBeLessThan(losses[0]);
    for (const [i, loss] of losses.entries()) expect(Math.abs(loss / expected[i] - 1)).toBeLessThan(1e-4);
  });
});
