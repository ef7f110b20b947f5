import { ShapeError, SubpixelError, UsageError } from '../../engine/errors.ts';
import type { Attributes, Call, Trace, Value } from './trace.ts';

/** Samples, frames, rows, columns. */
export type Axis = 'n' | 't' | 'h' | 'w';
export type Sizes = Readonly<Record<Axis, number>>;

/** What follows from the size s of one axis: scale·s + step·⌊(s + shift) / multiple⌋ + offset, all whole numbers. */
export interface Rule {
  readonly axis: Axis;
  readonly scale: number;
  readonly step: number;
  readonly shift: number;
  readonly multiple: number;
  readonly offset: number;
}

/** A whole number that follows from the sizes of the input. Rules of several axes are multiplied, and divided by `over`. */
export class Size {
  constructor(
    readonly rules: readonly Rule[],
    readonly over = 1,
  ) {}

  at(sizes: Sizes): number {
    return this.rules.reduce((product, rule) => product * follow(rule, sizes[rule.axis]), 1) / this.over;
  }

  /** The axis whose size this is, if it is one unchanged. */
  get axis(): Axis | undefined {
    const [{ axis, scale, step, offset }] = this.rules;
    return this.rules.length === 1 && scale === 1 && step === 0 && offset === 0 ? axis : undefined;
  }

  /** h, 4h, or a longer expression: equal sizes have equal names. */
  get text(): string {
    const text = this.rules.map(({ axis, scale, step, shift, multiple, offset }) => {
      const times = (n: number, of: string) => (n === 0 ? [] : [n === 1 ? of : `${n}${of}`]);
      const shifted = shift === 0 ? axis : `(${axis}+${shift})`;
      const terms = [...times(scale, axis), ...times(step, `floor(${shifted}/${multiple})`)];
      return [...terms, ...(offset === 0 ? [] : [offset])].join('+');
    });
    return text.length === 1 ? text[0] : `(${text.join(')*(')})/${this.over}`;
  }
}

const follow = ({ scale, step, shift, multiple, offset }: Rule, s: number): number =>
  scale * s + step * Math.floor((s + shift) / multiple) + offset;

/** A network for all sizes of its free axes. */
export interface Program {
  /** As it ran at `sizes`. */
  readonly trace: Trace;
  readonly sizes: Sizes;
  readonly free: readonly Axis[];
  /** The calls, with a Size in the place of numbers in attributes that follow from the free axes. */
  readonly calls: readonly Call[];
  /** Which axes of each value differ from size to size. */
  readonly varies: readonly (readonly boolean[])[];
  /** Shapes of the inputs and of values that the network makes up: numbers, and Sizes. */
  readonly shapes: ReadonlyMap<number, readonly (number | Size)[]>;
  /** Sizes of the result, where they are known to follow from the input's. */
  readonly result: readonly (Size | undefined)[];
  /** Why axes that might have been free are not. */
  readonly reasons: ReadonlyMap<Axis, string>;
}

/**
 * Sizes are primes: what a network does only at some sizes, such as padding to a multiple, it does at these. Twice a prime is
 * among them, as odd sizes alone do not tell what is rounded to even ones.
 */
const SAMPLES = [17, 19, 23, 29, 34, 37, 53, 67, 74, 97, 131, 134, 197, 257, 263];
const FEW = [2, 3, 5];
/** Sizes to begin with, small ones first: networks with many pools have no result for the smallest. */
export const STARTS: readonly (readonly [h: number, w: number])[] = [
  [17, 19],
  [67, 53],
  [131, 197],
];
/** Strides and pools of networks round to these. */
const MULTIPLES = [2, 3, 4, 5, 6, 7, 8, 12, 14, 16, 24, 28, 32, 64, 128];

class Fixed extends SubpixelError {
  constructor(
    readonly axis: Axis,
    reason: string,
  ) {
    super(reason);
  }
}

