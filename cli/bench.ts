import { type Command, Option } from 'commander';
import { benchConv, type ConvBench, type ConvRow, convPlan } from '../bench/conv.ts';
import { commit } from '../bench/measure.ts';
import { benchOps, type OpRow } from '../bench/ops.ts';
import { benchOverhead, type OverheadRow } from '../bench/overhead.ts';
import { measurePeak, type Peak } from '../bench/peak.ts';
import { benchStep, type StepRow } from '../bench/step.ts';
import type { Engine } from '../engine/engine.ts';
import { ops } from '../engine/ops/index.ts';
import { writeFileAtomic } from '../io/atomic.ts';
import { recipeNamed } from '../train/recipes.ts';
import { type CommonOptions, lookUp, note, openEngine, report, shared, table } from './common.ts';

interface Options extends CommonOptions {
  readonly quick?: boolean;
  readonly out?: string;
  readonly only?: string;
  readonly recipe: string;
}

/** What a bench found: its part of the JSON, and its table. */
interface Found {
  readonly json: { readonly rows: readonly object[] };
  readonly text: string;
}
type Bench = (engine: Engine, peak: Peak, options: Options) => Promise<Found>;

const benches: Readonly<Record<string, Bench>> = { conv, ops: operations, step, overhead };

export function register(program: Command): void {
  const command = program
    .command('bench <what>')
    .description(
      'measure: conv (separable against full 3D convolution), ops (every operation), step (a training step), overhead (of a dispatch)',
    )
    .option('--quick', 'fewer and smaller shapes')
    .option('--out <file>', 'also write the JSON to a file')
    .option('--only <ops>', 'bench ops: some operations, separated by commas')
    .addOption(new Option('--recipe <name>', 'bench step: whose step').default('fstrn-small'))
    .action(run);
  shared(command, {
    json: true,
    examples: ['subpixel bench conv --quick', 'subpixel bench ops --only conv3d,warp', 'subpixel bench step --json'],
  });
}

async function run(what: string, options: Options): Promise<void> {
  const bench = lookUp('bench', what, benches);
  const engine = await openEngine(options.device);
  const peak = await measurePeak(engine, { spend: options.quick ? 200 : 800 });
  const { json, text } = await bench(engine, peak, options);
  const { description, vendor, fallback, timestamps } = engine.caps;
  const clock = timestamps ? 'device' : 'host';
  const result = { device: { description, vendor, software: fallback, clock, peak }, commit: commit(), ...json };
  report(options, result, () => {
    const rates = `peak ${number(peak.gflops)} GFLOP/s, ${number(Math.max(peak.readGbs, peak.copyGbs))} GB/s`;
    return `${description}: ${rates} (measured); ${clock} clock, medians after warm-up; commit ${result.commit}\n${text}`;
  });
  if (options.out) await writeFileAtomic(options.out, `${JSON.stringify(result, null, 1)}\n`); // shown first, lest a bad name lose it
}

async function conv(engine: Engine, peak: Peak, options: Options): Promise<Found> {
  const plan = convPlan(engine.caps.fallback, options.quick ?? false);
  const found = await benchConv(engine, plan, peak.gflops, (row) => {
    if (!options.json)
      note(`${name(row)} ${row.pass}, ${row.channels} channels, ${row.size.join('x')}: ${ms(row.ms)} ms`);
  });
  return { json: found, text: convText(found) };
}

const name = ({ op, kernel }: ConvRow): string => `${op} ${kernel.join('x')}`;

function convText({ rows, speedUps }: ConvBench): string {
  const head = ['convolution', 'pass', 'C', 'T x H x W', 'M MAC', 'ms', '±', 'GFLOP/s', 'of peak', 'GB/s'];
  const lines = rows.map((row) => [
    ...[name(row), row.pass, String(row.channels), row.size.join('x'), (row.macs / 1e6).toFixed(0)],
    ...[ms(row.ms), ms((row.quartiles[1] - row.quartiles[0]) / 2)],
    ...[number(row.gflops), percent(row.share), number(row.gbs)],
  ]);
  const gains = speedUps.map((s) => [
    ...[`${s.k}x${s.k}x${s.k} against 1x${s.k}x${s.k} + ${s.k}x1x1`, s.pass, String(s.channels), s.size.join('x')],
    ...[ms(s.fullMs), ms(s.separableMs), s.promised.toFixed(2), s.promisedInside.toFixed(2), s.obtained.toFixed(2)],
  ]);
  const gainHead = ['separable', 'pass', 'C', 'T x H x W', 'full ms', 'separable ms', 'promised', 'inside', 'obtained'];
  const why =
    'promised: k³ / (k² + k); inside: the same without the taps that fall into the padding, which the kernels skip.';
  return `${table([head, ...lines])}\n\n${table([gainHead, ...gains])}\n${why}`;
}

async function operations(engine: Engine, peak: Peak, { only, quick }: Options): Promise<Found> {
  const names = only?.split(',').map((op) => op.trim());
  for (const op of names ?? []) lookUp('operation', op, ops);
  const rows = await benchOps(engine, peak, { only: names, quick });
  const line = (r: OpRow) => [
    ...[r.op, r.pass === 'forward' ? r.pass : `d_${r.pass}`, r.shape.join('x') || '1', ms(r.ms)],
    ...[number(r.gflops), number(r.gbs), percent(r.share)],
  ];
  const head = ['operation', 'pass', 'result', 'ms', 'GFLOP/s', 'GB/s', 'of peak'];
  return { json: { rows }, text: `${table([head, ...rows.map(line)])}\nOver 100 %: these arrays lie in caches.` };
}

async function step(engine: Engine, peak: Peak, { recipe, quick }: Options): Promise<Found> {
  const row: StepRow = await benchStep(engine, recipeNamed(recipe), peak, quick ? 3 : 10);
  const facts = [
    ['recipe', `${row.recipe}, ${row.parameters} parameters, batch ${row.batch.join('x')}`],
    ['a step', `${ms(row.ms)} ms, ${number(row.samplesPerSecond)} samples a second`],
    ['rate', `${number(row.gflops)} GFLOP/s, ${percent(row.share)} of the peak`],
    ['memory', `${(row.peakBytes / 2 ** 20).toFixed(0)} MiB at most`],
  ];
  return { json: { rows: [row] }, text: table(facts, 'left') };
}

async function overhead(engine: Engine): Promise<Found> {
  const rows = await benchOverhead(engine);
  const line = ({ what, recordUs, totalUs }: OverheadRow) => [what, recordUs.toFixed(1), totalUs.toFixed(1)];
  const head = ['dispatch', 'recording µs', 'in all µs'];
  return { json: { rows }, text: table([head, ...rows.map(line)]) };
}

const number = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
const ms = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 1 ? n.toFixed(2) : n.toFixed(3));
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
