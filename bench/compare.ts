import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError } from '../engine/errors.ts';
import type { ConvBench } from './conv.ts';
import { formName, passNames } from './conv-text.ts';
import type { NetRow } from './net-speed.ts';
import type { OpRow } from './ops.ts';
import type { OverheadRow } from './overhead.ts';
import type { Origin } from './result.ts';
import type { StepRow } from './step.ts';

/** One measurement, as it stands beside others. */
export interface Entry {
  /** Null where the engine has no such thing, or failed. */
  readonly ms: number | null;
  readonly gflops?: number;
  readonly share?: number;
}

/** What one file says of one list of items: a column of a table. */
export interface Column {
  readonly label: string;
  readonly file: string;
  /** Whose it is: subpixel's own, or another engine's. */
  readonly engine: string;
  readonly entries: ReadonlyMap<string, Entry>;
  /** Facts about device and run, for people. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Columns that have items in common. */
export interface Group {
  readonly title: string;
  readonly items: readonly string[];
  /** The first is what the others are held against. */
  readonly columns: readonly Column[];
  /** Speed-up of separable over full by setting and pass, a value for each column; only of bench conv. */
  readonly gains?: readonly {
    readonly item: string;
    readonly promised: number;
    readonly obtained: (number | null)[];
  }[];
}

type Ours = Origin & { readonly bench: string } & Record<string, unknown>;

/** A file of a shared work list, in which engines are timed side by side. */
interface PeerFile {
  readonly peer: string;
  readonly info?: Readonly<Record<string, unknown>>;
  readonly date?: string;
  readonly cpu?: string;
  readonly items: Readonly<Record<string, PeerItem | Readonly<Record<string, PeerItem>>>>;
}
interface PeerItem {
  readonly status?: string;
  readonly ms?: number;
  readonly gflops?: number;
  readonly tflops?: number;
}

const titles: Readonly<Record<string, string>> = {
  conv: 'Convolutions: separable against full',
  ops: 'Operations',
  step: 'Training steps',
  nets: 'Networks: one frame',
  overhead: 'Dispatches',
  worklist: 'Shared work list: subpixel beside other engines',
};

/**
 * Reads result files of `bench --out` and of a shared work list.
 * @throws {FormatError} naming the file that is neither
 */
export async function readResults(files: readonly string[]): Promise<Group[]> {
  const columns: { bench: string; column: Column; conv?: ConvBench }[] = [];
  /** What one engine measured in several files, some items each, is one column. */
  const add = (column: Column) => {
    const known = columns.find(({ column: { engine, label } }) => engine === column.engine && label === column.label);
    if (!known) columns.push({ bench: 'worklist', column });
    else known.column = { ...known.column, entries: new Map([...known.column.entries, ...column.entries]) };
  };
  for (const file of files) {
    const content = await parse(file);
    if ('bench' in content && content.bench in titles) {
      const conv = content.bench === 'conv' ? (content as unknown as ConvBench) : undefined;
      columns.push({ bench: content.bench, column: ourColumn(content, file), conv });
      if (content.bench === 'nets') columns.push(...peerOfNets(content.rows as NetRow[], file));
    } else if ('peer' in content && content.items) {
      for (const column of peerColumns(content as PeerFile, file)) add(column);
    } else throw new FormatError(`${file}: neither a result of subpixel bench --out nor of a shared work list`);
  }
  return Object.keys(titles)
    .map((bench) => columns.filter((c) => c.bench === bench))
    .filter((own) => own.length > 0)
    .map((own) => {
      own.sort(({ column: a }, { column: b }) => order(a).localeCompare(order(b)));
      return {
        title: titles[own[0].bench],
        items: [...new Set(own.flatMap(({ column }) => [...column.entries.keys()]))],
        columns: own.map(({ column }) => column),
        gains: own[0].bench === 'conv' ? gainsOf(own.map(({ conv }) => conv!)) : undefined,
      };
    });
}

/** Ours first, the oldest of them before the others. */
const order = ({ engine, facts }: Column): string => (engine === 'subpixel' ? `0 ${facts.date}` : `1 ${engine}`);

async function parse(file: string): Promise<Ours | PeerFile> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new FormatError(`${file}: ${(cause as Error).message}`, { cause });
  }
}