/**
 * Runs a network at several sizes and finds what follows from them. An axis at which it does other ops from size to size,
 * or that something follows from in a way not known here, is fixed at its first size.
 * @param run traces it at these sizes @param start sizes to begin with @param candidates axes that may be free
 */
export function generalise(run: (sizes: Sizes) => Trace, start: Sizes, candidates: readonly Axis[]): Program {
  const reasons = new Map<Axis, string>();
  const trace = run(start);
  let free = [...candidates];
  for (;;) {
    try {
      return { ...combined(run, trace, start, free), trace, sizes: start, free, reasons };
    } catch (error) {
      if (!(error instanceof Fixed)) throw error;
      reasons.set(error.axis, error.message);
      free = free.filter((axis) => axis !== error.axis);
    }
  }
}

interface Probe {
  readonly sizes: Sizes;
  readonly trace: Trace;
}

function combined(run: (sizes: Sizes) => Trace, trace: Trace, start: Sizes, free: readonly Axis[]) {
  const base: Probe = { sizes: start, trace };
  const probes = new Map(free.map((axis) => [axis, probe(run, base, axis)]));
  const all = Object.fromEntries(free.map((axis) => [axis, probes.get(axis)!.at(-1)!.sizes[axis]]));
  const everything = { ...start, ...all };
  const joint: Probe = free.length > 0 ? { sizes: everything, trace: tried(run, everything, free[0]) } : base;
  sameCourse(trace, joint.trace, free[0]);

  /** A number of the trace, as it follows from the free axes. */
  const express = (what: string, pick: (trace: Trace) => number): number | Size => {
    const value = pick(trace);
    const moved = free.filter((axis) => probes.get(axis)!.some((probe) => pick(probe.trace) !== value));
    const rules = moved.map((axis): Rule => {
      const samples = [base, ...probes.get(axis)!].map((probe): Sample => [probe.sizes[axis], pick(probe.trace)]);
      const rule = ruleOf(axis, samples);
      if (!rule) throw new Fixed(axis, `${what} follows from it in a way that is not known`);
      return rule;
    });
    const size = new Size(rules, value ** Math.max(rules.length - 1, 0));
    const expected = rules.length > 0 ? size.at(joint.sizes) : value;
    if (expected !== pick(joint.trace)) {
      throw new Fixed(moved[0] ?? free[0], `${what} follows from several sizes in a way that is not known`);
    }
    return rules.length > 0 ? size : value;
  };

  const others = [...[...probes.values()].flat(), joint].map((probe) => probe.trace);
  const varies = trace.values.map(({ id, shape }) =>
    shape.map((n, axis) => others.some((other) => other.values[id].shape[axis] !== n)),
  );
  const calls = trace.calls.map((call, i): Call => {
    const walk = (value: unknown, path: string, pick: (trace: Trace) => unknown): unknown => {
      if (typeof value === 'number') return express(`${call.op}'s ${path}`, (t) => pick(t) as number);
      if (!Array.isArray(value)) return value;
      return value.map((item, k) => walk(item, path, (t) => (pick(t) as unknown[])[k]));
    };
    const attrs = Object.entries(call.attrs).map(([name, value]) => [
      name,
      walk(value, name, (t) => t.calls[i].attrs[name]),
    ]);
    return { ...call, attrs: Object.fromEntries(attrs) as Attributes };
  });
  const described = trace.values.filter(({ id, data }) => trace.inputs.includes(id) || data);
  const shapes = new Map(
    described.map(({ id, shape }) => [
      id,
      shape.map((_, axis) => express('the shape of a value that it makes up', (t) => t.values[id].shape[axis])),
    ]),
  );
  for (const value of described) if (!trace.inputs.includes(value.id)) sameValues(value, others, free);
  const result = trace.values[trace.output].shape.map((_, axis) => {
    try {
      const size = express('the result', (t) => t.values[t.output].shape[axis]);
      return size instanceof Size ? size : undefined;
    } catch (error) {
      if (error instanceof Fixed) return undefined;
      throw error;
    }
  });
  return { calls, varies, shapes, result };
}

