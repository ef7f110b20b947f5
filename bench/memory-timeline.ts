import type { Place } from '../engine/commands.ts';
import type { Engine, MemoryWatcher } from '../engine/engine.ts';
import { shapeText } from '../engine/errors.ts';
import type { Block } from '../engine/memory.ts';
import type { Shape, Storage, Tensor } from '../engine/tensor.ts';

/**
 * What memory is for. Batch: what is written by the host in each step, in memory that stays. Activations: what the forward
 * pass leaves for the backward pass. Temporaries: all that dies sooner. Other: tables, and what the engine itself has.
 */
export const CATEGORIES = [
  'parameters',
  'optimizer',
  'gradients',
  'batch',
  'activations',
  'temporaries',
  'other',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** A tensor, or scratch memory, or tensors that lie in one buffer. Moments count the dispatches recorded before them. */
export interface Held {
  /** A parameter's name, or the op that made it with layer and shape. */
  readonly name: string;
  /** Tensors with names of their own, and their bytes. */
  readonly parts: ReadonlyMap<string, number>;
  readonly category: Category;
  readonly shape: Shape | undefined;
  /** What kernels bind, and what the pool took for it. */
  readonly bytes: number;
  readonly blockBytes: number;
  /** What was at work when it was made. */
  readonly place: Readonly<Place>;
  /** Lives from `born` until `freed`: dispatch i may see it if born <= i < freed. -1: since before the step. */
  readonly born: number;
  readonly freed: number;
  /** The first and the last dispatch that binds it. */
  readonly uses: readonly [first: number, last: number] | undefined;
  /** There before the step and after it, with values that count. */
  readonly stays: boolean;
}

/** Bytes of blocks by what they are for. */
export type ByCategory = Readonly<Record<Category, number>>;

/** Live memory from some moment on. */
export interface MemoryPoint {
  readonly at: number;
  readonly live: number;
  readonly by: ByCategory;
}

/** All device memory of one step. */
export interface MemoryTimeline {
  readonly dispatches: number;
  readonly held: readonly Held[];
  /** What is live before the step without anyone having told of it. */
  readonly baseBytes: number;
  /** Before the step and after it. */
  readonly liveBytes: readonly [before: number, after: number];
  /** After every dispatch at most two: the highest since the one before, and what the next one meets. */
  readonly points: readonly MemoryPoint[];
  /** The highest, with all that lived then. */
  readonly peak: MemoryPoint & { readonly alive: readonly Held[] };
  readonly liveness: Liveness;
}

/** The least that a step needs if each tensor lived from its first use to its last, in exactly its bytes. */
export interface Liveness {
  readonly bytes: number;
  /** The dispatch that needs so much. */
  readonly at: number;
}

type Mutable = { -readonly [K in keyof Held]: Held[K] };
interface Event {
  readonly at: number;
  readonly entry: Held;
  readonly bytes: number;
}

/**
 * Follows the device memory of an engine from here on. What lives between `begin` and `end` is a step.
 * `using log = new MemoryLog(engine)`, before what is to be followed is built.
 */
export class MemoryLog implements MemoryWatcher {
  readonly #alive = new Map<Block, Mutable>(); // by block, as slices of a storage are storages too
  readonly #baseBytes: number;
  #entries: Mutable[] = [];
  /** There before the step, but the step begins by writing it. */
  #fed = new Set<Mutable>();
  #events: Event[] = [];
  #dispatches = 0;
  #before = 0;
  #phase = '';
  #parameters: () => Iterable<[string, Tensor]> = () => [];

  constructor(readonly engine: Engine) {
    this.#baseBytes = engine.memory.stats().live;
    engine.watcher = this;
  }

  /** Names what stays, and through the parameters their gradients. */
  name(parameters: () => Iterable<[string, Tensor]>, slots: Iterable<[string, Tensor]>): void {
    this.#parameters = parameters;
    for (const [name, tensor] of parameters()) this.#call(tensor, 'parameters', name);
    for (const [name, tensor] of slots) this.#call(tensor, 'optimizer', name);
  }

  begin(): void {
    this.#events = [];
    this.#dispatches = 0;
    this.#phase = '';
    this.#before = this.engine.memory.stats().live;
    for (const [block, { category, ...entry }] of this.#alive) {
      const named = category === 'parameters' || category === 'optimizer' || category === 'gradients';
      this.#alive.set(block, { ...entry, category: named ? category : 'other', born: -1, uses: undefined });
    }
    this.#fed.clear();
    this.#entries = [...this.#alive.values()];
  }

  end(): MemoryTimeline {
    const staying = new Set<Held>(this.#alive.values());
    for (const entry of this.#fed) entry.category = 'batch';
    for (const entry of this.#entries) {
      const values = entry.category !== 'gradients' && entry.category !== 'batch';
      entry.stays = entry.born < 0 && staying.has(entry) && values;
      entry.freed = Math.min(entry.freed, this.#dispatches);
    }
    const points = this.#points();
    const highest = points.reduce((a, b) => (b.live > a.live ? b : a));
    return {
      dispatches: this.#dispatches,
      held: this.#entries,
      baseBytes: this.#baseBytes,
      liveBytes: [this.#before, this.engine.memory.stats().live],
      points: thinned(points),
      peak: { ...highest, alive: this.#aliveAfter(points.indexOf(highest)) },
      liveness: liveness(this.#entries, this.#dispatches, this.#baseBytes),
    };
  }

  allocated(storage: Storage, shape?: Shape): void {
    const place = { ...this.engine.at };
    const entry: Mutable = {
      ...{ name: nameOf(place, shape), parts: new Map(), category: 'temporaries', shape, place },
      ...{ stays: false, uses: undefined },
      ...{ bytes: storage.bytes, blockBytes: storage.block.bytes },
      ...{ born: this.#dispatches, freed: Number.POSITIVE_INFINITY },
    };
    this.#alive.set(storage.block, entry);
    this.#entries.push(entry);
    this.#events.push({ at: this.#dispatches, entry, bytes: entry.blockBytes });
  }

  released(storage: Storage): void {
    const entry = this.#alive.get(storage.block);
    if (!entry) return; // older than this log
    this.#alive.delete(storage.block);
    entry.freed = this.#dispatches;
    this.#events.push({ at: this.#dispatches, entry, bytes: -entry.blockBytes });
  }

  used(storages: readonly Storage[]): void {
    const { phase } = this.engine.at;
    if (phase !== this.#phase) this.#enter(phase);
    for (const { block } of storages) {
      const entry = this.#alive.get(block);
      if (entry?.born === -1 && !entry.uses && phase === '') this.#fed.add(entry);
      if (entry) entry.uses = [entry.uses?.[0] ?? this.#dispatches, this.#dispatches];
    }
    this.#dispatches++;
  }

  [Symbol.dispose](): void {
    if (this.engine.watcher === this) this.engine.watcher = undefined;
  }

  #enter(phase: string): void {
    if (phase === 'backward') {
      for (const entry of this.#alive.values()) {
        if (entry.category === 'temporaries' && entry.place.phase !== 'backward') entry.category = 'activations';
      }
    }
    if (this.#phase === 'backward') {
      for (const [name, { grad }] of this.#parameters()) if (grad) this.#call(grad, 'gradients', `d ${name}`);
    }
    this.#phase = phase;
  }

  #call({ storage, bytes }: Tensor, category: Category, partName: string): void {
    const entry = this.#alive.get(storage.block);
    if (!entry) return;
    const parts = new Map([...entry.parts, [partName, bytes]]);
    const [first] = parts.keys();
    const name = parts.size === 1 ? first : `${parts.size} in one: ${first}, ...`;
    Object.assign(entry, { category, parts, name });
  }

  /** One before the first event, and one after each. */
  #points(): MemoryPoint[] {
    const by: Record<Category, number> = { ...none, other: this.#baseBytes };
    for (const { born, category, blockBytes } of this.#entries) if (born < 0) by[category] += blockBytes;
    const point = (at: number) => ({ at, live: CATEGORIES.reduce((sum, c) => sum + by[c], 0), by: { ...by } });
    const first = point(0);
    const later = this.#events.map(({ at, entry, bytes }) => {
      by[entry.category] += bytes;
      return point(at);
    });
    return [first, ...later];
  }

  /** What lives after so many events. */
  #aliveAfter(events: number): Held[] {
    const alive = new Set<Held>(this.#entries.filter(({ born }) => born < 0));
    for (const { entry, bytes } of this.#events.slice(0, events)) {
      if (bytes > 0) alive.add(entry);
      else alive.delete(entry);
    }
    return [...alive].sort((a, b) => b.blockBytes - a.blockBytes);
  }
}

const none: ByCategory = {
  parameters: 0,
  optimizer: 0,
  gradients: 0,
  batch: 0,
  activations: 0,
  temporaries: 0,
  other: 0,
};

function nameOf({ op, layer }: Place, shape: Shape | undefined): string {
  return [op || 'host data', layer, shape ? shapeText(shape) : 'scratch'].filter(Boolean).join(' ');
}

/** The least memory that a list of dispatches needs: tensors from first to last use, and always what stays. */
export function liveness(held: readonly Held[], dispatches: number, baseBytes: number): Liveness {
  const change = new Array<number>(dispatches + 1).fill(0);
  let staying = baseBytes;
  for (const { bytes, stays, uses } of held) {
    if (stays) staying += bytes;
    else if (uses) {
      change[uses[0]] += bytes;
      change[uses[1] + 1] -= bytes;
    }
  }
  let [live, most, at] = [staying, staying, 0];
  for (let i = 0; i < dispatches; i++) {
    live += change[i];
    if (live > most) [most, at] = [live, i];
  }
  return { bytes: most, at };
}

/** A tensor at the peak, and whether anything needs it just then. */
export interface AtPeak extends Held {
  /** The dispatch that used it last before, or uses it first after the peak; undefined if it is in use. */
  readonly idle?: { readonly since?: number; readonly until?: number };
}

/** Why the peak is above what liveness needs: bytes in use at that moment, bytes of tensors that nothing needs then, and slack. */
export interface PeakExplained {
  readonly tensors: readonly AtPeak[];
  readonly usedBytes: number;
  readonly idleBytes: number;
  /** What blocks are larger than their tensors. */
  readonly slackBytes: number;
  /** Peak over liveness. */
  readonly ratio: number;
}

/** usedBytes + idleBytes + slackBytes are the peak. */
export function explainPeak({
  peak,
  liveness: { bytes: needed },
  dispatches,
  baseBytes,
}: MemoryTimeline): PeakExplained {
  const at = Math.min(peak.at, dispatches - 1);
  const tensors = peak.alive.map((held): AtPeak => {
    const { stays, uses } = held;
    if (stays || (uses && uses[0] <= at && at <= uses[1])) return held;
    return { ...held, idle: uses ? (uses[1] < at ? { since: uses[1] } : { until: uses[0] }) : {} };
  });
  const sum = (list: readonly AtPeak[]) => list.reduce((bytes, held) => bytes + held.bytes, 0);
  const idleBytes = sum(tensors.filter(({ idle }) => idle));
  const usedBytes = baseBytes + sum(tensors) - idleBytes;
  return { tensors, usedBytes, idleBytes, slackBytes: peak.live - usedBytes - idleBytes, ratio: peak.live / needed };
}

/** Of the points between two dispatches the highest and the last. */
function thinned(points: readonly MemoryPoint[]): MemoryPoint[] {
  const kept: MemoryPoint[] = [];
  for (let from = 0; from < points.length; ) {
    let to = from;
    let highest = from;
    for (; to < points.length && points[to].at === points[from].at; to++)
      if (points[to].live > points[highest].live) highest = to;
    if (highest < to - 1) kept.push(points[highest]);
    kept.push(points[to - 1]);
    from = to;
  }
  return kept;
}