function ourColumn(result: Ours, file: string): Column {
  const { bench, device, commit, date, node, command } = result;
  const entries = new Map<string, Entry>();
  if (bench === 'conv') {
    for (const row of (result as unknown as ConvBench).rows) {
      entries.set(`${formName(row)} ${row.channels}c ${row.size.join('x')} ${passNames[row.pass]}`, row);
    }
  } else if (bench === 'ops') {
    for (const row of result.rows as OpRow[]) entries.set(`${row.op} ${row.pass} ${row.shape.join('x')}`, row);
  } else if (bench === 'step') {
    for (const row of result.rows as StepRow[]) entries.set(`${row.recipe} ${row.batch.join('x')}`, row);
  } else if (bench === 'nets') {
    for (const row of result.rows as NetRow[]) entries.set(netItem(row), row);
  } else {
    for (const row of result.rows as OverheadRow[]) entries.set(row.what, { ms: row.recordUs / 1000 });
  }
  const { gflops, copyGbs, readGbs } = device.peak;
  return {
    label: `${shortName(device.name)} ${commit ?? ''}`.trim(),
    file: basename(file),
    engine: 'subpixel',
    entries,
    facts: {
      ...{
        device: device.name,
        driver: device.description === device.name ? '' : device.description,
        processor: device.processor,
        commit: commit ?? '',
      },
      ...{ date: date.slice(0, 10), node, clock: device.clock, command },
      peak: `${gflops.toFixed(0)} GFLOP/s, ${Math.max(copyGbs, readGbs).toFixed(0)} GB/s`,
    },
  };
}

const netItem = ({ net, input }: NetRow): string => `${net} ${input.join('x')}`;

/** The same networks in another program, where the bench ran them there too. */
function peerOfNets(rows: readonly NetRow[], file: string) {
  const name = rows.find(({ peer }) => peer)?.peer?.name;
  if (!name) return [];
  const entries = new Map(rows.flatMap((row) => (row.peer ? [[netItem(row), { ms: row.peer.ms }] as const] : [])));
  return [{ bench: 'nets', column: { label: name, file: basename(file), engine: name, entries, facts: {} } }];
}

/** One column, or one for each mode where a file holds several (precision, memory layout). */
function peerColumns(result: PeerFile, file: string): Column[] {
  const modes = new Map<string, Map<string, Entry>>();
  const put = (mode: string, id: string, { ms, gflops, tflops, status }: PeerItem) => {
    if (!modes.has(mode)) modes.set(mode, new Map());
    const works = ms !== undefined && (status ?? 'ok') === 'ok';
    modes.get(mode)!.set(id, works ? { ms, gflops: gflops ?? (tflops && 1000 * tflops) } : { ms: null });
  };
  for (const [id, item] of Object.entries(result.items)) {
    if (typeof item.status === 'string' || typeof item.ms === 'number') put('', id, item as PeerItem);
    else for (const [mode, one] of Object.entries(item as Record<string, PeerItem>)) put(mode, id, one);
  }
  const info = Object.entries(result.info ?? {}).map(([key, value]) => `${key} ${value}`);
  return [...modes].map(([mode, entries]) => ({
    label: `${result.peer} ${mode}`.trim(),
    file: basename(file),
    engine: result.peer,
    entries,
    facts: { device: info.join(', '), processor: result.cpu ?? '', date: result.date?.slice(0, 10) ?? '' },
  }));
}

/** "llvmpipe", "NVIDIA H100 80GB HBM3": without versions in brackets or after a colon. */
const shortName = (name: string): string => name.split(/[:(]/)[0].trim();

function gainsOf(benches: readonly ConvBench[]): Group['gains'] {
  const name = (c: ConvBench['comparisons'][number]) =>
    `${c.k}x${c.k}x${c.k} ${c.channels}c ${c.size.join('x')} ${passNames[c.pass]}`;
  const items = new Map(benches.flatMap(({ comparisons }) => comparisons.map((c) => [name(c), c.promised] as const)));
  return [...items].map(([item, promised]) => ({
    item,
    promised,
    obtained: benches.map(({ comparisons }) => {
      const c = comparisons.find((one) => name(one) === item);
      return c ? Math.max(c.obtained, c.obtainedFused ?? 0) : null;
    }),
  }));
}

/** How many times as fast the first column is as another, on one item; undefined where either has no time. */
export function ratio({ columns }: Group, item: string, column: Column): number | undefined {
  const [first, other] = [columns[0].entries.get(item)?.ms, column.entries.get(item)?.ms];
  return first && other ? other / first : undefined;
}

/** A geometric mean over the items that both have; undefined where there is none. */
export function meanRatio(group: Group, column: Column): { ratio: number; items: number } | undefined {
  const ratios = group.items.map((item) => ratio(group, item, column)).filter((r) => r !== undefined);
  if (ratios.length === 0) return undefined;
  return { ratio: Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length), items: ratios.length };
}
