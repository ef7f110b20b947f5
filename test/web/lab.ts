import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, expect } from 'vitest';
import { runFfmpeg } from '../../io/ffmpeg.ts';
import { projectFolder } from '../../io/folders.ts';
import { chromiumFlags, findChromium } from '../browser/chromium.ts';
import { longestTasks, watchTasks } from './tasks.ts';

const execute = promisify(execFile);

/** For `test.skipIf(noChromium)`. */
export const noChromium = !findChromium();
/** A laboratory that computes in software beside other tests takes its time. */
export const PATIENCE = 90_000;
/** For so many milliseconds a page may neither listen nor be drawn. */
const FREEZE_MS = 100;

const cache = join(projectFolder, 'node_modules/.cache');
const sources = ['web', 'engine', 'nets', 'shaders', 'train', 'vite.config.ts', 'package-lock.json'];

/** The built site of the sources as they are: built once, however many test files ask for it. */
async function builtSite(): Promise<string> {
  const state = createHash('sha1');
  for (const source of sources) {
    const path = join(projectFolder, source);
    const files = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, withFileTypes: true }) : [];
    const all = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    for (const file of all.length > 0 ? all.sort() : [path]) state.update(`${file} ${statSync(file).mtimeMs}\n`);
  }
  const folder = join(cache, `web-${state.digest('hex').slice(0, 12)}`);
  const claim = `${folder}.claim`;
  mkdirSync(cache, { recursive: true });
  while (!existsSync(folder)) {
    try {
      mkdirSync(claim); // one builds, the others wait
    } catch {
      const claimed = statSync(claim, { throwIfNoEntry: false });
      if (claimed && Date.now() - claimed.mtimeMs > PATIENCE) rmSync(claim, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    try {
      await build(folder);
    } finally {
      rmSync(claim, { recursive: true, force: true });
    }
  }
  return folder;
}

async function build(folder: string): Promise<void> {
  for (const name of readdirSync(cache)) {
    const old = join(cache, name);
    if (/^web-[0-9a-f]+$/.test(name) && Date.now() - statSync(old).mtimeMs > 3_600_000) {
      rmSync(old, { recursive: true, force: true });
    }
  }
  const { NODE_ENV: _, ...env } = process.env; // the test runner's own
  const vite = join(projectFolder, 'node_modules/vite/bin/vite.js');
  const unfinished = `${folder}.${process.pid}`;
  await execute(process.execPath, [vite, 'build', '--outDir', unfinished, '--logLevel', 'warn'], {
    cwd: projectFolder,
    env,
  });
  renameSync(unfinished, folder);
}

/** Scripts, styles and the page itself, in bytes: as they lie there, and as a server sends them, compressed. */
export async function codeOfSite(): Promise<{ bytes: number; compressed: number }> {
  const folder = await builtSite();
  const code = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => /\.(js|css|html)$/.test(name))
    .map(({ name, parentPath }) => readFileSync(join(parentPath, name)));
  const sum = (sizes: number[]) => sizes.reduce((a, b) => a + b, 0);
  return {
    bytes: sum(code.map(({ length }) => length)),
    compressed: sum(code.map((bytes) => gzipSync(bytes).length)),
  };
}

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

const browsers = new Map<boolean, Promise<Browser>>();
const open: Lab[] = [];

/** With or without WebGPU, each of them started once for a test file. */
function browserOf(webgpu: boolean): Promise<Browser> {
  const started = browsers.get(webgpu);
  if (started) return started;
  const args = webgpu ? chromiumFlags : [...chromiumFlags.filter((flag) => !flag.includes('webgpu')), '--disable-gpu'];
  const browser = launch(args);
  browsers.set(webgpu, browser);
  return browser;
}

async function launch(args: string[]): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: findChromium(), args });
  await watchTasks(browser);
  return browser;
}

afterEach(() => {
  for (const { troubles } of open) expect(troubles.splice(0)).toEqual([]);
});
afterAll(async () => {
  open.length = 0;
  const longest = [];
  for (const browser of browsers.values()) {
    longest.push(await longestTasks(await browser, 'http://localhost/'));
    await (await browser).close();
  }
  browsers.clear();
  for (const { page, drawing } of longest) {
    console.log(`longest tasks: ${page.ms.toFixed(0)} ms of the page, ${drawing.ms.toFixed(0)} ms of what draws it`);
    for (const { ms, parts } of [page, drawing]) expect(ms, parts).toBeLessThan(FREEZE_MS);
  }
});

export interface LabOptions extends BrowserContextOptions {
  /** Without it the browser has no adapter. */
  readonly webgpu?: boolean;
}

/**
 * The laboratory at one of its chapters, in headless Chromium on SwiftShader. Errors and warnings of the page's console,
 * what it throws, and whatever it asks of other hosts fail the test that runs then; a task of the page that holds it for
 * too long fails the file. Close `page` to be done with it early.
 */