/** Traces at other sizes of one axis. @throws {Fixed} when the network does not run there, or runs in another way */
function probe(run: (sizes: Sizes) => Trace, { sizes, trace }: Probe, axis: Axis): Probe[] {
  const list = axis === 'n' || axis === 't' ? FEW.map((n) => sizes[axis] + n - 1) : SAMPLES;
  return list
    .filter((size) => size > sizes[axis])
    .map((size) => {
      const there = { ...sizes, [axis]: size };
      const other = tried(run, there, axis);
      sameCourse(trace, other, axis);
      return { sizes: there, trace: other };
    });
}

function tried(run: (sizes: Sizes) => Trace, sizes: Sizes, axis: Axis): Trace {
  try {
    return run(sizes);
  } catch (error) {
    if (!(error instanceof ShapeError || error instanceof UsageError)) throw error;
    throw new Fixed(axis, error.message);
  }
}

/** @throws {Fixed} unless two traces differ in numbers alone */
function sameCourse(one: Trace, other: Trace, axis: Axis): void {
  const course = ({ calls, values, output }: Trace) =>
    JSON.stringify([
      calls.map(({ op, inputs, attrs, output }) => [op, inputs, Object.entries(attrs).map(form), output]),
      values.map(({ shape, data }) => [shape.length, data !== undefined]),
      output,
    ]);
  if (course(one) !== course(other)) throw new Fixed(axis, 'the network does other steps at another size');
}

const form = (value: unknown): unknown =>
  typeof value === 'number' ? 'number' : Array.isArray(value) ? value.map(form) : value;

/** @throws {Fixed} when what a network makes up depends on sizes, other than a field of equal numbers */
function sameValues({ id, data }: Value, others: readonly Trace[], free: readonly Axis[]): void {
  const uniform = data!.every((v) => v === data![0]);
  for (const { values } of others) {
    const other = values[id].data!;
    if (other === data) continue; // a parameter
    const same = uniform
      ? other.every((v) => v === data![0])
      : other.length === data!.length && other.every((v, i) => v === data![i]);
    if (!same) throw new Fixed(free[0], 'the network computes a table from it');
  }
}

type Sample = readonly [s: number, v: number];

/** The rule behind samples of one axis. */
function ruleOf(axis: Axis, samples: readonly Sample[]): Rule | undefined {
  const plain = { axis, step: 0, shift: 0, multiple: 1 };
  const [[s0, v0], [s1, v1]] = samples;
  const scale = (v1 - v0) / (s1 - s0);
  const line = { ...plain, scale, offset: v0 - scale * s0 };
  const candidates = [
    line,
    ...MULTIPLES.flatMap((multiple) => [0, multiple - 1].map((shift) => stepped(shift, multiple))),
  ];
  const right = candidates.filter(
    (rule): rule is Rule =>
      rule !== undefined &&
      [rule.scale, rule.step, rule.offset].every(Number.isInteger) &&
      samples.every(([s, v]) => follow(rule, s) === v),
  );
  // Primes are no multiples: they cannot tell ⌊s / m⌋ + 1 from ⌈s / m⌉. Padding and cropping have no offset.
  return right.sort((one, other) => Math.abs(one.offset) - Math.abs(other.offset))[0];

  /** Solves for scale, step and offset by three samples whose steps do not lie in line. */
  function stepped(shift: number, multiple: number): Rule | undefined {
    const rows = samples.map(([s, v]) => [
      s - s0,
      Math.floor((s + shift) / multiple) - Math.floor((s0 + shift) / multiple),
      v - v0,
    ]);
    for (const [a, b, c] of rows) {
      for (const [d, e, f] of rows) {
        const determinant = a * e - b * d;
        if (determinant === 0) continue;
        const [scale, step] = [(c * e - b * f) / determinant, (a * f - c * d) / determinant];
        const offset = v0 - scale * s0 - step * Math.floor((s0 + shift) / multiple);
        return { axis, scale, step, shift, multiple, offset };
      }
    }
    return undefined;
  }
}
