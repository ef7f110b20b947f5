import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readResults } from '../bench/compare.ts';
import { compareMarkdown, comparePage } from '../bench/compare-page.ts';
import { benchConv, type ConvPlan, convPlan } from '../bench/conv.ts';
import { convPage } from '../bench/conv-page.ts';
import { comparisonTable, headline, rowTable } from '../bench/conv-text.ts';
import { margin, milliseconds, number, percent } from '../bench/format.ts';
import { benchNet, type NetRow } from '../bench/net-speed.ts';
import { openOnnxRuntime } from '../bench/onnx-peer.ts';
import { benchOps, type OpRow } from '../bench/ops.ts';
import { benchOverhead, type OverheadRow } from '../bench/overhead.ts';
import { measurePeak, type Peak } from '../bench/peak.ts';
import { type Origin, originOf, resultText } from '../bench/result.ts';
import { benchStep, type StepRow } from '../bench/step.ts';
import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../engine/errors.ts';
import { ops } from '../engine/ops/index.ts';
import { writeFileAtomic } from '../io/atomic.ts';
import { projectFolder } from '../io/folders.ts';
import { srNets } from '../nets/index.ts';
import { type Recipe, recipeNamed, recipes } from '../train/recipes.ts';
import { type CommonOptions, lookUp, openEngine, packageVersion, report, shared, table } from './common.ts';
import { startProgress } from './progress.ts';

interface Options extends CommonOptions {
  readonly quick?: boolean;
  readonly out?: string;
}

interface NetOptions extends Options {
  readonly only?: string[];
  readonly onnxruntime?: string;
}

interface ConvOptions extends Options, Partial<Omit<ConvPlan, 'effort'>> {
  readonly html?: string;
}

/** What a bench found: its part of the JSON, its table, and a page where it has one. */
interface Found {
  readonly json: { readonly rows: readonly object[] };
  readonly text: string;
  page?(origin: Origin): Promise<string>;
}

interface Work {
  readonly engine: Engine;
  readonly peak: Peak;
  /** Is told the share of the work that is done. */
  readonly onProgress: (share: number) => void;
}

const resultsFolder = join(projectFolder, 'bench/results');

export function register(program: Command): void {
  const bench = program
    .command('bench')
    .description(
      'measure: conv (separable against full 3D convolution), ops, step, nets, overhead; compare what was measured',
    )
    .addHelpText('after', '\nExamples:\n  $ subpixel bench conv --html report.html\n  $ subpixel bench step --help');

  const conv = measuring(
    bench,
    'conv',
    'separable against full 3D convolution: what arithmetic promises, what is obtained, and why',
  )
    .option('--channels <list>', 'such as 16,64', wholeNumbers)
    .option('--frames <list>', 'such as 5', wholeNumbers)
    .option('--sizes <list>', 'height and width, such as 36,48 or 180x320', sizes)
    .option('--kernels <list>', 'odd sizes of kernels, such as 3,5,7', oddNumbers)
    .option('--html <file>', 'also write a page with plots and explanations')
    .action((options: ConvOptions) => run('conv', options, (work) => convolutions(work, options)));
  shared(conv, {
    json: true,
    examples: [
      'subpixel bench conv --html report.html',
      'subpixel bench conv --channels 32 --kernels 3 --sizes 180x320',
    ],
  });

  const operations = measuring(bench, 'ops', 'every operation, forward and every gradient')
    .option('--only <ops>', 'some operations, separated by commas', operationNames)
    .action((options: Options & { only?: string[] }) => run('ops', options, (work) => everyOp(work, options)));
  shared(operations, { json: true, examples: ['subpixel bench ops --quick', 'subpixel bench ops --only conv3d,warp'] });

  const step = measuring(bench, 'step', 'training steps of a recipe: time, rate, memory')
    .addOption(
      new Option('--recipe <names>', 'whose step, or several separated by commas, or all')
        .argParser(recipesNamed)
        .default([recipes['fstrn-small']], 'fstrn-small'),
    )
    .action((options: Options & { recipe: Recipe[] }) => run('step', options, (work) => steps(work, options)));
  shared(step, {
    json: true,
    examples: ['subpixel bench step', 'subpixel bench step --recipe fstrn-small,fstrn --json'],
  });

  const networks = measuring(bench, 'nets', 'every network that enlarges: seconds for a megapixel that comes out')
    .option('--only <nets>', 'some networks, separated by commas', (text: string) => {
      const names = text.split(',').map((name) => name.trim());
      for (const name of names) lookUp('network', name, srNets);
      return names;
    })
    .option('--onnxruntime <package>', 'also run them as ONNX in onnxruntime-node on the processor: its name or folder')
    .action((options: NetOptions) => run('nets', options, (work) => everyNet(work, options)));
  shared(networks, { json: true, examples: ['subpixel bench nets --quick', 'subpixel bench nets --only vdsr,esrgan'] });

  const overhead = measuring(
    bench,
    'overhead',
    'microseconds of JavaScript for a dispatch, recorded and replayed',
  ).action((options: Options) => run('overhead', options, dispatches));
  shared(overhead, { json: true, examples: ['subpixel bench overhead'] });

  bench
    .command('compare [files...]')
    .description('put result files side by side, those of a shared work list too: README.md and a page with plots')
    .option('--out <folder>', 'where to write README.md and index.html', resultsFolder)
    .addHelpText(
      'after',
      '\nExamples:\n  $ subpixel bench compare\n  $ subpixel bench compare a.json b.json --out /tmp/ab',
    )
    .action(compareFiles);
}

