import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, totalmem } from 'node:os';
import { basename } from 'node:path';
import { leaves } from '../train/overrides.ts';
import { writeFileAtomic } from './atomic.ts';
import { reportScript, reportStyle } from './report-page.ts';
import type { Metric, RunFolder, RunInfo } from './run-folder.ts';

/** What a report shows beside the run's own curves. */
export interface ReportExtras {
  readonly title?: string;
  /** Instead of the last PSNR of the training. */
  readonly summary?: string;
  /** Lines of text above the pictures. */
  readonly notes?: readonly string[];
  /** A table, its head first. */
  readonly table?: readonly (readonly string[])[];
  /** PNG files, with what they show. */
  readonly pictures?: readonly { readonly caption: string; readonly path: string }[];
}

/** Writes report.html: one file that needs nothing else, with curves, pictures, machine and settings. */
export async function writeReport(folder: RunFolder, info: RunInfo, extras: ReportExtras = {}): Promise<void> {
  const metrics = await folder.metrics();
  const pictures = extras.pictures ?? (await newestSample(folder));
  const [plotCode, plotStyle] = await Promise.all([plotFile('uPlot.iife.min.js'), plotFile('uPlot.min.css')]);
  const figures = await Promise.all(
    pictures.map(async ({ caption, path }) => {
      const data = (await readFile(path)).toString('base64');
      return `<figure><img alt="${text(caption)}" src="data:image/png;base64,${data}"><figcaption>${text(caption)}</figcaption></figure>`;
    }),
  );
  const { recipe } = info;
  const title = extras.title ?? `subpixel: ${recipe.name}`;
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${plotStyle}${reportStyle}</style></head>
<body><main>
<h1>${text(title)}</h1>
<p class="summary">${text(extras.summary ?? summary(metrics))}</p>
${(extras.notes ?? []).map((line) => `<p>${text(line)}</p>`).join('\n')}
${extras.table ? table(extras.table) : ''}
${figures.join('\n')}
<section class="plots"><div id="psnr"></div><div id="loss"></div></section>
<h2>Machine</h2>
${table(machine(info).map(([k, v]) => [k, v]))}
<details><summary>Settings</summary>
${table([...leaves(recipe)].map(([key, value]) => [key, JSON.stringify(value)]))}</details>
<details><summary>Clips</summary>
${table([...info.data.map((path) => ['training', basename(path)]), ...heldOut(info)])}</details>
</main>
<script>${plotCode}</script>
<script>const metrics = ${JSON.stringify(metrics).replaceAll('<', '\\u003c')};
${reportScript}</script>
</body></html>
`;
  await writeFileAtomic(folder.file('report.html'), page);
}

function summary(metrics: readonly Metric[]): string {
  const last = metrics.findLast((metric) => 'psnr' in metric);
  const iteration = metrics.at(-1)?.iteration ?? 0;
  if (!last || !('psnr' in last)) return `${iteration} iterations`;
  const gain = last.psnr - last.bicubic;
  return (
    `${iteration} iterations. On held-out frames ${last.psnr.toFixed(2)} dB, ` +
    `bicubic ${last.bicubic.toFixed(2)} dB: ${gain >= 0 ? '+' : ''}${gain.toFixed(2)} dB.`
  );
}

function machine({ device }: RunInfo): [string, string][] {
  const [first] = cpus();
  return [
    ['adapter', device],
    ['processor', `${first?.model.trim() || 'unknown'}, ${cpus().length} threads`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['system', `${process.platform} ${process.arch}, Node ${process.versions.node}`],
  ];
}

function heldOut({ val, recipe }: RunInfo): string[][] {
  if (val.length > 0) return val.map((path) => ['held out', basename(path)]);
  return [['held out', `the last ${(100 * recipe.data.holdOut).toFixed(0)} % of each`]];
}

async function newestSample(folder: RunFolder): Promise<{ caption: string; path: string }[]> {
  const names = await readdir(folder.file('samples')).catch(() => []);
  const iterations = names.filter((name) => /^\d+\.png$/.test(name)).map((name) => Number(name.slice(0, -4)));
  if (iterations.length === 0) return [];
  const newest = Math.max(...iterations);
  return [{ caption: `A held-out frame after ${newest} iterations`, path: await folder.sampleFile(newest) }];
}

const plotFile = (name: string): Promise<string> =>
  readFile(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), 'utf8');

const table = (rows: readonly (readonly string[])[]): string =>
  `<table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`).join('')}</table>`;

const text = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
