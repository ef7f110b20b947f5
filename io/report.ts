import { readdir, readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { basename, relative } from 'node:path';
import { leaves } from '../train/overrides.ts';
import { besideBicubic, counted } from '../train/words.ts';
import { writeFileAtomic } from './atomic.ts';
import { commandLine, optionsFor } from './command-line.ts';
import { htmlPage, tableHtml, text } from './page.ts';
import type { Metric, RunFolder } from './run-folder.ts';
import type { RunInfo } from './run-info.ts';

/** What a report shows beside the run's own curves. */
export interface ReportExtras {
  readonly title?: string;
  /** Instead of the last PSNR of the training. */
  readonly summary?: string;
  /** Lines of text above the pictures. */
  readonly notes?: readonly string[];
  /** A table, its head first, and what its numbers are of. */
  readonly table?: { readonly caption: string; readonly rows: readonly (readonly string[])[] };
  /** PNG files, with what they show. */
  readonly pictures?: readonly { readonly caption: string; readonly path: string }[];
}

/** Writes report.html: one file that needs nothing else, with curves, pictures, machine and settings. */
export async function writeReport(
  folder: RunFolder,
  info: RunInfo,
  { parameters }: { parameters: number },
  extras: ReportExtras = {},
): Promise<void> {
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
  const [head, ...rows] = extras.table?.rows ?? [];
  const body = `<p class="summary">${text(extras.summary ?? summary(metrics))}</p>
${(extras.notes ?? []).map((line) => `<p>${text(line)}</p>`).join('\n')}
${extras.table ? `${tableHtml(rows, { head })}<p class="quiet">${text(extras.table.caption)}</p>` : ''}
${figures.join('\n')}
<section class="plots"><div id="psnr"></div><div id="loss"></div></section>
<p class="quiet">${text(curveCaption(info))}</p>
<h2>Run</h2>
${tableHtml(run(info, metrics, parameters))}
<h2>To do it again</h2>
<pre>${text(commands(info, folder, metrics).join('\n'))}</pre>
<h2>Machine</h2>
${tableHtml(machine(info))}
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
  const iterations = counted(metrics.at(-1)?.iteration ?? 0, 'iteration');
  if (!last || !('psnr' in last)) return iterations;
  return (
    `${iterations}. On held-out frames ${last.psnr.toFixed(2)} dB, bicubic ${last.bicubic.toFixed(2)} dB: ` +
    `${besideBicubic(last.psnr - last.bicubic)}.`
  );
}

/** Which frames the curve of PSNR is about: not those of a demo's table. */
function curveCaption({ recipe: { validation }, val }: RunInfo): string {
  const frames = validation.frames > 0 ? `up to ${counted(validation.frames, 'frame')} from the middle` : 'all frames';
  const part = validation.crop > 0 ? `, the middle ${validation.crop}x${validation.crop} pixels of each` : '';
  const of = val.length > 0 ? 'of each validation clip' : 'of what is held out of each clip';
  return `The curve of PSNR: ${frames} ${of}${part}; Y, 8 pixels of border left out. The loss is that of the training crops.`;
}

function run({ history, weights, recipe }: RunInfo, metrics: readonly Metric[], parameters: number): string[][] {
  const { commit } = history[history.length - 1];
  return [
    ['network', `${recipe.net.name}, ${parameters.toLocaleString('en')} parameters`],
    ['iterations', `${metrics.at(-1)?.iteration ?? 0} of ${recipe.iterations}`],
    ['training time', trainingTime(metrics)],
    ['started from', weights ? `the weights in ${basename(weights.path)} (${weights.digest})` : `seed ${recipe.seed}`],
    ['commit', commit],
  ];
}

/** From the rates that were measured on the way. */
function trainingTime(metrics: readonly Metric[]): string {
  let [seconds, before] = [0, 0];
  for (const metric of metrics) {
    if (!('rate' in metric)) continue;
    if (metric.rate > 0) seconds += (metric.iteration - before) / metric.rate;
    before = metric.iteration;
  }
  if (seconds === 0) return 'too short to be measured';
  const minutes = Math.floor(seconds / 60);
  return `about ${minutes > 0 ? `${minutes} min ` : ''}${Math.round(seconds % 60)} s, without validation and reading of clips`;
}

function commands({ history, recipe, data, demo }: RunInfo, folder: RunFolder, metrics: readonly Metric[]): string[] {
  const legs = history.flatMap(({ command, from }) =>
    from > 0 ? [`# from iteration ${from} on:`, command] : [command],
  );
  const weights = ['--weights', folder.file('weights.safetensors')];
  const use = commandLine('upscale', 'my.mp4', '-o', 'my-large.mp4', '--net', recipe.net.name, ...weights);
  const using = ['# to use what came of it:', use];
  if (!demo) return [...legs, ...using];
  const done = metrics.at(-1)?.iteration ?? 0;
  const early = done < recipe.iterations ? ['--stop-after', String(done)] : [];
  const clips = data.map((path) => (relative('', path).startsWith('..') ? path : relative('', path)));
  const same = commandLine(
    'train',
    recipe.name,
    '--data',
    ...clips,
    '--out',
    'runs/again',
    ...optionsFor(recipe),
    ...early,
  );
  return [...legs, '# the same training, with as many iterations on a machine of any speed:', same, ...using];
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
  return [
    {
      caption: `One held-out frame after ${counted(newest, 'iteration')}; the labels give the PSNR of this frame alone`,
      path: await folder.sampleFile(newest),
    },
  ];
}
