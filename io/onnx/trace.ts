import { SubpixelError } from '../../engine/errors.ts';
import { type Shape, Tensor } from '../../engine/tensor.ts';
import type { SilentEngine } from '../silent-engine.ts';

/** A tensor of a traced network, known by its number: equal traces number alike. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
  /** What the host wrote into it: parameters, and what a network makes up on its way. */
  readonly data?: Float32Array;
}

export type Attributes = Readonly<Record<string, unknown>>;

/** One op that ran. */
export interface Call {
  readonly op: string;
  /** Numbers of its inputs by name; those that were not given are missing. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly attrs: Attributes;
  readonly output: number;
}

/** What one run of a network did, without what its result does not need. */
export interface Trace {
  readonly values: readonly Value[];
  readonly calls: readonly Call[];
  readonly inputs: readonly number[];
  readonly output: number;
}

/**
 * Runs a network once and writes down every op.
 * @throws {SubpixelError} when an op reads a tensor that no op has made and nobody has written
 */
export function trace({ engine, valuesOf }: SilentEngine, shapes: readonly Shape[], forward: Forward): Trace {
  const values: Value[] = [];
  const ids = new Map<Tensor, number>();
  const makers = new Map<number, Call>();
  const number = (x: Tensor, data?: Float32Array): number => {
    ids.set(x, values.length);
    values.push({ id: values.length, shape: x.shape, data });
    return values.length - 1;
  };
  const known = (x: Tensor, reader: string): number => {
    const id = ids.get(x);
    if (id !== undefined) return id;
    const data = x === engine.one ? Float32Array.of(1) : valuesOf(x);
    if (!data) throw new SubpixelError(`${reader} reads a tensor of shape (${x.shape.join(', ')}) of unknown origin`);
    return number(x, data);
  };

  using _scope = engine.scope();
  const outer = engine.tracer;
  try {
    const inputs = shapes.map((shape) => engine.empty(shape));
    const numbers = inputs.map((x) => number(x));
    engine.tracer = (rule, given, attrs, y) => {
      const there = Object.entries(given).filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
      const read = Object.fromEntries(there.map(([name, x]) => [name, known(x, rule.name)]));
      if (there.some(([, x]) => x === y)) return; // it changes nothing
      const output = ids.get(y) ?? number(y); // known already: the last of the ops that it consists of made it
      makers.set(output, { op: rule.name, inputs: read, attrs: attrs as Attributes, output });
    };
    const y = forward(...inputs);
    const output = known(y, 'the result');
    return { values, calls: needed(makers, output), inputs: numbers, output };
  } finally {
    engine.tracer = outer;
  }
}

export type Forward = (...inputs: Tensor[]) => Tensor;

/** The calls that a result needs, in an order in which they can run. */
function needed(makers: ReadonlyMap<number, Call>, output: number): Call[] {
  const wanted = new Set<number>();
  const visit = [output];
  for (let id = visit.pop(); id !== undefined; id = visit.pop()) {
    const call = makers.get(id);
    if (!call || wanted.has(id)) continue;
    wanted.add(id);
    visit.push(...Object.values(call.inputs));
  }
  return [...makers.values()].filter((call) => wanted.has(call.output));
}
