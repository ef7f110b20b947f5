import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findChromium, runInChromium } from './chromium.ts';

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
});