const measuring = (bench: Command, name: string, description: string): Command =>
  bench
    .command(name)
    .description(description)
    .option('--quick', 'less of it, and less exactly')
    .option('--out <file>', 'also write the JSON to a file, as for bench compare');

async function run(what: string, options: ConvOptions, bench: (work: Work) => Promise<Found>): Promise<void> {
  const engine = await openEngine(options.device);
  const peak = await measurePeak(engine, { spend: options.quick ? 200 : 800 });
  const progress = startProgress(`bench ${what}`, 100, '%');
  const onProgress = (share: number) => progress.update(Math.floor(100 * share));
  const { json, text, page } = await bench({ engine, peak, onProgress }).finally(() => progress.stop());
  const origin = originOf(engine, peak, process.argv.slice(2).join(' '));
  const result = { bench: what, ...origin, ...json };
  report(options, result, () => `${heading(origin)}\n${text}`);
  // Shown first, lest a bad name lose it.
  if (options.out) await writeFileAtomic(options.out, resultText(result));
  if (options.html && page) await writeFileAtomic(options.html, await page(origin));
}

function heading({ device, commit }: Origin): string {
  const { name, clock, peak } = device;
  const rates = `peak ${number(peak.gflops)} GFLOP/s, ${number(Math.max(peak.readGbs, peak.copyGbs))} GB/s`;
  return `${name}: ${rates} (measured now); ${clock} clock, medians after warm-up; commit ${commit}`;
}

async function convolutions({ engine, peak, onProgress }: Work, options: ConvOptions): Promise<Found> {
  const usual = convPlan(engine.caps.fallback, options.quick ?? false);
  const { channels = usual.channels, frames = usual.frames, sizes = usual.sizes, kernels = usual.kernels } = options;
  const plan: ConvPlan = { channels, frames, sizes, kernels, effort: usual.effort };
  const found = await benchConv(engine, plan, peak, onProgress);
  const meaning =
    'promised: k³ / (k² + k); inside: without the taps that fall into the padding; by kernels: by the multiplications that the kernels\n' +
    'do (Winograd does fewer, and may pass the peak, as GFLOP/s count the direct algorithm). The last columns are the parts of the\n' +
    'separable time by which it differs from the promise, negative where they helped; --html explains each of them.';
  return {
    json: found,
    text: `${table(rowTable(found))}\n\n${table(comparisonTable(found))}\n${meaning}\n\n${headline(found)}`,
    page: (origin) => convPage(found, origin),
  };
}

async function everyOp(
  { engine, peak, onProgress }: Work,
  { only, quick }: Options & { only?: string[] },
): Promise<Found> {
  const rows = await benchOps(engine, peak, { only, quick, onProgress });
  const line = (r: OpRow) => [
    ...[
      r.op,
      r.pass === 'forward' ? r.pass : `d_${r.pass}`,
      r.shape.join('x') || '1',
      milliseconds(r.ms),
      margin(r.margin),
    ],
    ...[number(r.gflops), number(r.gbs), percent(r.share)],
  ];
  const head = ['operation', 'pass', 'result', 'ms', '±', 'GFLOP/s', 'GB/s', 'of peak'];
  return {
    json: { rows },
    text: `${table([head, ...rows.map(line)])}\nOver 100 %: these arrays lie in caches, or Winograd did with fewer multiplications than are counted.`,
  };
}

