import type { Node } from './autograd.ts';
import type { Engine, Run } from './engine.ts';
import { ShapeError, shapeText } from './errors.ts';
import type { Kernel } from './kernel.ts';
import type { Layout, Shape } from './tensor.ts';
import { Tensor } from './tensor.ts';

/** Tensors by input name; names that end in '?' in `inputs` may be missing. */
type Named<I extends readonly string[]> = {
  [K in I[number] as K extends `${string}?` ? never : K]: Tensor;
} & { [K in I[number] as K extends `${infer B}?` ? B : never]?: Tensor };
type Shapes<I extends readonly string[]> = {
  [K in I[number] as K extends `${string}?` ? never : K]: Shape;
} & { [K in I[number] as K extends `${infer B}?` ? B : never]?: Shape };
type Name<I extends readonly string[]> = I[number] extends infer K ? (K extends `${infer B}?` ? B : K) : never;
type Args<I extends readonly string[]> = I extends readonly [infer H, ...infer R extends readonly string[]]
  ? H extends `${string}?`
    ? [input?: Tensor, ...Args<R>]
    : [input: Tensor, ...Args<R>]
  : [];

/** What forward and backward get beside the tensors. */
export interface Context<A> {
  readonly engine: Engine;
  readonly attrs: A;
  /** The shape of the op's result. */
  readonly shape: Shape;
  /**
   * Holds a tensor that is neither input nor result for the gradients, by a name; absent where no tape records.
   * @param exact an activation may be rounded while it waits; this may not
   */
  readonly keep?: (name: string, x: Tensor, exact?: boolean) => void;
  /** Runs a kernel whose `out` binding is a new tensor, and returns that tensor. */
  run(kernel: Kernel, entry: string, options: Run & { out: Shape; layout?: Layout }): Tensor;
}

/** What an op is to its callers. */
export interface OpRule<I extends readonly string[], A extends object> {
  readonly name: string;
  readonly inputs: I;
  /** Inputs that lie in filter layout. Inputs not named lie as images (a vector is a small image). */
  readonly filters?: readonly Name<I>[];
  /** Every attribute with its default. */
  readonly attrs: A;
  /** Inputs that forward changes in place, where these attributes tell it to. */
  moves?(attrs: A): readonly Name<I>[];
  /** The result's shape. @throws {ShapeError} for everything that the op does not support, gradients included */
  shape(inputs: Shapes<I>, attrs: A): Shape;
  /** Floating-point operations of the forward pass. */
  flops(inputs: Shapes<I>, attrs: A, out: Shape): number;
}

export interface OpSpec<I extends readonly string[], A extends object> extends OpRule<I, A> {
  forward(inputs: Named<I>, context: Context<A>): Tensor;
  /** Inputs that backward reads, and 'y' if it reads the result; or which of them for these attributes and tracked inputs. */
  readonly saves:
    | readonly (Name<I> | 'y')[]
    | ((attrs: A, tracked: (input: Name<I>) => boolean) => readonly (Name<I> | 'y')[]);
  /**
   * Gradients by input name; each runs only if it is needed, and may write its result `into` a tensor that it is given.
   * `shapes` holds all shapes, saved or not; `kept` what forward kept.
   */
  backward(
    dy: Tensor,
    saved: Named<I> & { y: Tensor },
    context: Context<A> & { shapes: Shapes<I>; kept: Readonly<Partial<Record<string, Tensor>>> },
  ): { [K in Name<I> & string]?: (into?: Tensor) => Tensor };
}

/** An operation that can be called, and looked up: its names, defaults and shape rule. */
export interface Op<I extends readonly string[] = readonly string[], A extends object = object> {
  (...args: [...Args<I>, attrs?: Partial<A>]): Tensor;
  readonly spec: OpRule<I, A>;
}

/** An op of any signature, as the table of ops holds it. */
export interface AnyOp {
  // biome-ignore lint/suspicious/noExplicitAny: inputs and attributes differ from op to op
  (...args: any[]): Tensor;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly spec: OpRule<any, any>;
}

/**
 * Makes an operation out of its shape rule, kernels and gradient.
 * Called as op(input, ..., attributes); records itself on the engine's tape when an input is tracked.
 */
export function defineOp<const I extends readonly string[], A extends object>(spec: OpSpec<I, A>): Op<I, A> {
  return callable(spec, (call) => apply(spec, call));
}

/** The arguments of one call, sorted. */
interface Call<I extends readonly string[], A> {
  readonly engine: Engine;
  readonly inputs: Named<I>;
  readonly shapes: Shapes<I>;
  readonly attrs: A;
}

