import type { Engine } from '../../../engine/engine.ts';
import { KernelError } from '../../../engine/errors.ts';
import type { Constants } from '../../../engine/kernel.ts';
import type { NDArray } from '../../../engine/reference/array.ts';
import type { Storage } from '../../../engine/tensor.ts';
import { breathe, Superseded } from '../../lab/device.ts';
import { guarded, kernelOf, STOPPED, withoutComments } from './guard.ts';
import { type Problem, problemsOf } from './problems.ts';

/** Sizes of one test, by the names of the text's consts. */
export type Sizes = Readonly<Record<string, number>>;
export type Arrays = Readonly<Record<string, NDArray>>;

export interface Puzzle {
  readonly id: string;
  readonly title: string;
  readonly task: string;
  /** What the reader begins with, and ours; both have the entry point `main`. */
  readonly start: string;
  readonly solution: string;
  readonly hints: readonly string[];
  /** Where the project's own shader differs from our solution, and why. */
  readonly story: string;
  readonly file: string;
  /** Where the page finds that file. */
  readonly url: string;
  readonly tests: readonly Sizes[];
  /** What the text must contain, and what is said where it does not. */
  readonly rules?: readonly (readonly [RegExp, string])[];
  inputs(sizes: Sizes): Arrays;
  /** What the buffers that the kernel writes must hold, by the float64 references. */
  expected(inputs: Arrays, sizes: Sizes): Arrays;
  /** Workgroups by axis. */
  grid(sizes: Sizes): readonly [number, number?, number?];
}

export type Verdict =
  | { readonly kind: 'passed'; readonly tests: number; readonly values: number; readonly error: number }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'wrong'; readonly why: string };

/** Rounds that the loops of one invocation may make: none of the tests needs a hundredth of it. */
const ROUNDS = 50_000;
/** Before and behind every buffer, and in results until someone writes them: a NaN that no arithmetic makes. */
const UNTOUCHED = 0x7fc0_5b1e;
const MARGIN = 256;
/** Of the largest value expected: sums in f32 differ by their order, by less than a wrong one does. */
const TOLERANCE = 1e-5;

/**
 * Runs a text on all tests of a puzzle, against the references.
 * @throws {Superseded} when given up
 */
export async function judge(engine: Engine, puzzle: Puzzle, text: string, signal: AbortSignal): Promise<Verdict> {
  const problems = await problemsOf(engine.device.gpu, text);
  if (problems.some(({ severity }) => severity === 'error')) return { kind: 'problems', problems };
  const why = missing(puzzle, text);
  if (why) return { kind: 'refused', why };
  let [values, error] = [0, 0];
  for (const sizes of puzzle.tests) {
    const inputs = puzzle.inputs(sizes);
    const expected = puzzle.expected(inputs, sizes);
    await breathe();
    let found: Found;
    try {
      found = await runOn(engine, puzzle, text, sizes, inputs, expected);
    } catch (failure) {
      if (failure instanceof KernelError) return { kind: 'refused', why: failure.message };
      throw failure;
    }
    if (signal.aborted) throw new Superseded();
    const test = `with ${Object.entries(sizes)
      .map(([name, size]) => `${name} = ${size}`)
      .join(', ')}`;
    if (found.stopped) {
      return {
        kind: 'wrong',
        why: `A loop was stopped after ${ROUNDS} rounds (${test}): does its condition ever fail?`,
      };
    }
    if (found.outside) return { kind: 'wrong', why: `${found.outside} was written outside its bounds, ${test}.` };
    const right: string[] = [];
    for (const [name, want] of Object.entries(expected)) {
      const got = compare(name, found.outputs[name], want);
      if (got.why) {
        const good = right.length > 0 ? `${right.join(', ')} is right. ` : '';
        return { kind: 'wrong', why: `${good}${got.why}, ${test}.` };
      }
      right.push(name);
      error = Math.max(error, got.error);
      values += want.data.length;
    }
  }
  return { kind: 'passed', tests: puzzle.tests.length, values, error };
}