export async function openChapter(id: string, { webgpu = true, ...options }: LabOptions = {}): Promise<Lab> {
  const folder = await builtSite();
  const context = await (await browserOf(webgpu)).newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const lab = new Lab(page);
  open.push(lab);
  page.on('pageerror', (error) => lab.troubles.push(`thrown: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    const noAdapter = !webgpu && message.text().includes('No available adapters');
    if (['error', 'warning'].includes(message.type()) && !noAdapter) {
      lab.troubles.push(`${message.text()} (${message.location().url})`);
    }
  });
  page.on('requestfailed', (request) => {
    const left = request.failure()?.errorText === 'net::ERR_ABORTED'; // the page went elsewhere meanwhile
    if (!left) lab.troubles.push(`${request.url()} failed`);
  });
  // WebGPU exists only in secure contexts; localhost is one, and no server has to listen.
  await page.route(/^https?:/, (route) => {
    const { hostname, pathname } = new URL(route.request().url());
    const file = join(folder, pathname === '/' ? 'index.html' : pathname);
    if (hostname !== 'localhost') return route.abort();
    if (!existsSync(file)) return route.fulfill({ status: 404 });
    const body = readFileSync(file);
    if (/\.(js|css|html)$/.test(file)) lab.codeBytes += body.length;
    return route.fulfill({ contentType: types[extname(file)], body });
  });
  await page.goto(`http://localhost/#${id}`);
  await page.locator(`article[data-chapter="${id}"]`).waitFor();
  return lab;
}

export class Lab {
  /** What went wrong in the page since the last test. */
  readonly troubles: string[] = [];
  /** Of scripts, styles and the page itself that were asked for, uncompressed. */
  codeBytes = 0;
  constructor(readonly page: Page) {}

  figure(id: string): LabFigure {
    return new LabFigure(this.page.locator(`#${id}.figure`));
  }

  /** Bytes that live tensors hold on the device, once what is asked for is done. */
  liveBytes(): Promise<number> {
    return this.page.evaluate(() => {
      const state = window.subpixel.labState.peek();
      if (state.kind !== 'ready') throw new Error(`no device: ${state.kind}`);
      return state.lab.engine.memory.stats().live;
    });
  }

  /** With SCREENSHOTS=1, docs/learn/<name>.png: the whole page 900 pixels wide, one figure of it, or all down to its end. */
  async screenshot(name: string, of?: LabFigure, part: 'alone' | 'down to' = 'alone'): Promise<void> {
    if (!process.env.SCREENSHOTS) return;
    await this.page.setViewportSize({ width: 900, height: 900 });
    await this.page.evaluate(() => scrollTo(0, 0)); // what sticks goes back to its place
    await this.page.waitForTimeout(300); // plots take their new width
    const { y = 0, height = 0 } = (await of?.at.boundingBox()) ?? {};
    const clip = part === 'down to' ? { x: 0, y: 0, width: 900, height: y + height + 20 } : undefined;
    const alone = of && part === 'alone';
    const picture = alone ? of.at.screenshot() : this.page.screenshot({ fullPage: true, clip });
    await save(await picture, `docs/learn/${name}.png`, 200_000);
  }
}

export class LabFigure {
  constructor(readonly at: Locator) {}

  /** Waits until what it shows is computed. @throws {Error} with its message when that failed */
  async done(timeout = PATIENCE): Promise<this> {
    await this.at.and(this.at.page().locator('[data-state=done], [data-state=failed]')).waitFor({ timeout });
    if ((await this.at.getAttribute('data-state')) === 'failed') {
      throw new Error((await this.at.getByRole('alert').textContent()) ?? 'failed');
    }
    return this;
  }

  /** The numbers with a name, as they are written once all is computed. */
  async values(): Promise<Record<string, string>> {
    await this.done();
    return Object.fromEntries(
      await this.at
        .locator('.value')
        .evaluateAll((all) =>
          all.map((one) => [one.querySelector('dt')?.textContent ?? '', one.querySelector('dd')?.textContent ?? '']),
        ),
    );
  }

  /** One of them. @throws {Error} when there is no number of that name */
  async number(name: string): Promise<number> {
    const values = await this.values();
    const number = Number.parseFloat(values[name]?.replace('−', '-'));
    if (Number.isNaN(number)) throw new Error(`no number "${name}" among ${JSON.stringify(values)}`);
    return number;
  }

  slide(label: string, value: number): Promise<void> {
    return this.at.getByRole('slider', { name: label, exact: true }).fill(String(value));
  }

  /** Checks a radio button or a switch. */
  check(label: string): Promise<void> {
    return this.at.getByLabel(label, { exact: true }).check();
  }

  /** RGBA of a canvas, as bytes. @param nth of the figure's canvases */
  async pixels(nth = 0): Promise<{ width: number; height: number; data: number[] }> {
    await this.done();
    return this.at
      .locator('canvas')
      .nth(nth)
      .evaluate((canvas: HTMLCanvasElement) => {
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
        copy.drawImage(canvas, 0, 0); // reading the page's own again and again makes Chromium warn
        const { data } = copy.getImageData(0, 0, width, height);
        return { width, height, data: [...data] };
      });
  }

  /** With SCREENSHOTS=1, web/public/recorded/<name>.png: what readers without WebGPU see in its place. */
  async record(name: string): Promise<void> {
    if (process.env.SCREENSHOTS) await save(await this.at.screenshot(), `web/public/recorded/${name}.png`, 60_000);
  }
}

/** As a PNG with a palette, of as many colours as `most` bytes allow, and smaller where even few take too much. */
async function save(png: Buffer, path: string, most: number): Promise<void> {
  const file = join(projectFolder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  const attempts = [128, 64, 32, 16].map((colours) => [colours, 1]).concat([0.7, 0.6].map((size) => [16, size]));
  for (const [colours, size] of attempts) {
    const filter = `scale=iw*${size}:-1,split[a][b];[a]palettegen=max_colors=${colours}[p];[b][p]paletteuse=dither=none`;
    const { code, stderr } = await runFfmpeg(
      ['-y', '-v', 'error', '-i', '-', '-vf', filter, '-compression_level', '100', file],
      png,
    );
    if (code !== 0) throw new Error(stderr);
    if (statSync(file).size <= most) return;
  }
  throw new Error(`${path} has ${statSync(file).size} bytes, above ${most}`);
}