async function steps(
  { engine, peak, onProgress }: Work,
  { recipe: chosen, quick }: Options & { recipe: Recipe[] },
): Promise<Found> {
  const rows: StepRow[] = [];
  for (const [i, one] of chosen.entries()) {
    rows.push(await benchStep(engine, one, peak, quick ? { least: 3, spend: 0 } : undefined));
    onProgress((i + 1) / chosen.length);
  }
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const line = (row: StepRow) => [
    ...[row.recipe, String(row.parameters), row.batch.join('x'), milliseconds(row.ms), margin(row.margin)],
    ...[number(row.samplesPerSecond), number(row.gflops), percent(row.share)],
    ...[mib(row.peakBytes), `${mib(row.liveBytes[0])}, ${mib(row.liveBytes[1])}`],
  ];
  const head = [
    'recipe',
    'parameters',
    'batch',
    'ms',
    '±',
    'samples/s',
    'GFLOP/s',
    'of peak',
    'peak MiB',
    'live before, after',
  ];
  return { json: { rows }, text: table([head, ...rows.map(line)]) };
}

async function everyNet({ engine, peak, onProgress }: Work, options: NetOptions): Promise<Found> {
  const { only, quick, onnxruntime } = options;
  const peer = onnxruntime === undefined ? undefined : openOnnxRuntime(onnxruntime, packageVersion());
  const names = only ?? Object.keys(srNets);
  const rows: NetRow[] = [];
  for (const [i, name] of names.entries()) {
    rows.push(await benchNet(engine, name, peak, quick ? { least: 1, spend: 0 } : { least: 5, spend: 2000 }, peer));
    onProgress((i + 1) / names.length);
  }
  const line = (r: NetRow) => [
    ...[r.net, r.input.join('x'), r.output.join('x'), milliseconds(r.ms), margin(r.margin)],
    ...[r.secondsPerMegapixel.toFixed(2), number(r.gflops), percent(r.share), (r.peakBytes / 2 ** 20).toFixed(0)],
    ...(r.peer ? [milliseconds(r.peer.ms), `${r.peer.ratio.toFixed(2)}x`, r.peer.difference.toExponential(0)] : []),
  ];
  const head = ['network', 'input', 'output', 'ms', '±', 's/Mpixel', 'GFLOP/s', 'of peak', 'peak MiB'];
  const more = peer ? ['peer ms', 'peer / ours', 'difference'] : [];
  const note = peer ? `\npeer: ${peer.name}` : '';
  return { json: { rows }, text: `${table([[...head, ...more], ...rows.map(line)])}${note}` };
}

async function dispatches({ engine, onProgress }: Work): Promise<Found> {
  const rows = await benchOverhead(engine, { onProgress });
  const line = (r: OverheadRow) => [
    ...[r.what, r.recordUs.toFixed(2), margin(r.recordMargin), r.totalUs.toFixed(2), margin(r.totalMargin)],
  ];
  const head = ['dispatch', 'JavaScript µs', '±', 'in all µs', '±'];
  return { json: { rows }, text: table([head, ...rows.map(line)]) };
}

/** Files side by side; those of the repository if none are named. */
async function compareFiles(named: readonly string[], { out }: { out: string }): Promise<void> {
  const stored = async () => {
    const names = await readdir(resultsFolder).catch(() => []);
    return names
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(resultsFolder, name))
      .sort();
  };
  const files = named.length > 0 ? named : await stored();
  if (files.length === 0) throw new UsageError('no result files: make some with subpixel bench conv --out conv.json');
  const groups = await readResults(files);
  await mkdir(out, { recursive: true });
  await writeFileAtomic(join(out, 'README.md'), compareMarkdown(groups));
  await writeFileAtomic(join(out, 'index.html'), await comparePage(groups));
  process.stdout.write(`${join(out, 'README.md')}\n${join(out, 'index.html')}\n`);
}

// --- lists as commander parses them

function operationNames(text: string): string[] {
  const names = text.split(',').map((op) => op.trim());
  for (const name of names) lookUp('operation', name, ops);
  return names;
}

const recipesNamed = (text: string): Recipe[] =>
  text === 'all' ? Object.values(recipes) : text.split(',').map((name) => recipeNamed(name.trim()));

function wholeNumbers(text: string): number[] {
  return text.split(',').map((part) => {
    const n = Number(part);
    if (!Number.isSafeInteger(n) || n < 1)
      throw new InvalidArgumentError(`expected whole numbers such as 16,64, got "${text}"`);
    return n;
  });
}

function oddNumbers(text: string): number[] {
  const list = wholeNumbers(text);
  if (list.some((n) => n % 2 === 0))
    throw new InvalidArgumentError(`expected odd numbers such as 3,5,7, got "${text}"`);
  return list;
}

function sizes(text: string): (readonly [number, number])[] {
  return text.split(',').map((part) => {
    const [height, width = height, ...rest] = part.split('x').flatMap(wholeNumbers);
    if (rest.length > 0) throw new InvalidArgumentError(`expected sizes such as 48 or 180x320, got "${part}"`);
    return [height, width] as const;
  });
}
