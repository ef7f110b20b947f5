import { readdir, readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { basename } from 'node:path';
import { leaves } from '../train/overrides.ts';
import { writeFileAtomic } from './atomic.ts';
import { htmlPage, tableHtml, text } from './page.ts';
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
  const figures = await Promise.all(
    pictures.map(async ({ caption, path }) => {
      const data = (await readFile(path)).toString('base64');
      return `<figure><img alt="${text(caption)}" src="data:image/png;base64,${data}"><figcaption>${text(caption)}</figcaption></figure>`;
    }),
  );
  const { recipe } = info;
  const title = extras.title ?? `subpixel: ${recipe.name}`;
  const body = `<p class="summary">${text(extras.summary ?? summary(metrics))}</p>
${(extras.notes ?? []).map((line) => `<p>${text(line)}</p>`).join('\n')}
${extras.table ? tableHtml(extras.table) : ''}
${figures.join('\n')}
<section class="plots"><div id="psnr"></div><div id="loss"></div></section>
<h2>Machine</h2>
${tableHtml(machine(info).map(([k, v]) => [k, v]))}
<details><summary>Settings</summary>
${tableHtml([...leaves(recipe)].map(([key, value]) => [key, JSON.stringify(value)]))}</details>
<details><summary>Clips</summary>
${tableHtml([...info.data.map((path) => ['training', basename(path)]), ...heldOut(info)])}</details>`;
  const page = await htmlPage({ title, body, data: { metrics }, script: curves });
  await writeFileAtomic(folder.file('report.html'), page);
}

const curves = `
const losses = metrics.filter((m) => 'loss' in m), scores = metrics.filter((m) => 'psnr' in m);
plot('psnr', {
  title: 'PSNR on held-out frames, dB', xLabel: 'iteration', x: scores.map((m) => m.iteration),
  series: [{ label: 'network', y: scores.map((m) => m.psnr) }, { label: 'bicubic', y: scores.map((m) => m.bicubic), dash: [6, 4] }],
});
plot('loss', {
  title: 'Training loss', xLabel: 'iteration', x: losses.map((m) => m.iteration), logY: losses.every((m) => m.loss > 0),
  series: [{ label: 'loss', y: losses.map((m) => m.loss), colour: 'green' }],
});
`;

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