function callable<I extends readonly string[], A extends object>(
  rule: OpRule<I, A>,
  perform: (call: Call<I, A>) => Tensor,
): Op<I, A> {
  const names = rule.inputs.map((n) => n.replace('?', ''));
  const required = rule.inputs.filter((n) => !n.endsWith('?'));

  const call = (...args: unknown[]): Tensor => {
    const inputs: Record<string, Tensor | undefined> = {};
    const shapes: Record<string, Shape | undefined> = {};
    names.forEach((name, i) => {
      const x = args[i];
      if (x === undefined || x === null) return;
      if (!(x instanceof Tensor)) {
        if (rule.inputs[i].endsWith('?') && i === args.length - 1) return; // attributes in the place of an optional input
        throw new ShapeError(`${rule.name}: ${name} must be a tensor, got ${typeof x}`);
      }
      checkLayout(rule, name, x);
      inputs[name] = x;
      shapes[name] = x.shape;
    });
    for (const name of required) if (!inputs[name]) throw new ShapeError(`${rule.name}: ${name} is missing`);
    const last = args.at(-1);
    const attrs = {
      ...rule.attrs,
      ...(last instanceof Tensor ? {} : dropUndefined(last as Partial<A> | undefined)),
    } as A;
    const { engine } = inputs[names[0]]!;
    return perform({ engine, inputs: inputs as Named<I>, shapes: shapes as Shapes<I>, attrs });
  };
  return Object.assign(call, { spec: rule }) as unknown as Op<I, A>;
}

function apply<I extends readonly string[], A extends object>(spec: OpSpec<I, A>, call: Call<I, A>): Tensor {
  const { engine, shapes, attrs } = call;
  const inputs: Record<string, Tensor | undefined> = call.inputs;
  const shape = spec.shape(shapes, attrs);
  const context = makeContext(engine, attrs, shape);
  const tape = Object.values(inputs).some((x) => x?.tracked) ? engine.tape : undefined;
  const extra: [name: string, x: Tensor][] = [];
  using scope = engine.scope();
  engine.at.op = spec.name;
  const keep = (name: string, x: Tensor, exact = false) => {
    x.isLeaf = exact; // activations the tape may round
    extra.push([name, x]);
  };
  const y = spec.forward(call.inputs, tape ? { ...context, keep } : context);
  engine.at.op = '';
  scope.keep(y);
  if (tape) {
    const tracked = (name: Name<I>) => inputs[name as string]?.tracked ?? false;
    const names = (typeof spec.saves === 'function' ? spec.saves(attrs, tracked) : spec.saves) as readonly string[];
    const all: Record<string, Tensor | undefined> = { ...inputs, y };
    const there = names.filter((name) => all[name]);
    const own = [...there.map((name) => all[name]!), ...extra.map(([, x]) => x)];
    tape.add({
      name: spec.name,
      layer: engine.at.layer,
      inputs,
      output: y,
      saved: own,
      backward: (dy, held = own) => {
        const saved = Object.fromEntries(there.map((name, i) => [name, held[i]]));
        const kept = Object.fromEntries(extra.map(([name], i) => [name, held[there.length + i]]));
        return spec.backward(dy, saved as Named<I> & { y: Tensor }, { ...context, shapes, kept }) as ReturnType<
          Node['backward']
        >;
      },
    });
  }
  engine.validator?.add(spec.name, inputs, attrs, y);
  engine.tracer?.(spec, inputs, attrs, y);
  return y;
}

function makeContext<A>(engine: Engine, attrs: A, shape: Shape): Context<A> {
  return {
    engine,
    attrs,
    shape,
    run(kernel, entry, { out, layout, bind, ...options }) {
      const result = engine.empty(out, layout);
      engine.run(kernel, entry, { threads: result.bytes / 16, ...options, bind: { ...bind, out: result } });
      return result;
    },
  };
}

/** What several gradients need: computed when the first of them asks, and again should its memory be gone by then. */
export function once(compute: () => Tensor): () => Tensor {
  let value: Tensor | undefined;
  return () => {
    if (!value || value.released) value = compute();
    return value;
  };
}

function checkLayout(spec: { name: string; filters?: readonly unknown[] }, name: string, x: Tensor): void {
  // Ops without filters of their own work on either layout, as long as they do not look at axes.
  if (!spec.filters) return;
  const expected: Layout = spec.filters.includes(name) ? 'filter' : 'image';
  if (x.layout !== expected) {
    throw new ShapeError(
      `${spec.name}: ${name} must lie in ${expected} layout, got ${x.layout} of shape ${shapeText(x.shape)}`,
    );
  }
}

const dropUndefined = <T extends object>(x: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(x ?? {}).filter(([, v]) => v !== undefined)) as Partial<T>;

/** @throws {ShapeError} "prelu weight: expected (4), got (3)" */
export function expectShape(what: string, got: Shape, ...allowed: Shape[]): void {
  if (allowed.some((s) => s.length === got.length && s.every((n, i) => n === got[i]))) return;
  throw new ShapeError(`${what}: expected ${allowed.map(shapeText).join(' or ')}, got ${shapeText(got)}`);
}

/** @throws {ShapeError} when the rank is none of those allowed */
export function expectRank(what: string, got: Shape, ...ranks: number[]): void {
  if (ranks.includes(got.length)) return;
  throw new ShapeError(`${what}: expected ${ranks.join(' or ')} axes, got shape ${shapeText(got)}`);
}
