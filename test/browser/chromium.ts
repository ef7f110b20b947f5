import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

/** Chromium on the PATH; undefined where there is none (browser tests then skip themselves and say so). */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    for (const folder of folders) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not in this folder
      }
    }
  }
  return undefined;
}

/** Chromium with WebGPU in software. */
export const chromiumFlags = [
  '--no-sandbox', // containers and root have no user namespaces for it
  '--enable-unsafe-webgpu', // without it, software adapters are hidden
  '--use-webgpu-adapter=swiftshader',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/**
 * Bundles a module for the browser, calls its default export in a page of headless Chromium with WebGPU, and returns
 * what that resolves to, as JSON carries it. What the page throws is thrown here, and what it logs is logged here.
 * @param entryFile TypeScript; its default export is an async function without arguments
 */
export async function runInChromium(entryFile: string): Promise<unknown> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium on the PATH');
  const bundle = await build({
    entryPoints: [entryFile],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'esnext',
    sourcemap: 'inline',
    loader: { '.wgsl': 'text' },
    logLevel: 'silent', // its errors are thrown
  });
  const script = bundle.outputFiles[0].text;
  const browser = await chromium.launch({ executablePath, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    page.on('console', (message) => console.log(`[page] ${message.text()}`));
    // WebGPU exists only in secure contexts; localhost is one, and no server has to listen.
    await page.route('http://localhost/**', (route) =>
      route.request().url().endsWith('/entry.js')
        ? route.fulfill({ contentType: 'text/javascript', body: script })
        : route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>subpixel</title>' }),
    );
    await page.goto('http://localhost/');
    // A string, as the test runner rewrites the imports of a function.
    return await page.evaluate("import('/entry.js').then((entry) => entry.default())");
  } finally {
    await browser.close();
  }
}