/** What a test needs to find in a text, in words where it does not. */
function missing({ tests: [sizes], rules = [], inputs, expected }: Puzzle, text: string): string | undefined {
  if (!/\bfn\s+main\s*\(/.test(text)) return 'The tests start fn main: give it its name back.';
  for (const name of Object.keys(sizes)) {
    const declared = new RegExp(`^const ${name}\\b[^;]*=`, 'm').test(text);
    if (!declared) return `The tests set const ${name}: leave it at the beginning of a line, as the text had it.`;
  }
  const { bindings } = kernelOf(text);
  const given = inputs(sizes);
  for (const name of Object.keys({ ...given, ...expected(given, sizes) })) {
    if (!bindings.has(name)) return `The tests bind a buffer named ${name}: declare it as the text had it.`;
  }
  return rules.find(([pattern]) => !pattern.test(text))?.[1];
}

interface Found {
  readonly outputs: Record<string, Float32Array>;
  readonly stopped: boolean;
  /** The name of a buffer around which something was written. */
  readonly outside?: string;
}

async function runOn(
  engine: Engine,
  puzzle: Puzzle,
  text: string,
  sizes: Sizes,
  inputs: Arrays,
  expected: Arrays,
): Promise<Found> {
  const constants: Constants = sizes;
  const kernel = await guarded(engine.device.gpu, text, constants, ROUNDS);
  const arrays = { ...inputs, ...expected };
  const buffers: Record<string, Storage> = {};
  try {
    for (const [name, { data }] of Object.entries(arrays)) {
      const around = new Uint32Array(Math.ceil((4 * data.length) / MARGIN) * (MARGIN / 4) + MARGIN / 2).fill(UNTOUCHED);
      if (name in inputs) new Float32Array(around.buffer).set(data, MARGIN / 4);
      buffers[name] = engine.raw(around.byteLength);
      engine.commands.write(buffers[name].block, around);
    }
    using stopped = engine.raw(16);
    engine.commands.write(stopped.block, new Uint32Array(4));
    // WebGPU itself keeps writes within a binding: results are bound with the margin behind them, or none would go astray.
    const measures = /\barrayLength\b/.test(withoutComments(text));
    const parts = Object.entries(buffers).map(([name, whole]) => {
      const exactly = name in inputs || measures; // what asks for the length relies on it
      return [name, whole.slice(MARGIN, exactly ? 4 * arrays[name].data.length : whole.bytes - MARGIN)] as const;
    });
    try {
      const bind = { ...Object.fromEntries(parts), [STOPPED]: stopped };
      const [x, y = 1, z = 1] = puzzle.grid(sizes);
      const work = () => engine.run(kernel, 'main', { bind, constants, grid: [x, y, z] });
      await engine.compile(work);
      work();
      const outputs: Record<string, Float32Array> = {};
      let outside: string | undefined;
      for (const name of Object.keys(expected)) {
        const words = new Uint32Array(await engine.readRaw(buffers[name]));
        const [start, n] = [MARGIN / 4, expected[name].data.length];
        if (words.some((word, i) => (i < start || i >= start + n) && word !== UNTOUCHED)) outside ??= name;
        outputs[name] = new Float32Array(words.buffer, MARGIN, n);
      }
      return { outputs, outside, stopped: new Uint32Array(await engine.readRaw(stopped))[0] !== 0 };
    } finally {
      for (const [, part] of parts) part.release();
    }
  } finally {
    for (const buffer of Object.values(buffers)) buffer.release();
  }
}

/** The first value that is not the reference's, in words; or the largest error of all. */
export function compare(name: string, got: Float32Array, { shape, data }: NDArray): { why?: string; error: number } {
  const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const bits = new Uint32Array(got.buffer, got.byteOffset, got.length);
  const right = (i: number) => Math.abs(got[i] - data[i]) <= TOLERANCE * largest;
  let [first, wrong, error] = [-1, 0, 0];
  for (let i = 0; i < data.length; i++) {
    if (right(i)) error = Math.max(error, Math.abs(got[i] - data[i]) / (largest || 1));
    else if (wrong++ === 0) first = i;
  }
  if (wrong === 0) return { error };
  const found = bits[first] === UNTOUCHED ? 'nobody wrote it' : `found ${number(got[first])}`;
  const many = wrong === 1 ? 'One value is wrong' : `${wrong} of ${data.length} values are wrong. The first`;
  const place = `${name}[${placeOf(first, shape).join(', ')}]`;
  return { error, why: `${many}, ${place}: expected ${number(data[first])}, ${found}` };
}

const number = (v: number): string => (Number.isFinite(v) ? String(Number(v.toPrecision(6))) : String(v));

function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return place;
}
