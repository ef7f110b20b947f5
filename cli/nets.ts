import type { Command } from 'commander';
import { countNet, type NetFacts } from '../bench/nets.ts';
import { writeFileAtomic } from '../io/atomic.ts';
import { silentEngine } from '../io/silent-engine.ts';
import known from '../nets/facts.json' with { type: 'json' };
import { nets } from '../nets/index.ts';
import type { Task } from '../nets/net.ts';
import { type CommonOptions, lookUp, report, shared, table } from './common.ts';

interface Options extends CommonOptions {
  readonly count?: boolean;
  readonly markdown?: boolean;
  readonly out?: string;
}

export function register(program: Command): void {
  const command = program
    .command('nets [names...]')
    .description(
      'every network: paper, parameters, arithmetic, memory, what it sees, where weights are, what was verified',
    )
    .option('--count', 'count again, in place of the numbers that come along')
    .option('--markdown', 'as a table for a README')
    .option('--out <file>', 'with --count: write the numbers as JSON')
    .action(run);
  shared(command, {
    json: true,
    examples: ['subpixel nets', 'subpixel nets duf rbpn', 'subpixel nets --json', 'subpixel nets esrgan --count'],
  });
}

/** A network and what is known of it. */
interface Row {
  readonly name: string;
  readonly title: string;
  readonly paper: string;
  readonly year: number;
  readonly task: string;
  readonly published?: { readonly parameters: number; readonly by: string };
  readonly weights: string;
  readonly verified: string;
  readonly defaults: object;
  readonly facts?: NetFacts;
}

async function run(names: string[], options: Options): Promise<void> {
  for (const name of names) lookUp('network', name, nets);
  const chosen = names.length > 0 ? names : inOrder();
  const counted = options.count ? await recount(chosen) : known;
  const rows = rowsOf(chosen, counted);
  if (options.out) await writeFileAtomic(options.out, `${JSON.stringify(counted, undefined, 2)}\n`);
  const text = options.markdown ? markdown : names.length > 0 ? details : overview;
  report(options, { nets: rows }, () => text(rows));
}

const TASKS: readonly Task[] = ['super-resolution', 'discriminator', 'features', 'flow', 'recognition'];

/** All networks: those that enlarge first, and the older before the younger. */
export const inOrder = (): string[] =>
  Object.entries(nets)
    .sort(([a, x], [b, y]) => TASKS.indexOf(x.task) - TASKS.indexOf(y.task) || x.year - y.year || a.localeCompare(b))
    .map(([name]) => name);

export const rowsOf = (names: readonly string[], facts: Readonly<Record<string, NetFacts>>): Row[] =>
  names.map((name) => {
    const { title, paper, year, task, published, weights, verified, defaults } = nets[name];
    return { name, title, paper, year, task, published, weights, verified, defaults, facts: facts[name] };
  });

async function recount(names: readonly string[]): Promise<Record<string, NetFacts>> {
  const silent = await silentEngine();
  return Object.fromEntries(names.map((name) => [name, countNet(silent, name)]));
}

// --- text

const count = (n: number): string => n.toLocaleString('en-US');
const giga = (n: number): string => {
  const value = n / 1e9;
  return count(Number(value.toPrecision(3)));
};
const memory = (bytes: number): string =>
  bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const sees = ({ task, facts }: Row): string =>
  task !== 'super-resolution' ? '' : facts?.receptive ? `${facts.receptive} x ${facts.receptive}` : 'all';
const asPublished = ({ published, facts }: Row): string => {
  if (!published || !facts) return '';
  return published.parameters === facts.parameters ? 'the same' : count(published.parameters);
};

const HEAD = ['network', 'paper', 'parameters', 'published', 'GMAC', 'memory', 'sees', 'frames'];
const NOTE = `GMAC and memory: billions of multiply-adds and device memory (weights included, plain kernels) for one picture of 1280x720
out of a network that enlarges, in one piece, and for one usual input of any other. Upscaling works in tiles and takes what
--memory allows. Sees: pixels of its input that one output pixel depends on. Frames: of its window.`;

const cells = (row: Row): string[] => {
  const { name, paper, facts } = row;
  return [
    ...[name, paper, facts ? count(facts.parameters) : '', asPublished(row)],
    ...(facts ? [giga(facts.macs), memory(facts.peakBytes)] : ['', '']),
    ...[sees(row), facts?.window ? String(facts.window) : ''],
  ];
};

const overview = (rows: readonly Row[]): string =>
  `${table([HEAD, ...rows.map(cells)])}\n\n${NOTE}\n"subpixel nets <name>" tells where weights are, what was verified and all settings.`;

function details(rows: readonly Row[]): string {
  return rows
    .map((row) => {
      const { title, paper, task, weights, verified, defaults, facts, published } = row;
      const lines = [
        ['paper', paper],
        ['task', task],
        ...(facts ? [['parameters', count(facts.parameters)]] : []),
        ...(published ? [['published', `${count(published.parameters)} (${published.by})`]] : []),
        ...(facts ? [['GMAC', giga(facts.macs)]] : []),
        ...(facts ? [['memory', memory(facts.peakBytes)]] : []),
        ...(task === 'super-resolution' ? [['sees', sees(row)]] : []),
        ['weights', weights],
        ['verified', verified],
        ['settings', JSON.stringify(defaults)],
      ];
      return `${title}\n${table(lines, 'left')}`;
    })
    .join('\n\n');
}

export function markdown(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = [...HEAD, 'weights', 'held against'];
  const body = rows.map((row) => [...cells(row), row.weights, row.verified]);
  const align = head.map((_, i) => (i >= 2 && i <= 7 ? '---:' : '---'));
  return [head, align, ...body].map(line).join('\n');
}
