import { SubpixelError } from '../../engine/errors.ts';
import type { Shape } from '../../engine/tensor.ts';
import { ATTRIBUTE, type AttributeProto, DATA, type NodeProto, type TensorProto } from './proto.ts';
import type { Axis, Size } from './sizes.ts';

/** A number that is known, or the name of an int64 tensor of one element. */
export type Extent = number | string;

/** An attribute that is a float even where it is whole. */
export class Float {
  constructor(readonly value: number) {}
}
export const float = (value: number): Float => new Float(value);

/** Whole numbers are ints. */
export type NodeAttributes = Readonly<Record<string, number | Float | string | readonly number[] | undefined>>;

/** Nodes and initializers of a graph being built. Values go by name. */
export class Graph {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** The op whose nodes are being written: their names begin with it. */
  scope = '';
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, string>();
  readonly #extents = new Map<string, string>();
  readonly #axes = new Map<Axis, readonly [input: string, axis: number]>();

  /** Adds a node of one result, and returns the name of that. */
  op(type: string, inputs: readonly (string | undefined)[], attributes: NodeAttributes = {}): string {
    const name = this.#unique(`${this.scope}/${type}`);
    const attribute = Object.entries(attributes).flatMap(([key, value]) =>
      value === undefined ? [] : [attributeOf(key, value)],
    );
    this.nodes.push({
      input: inputs.map((input) => input ?? ''),
      output: [name],
      name,
      opType: type,
      attribute,
    });
    return name;
  }

  /** An initializer of floats; the same one for the same name and shape. */
  floats(name: string, dims: Shape, data: Float32Array): string {
    const key = `${name} ${dims.join()}`;
    return this.#constant(key, name, { dims, dataType: DATA.float, rawData: bytesOf(data) });
  }

  /** A scalar. */
  number(value: number): string {
    return this.floats(`number_${value}`, [], Float32Array.of(value));
  }

  ints(values: readonly number[], dims: Shape = [values.length]): string {
    const key = `int64 ${values.join()} ${dims.join()}`;
    const rawData = bytesOf(BigInt64Array.from(values, BigInt));
    return this.#constant(key, `ints_${values.join('_')}`, { dims, dataType: DATA.int64, rawData });
  }

  #constant(key: string, name: string, tensor: Omit<TensorProto, 'name'>): string {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const unique = this.#unique(name);
    this.#constants.set(key, unique);
    this.initializers.push({ name: unique, ...tensor });
    return unique;
  }

  /** Takes a name for an input or an output. */
  reserve(name: string): string {
    return this.#unique(name);
  }

  /** Calls a value by the name that was reserved for a result. */
  rename(from: string, to: string): void {
    const at = this.nodes.findIndex(({ output }) => output[0] === from);
    if (at < 0) {
      this.nodes.push({ input: [from], output: [to], name: to, opType: 'Identity', attribute: [] });
      return;
    }
    for (const [i, node] of this.nodes.entries()) {
      if (node.input.includes(from)) {
        this.nodes[i] = { ...node, input: node.input.map((name) => (name === from ? to : name)) };
      }
    }
    this.nodes[at] = { ...this.nodes[at], output: [to] };
  }

  #unique(name: string): string {
    let unique = name;
    for (let i = 2; this.#names.has(unique); i++) unique = `${name}_${i}`;
    this.#names.add(unique);
    return unique;
  }

  // --- sizes, known now or when the network runs

  /** Says where the size of an axis can be read. */
  axis(axis: Axis, input: string, at: number): void {
    if (!this.#axes.has(axis)) this.#axes.set(axis, [input, at]);
  }

  dim(x: string, axis: number): Extent {
    return this.#once(`dim ${x} ${axis}`, () => this.op('Shape', [x], { start: axis, end: axis + 1 }));
  }

  calc(kind: 'Add' | 'Sub' | 'Mul' | 'Div', a: Extent, b: Extent): Extent {
    if (typeof a === 'number' && typeof b === 'number') return arithmetic[kind](a, b);
    const neutral = kind === 'Add' || kind === 'Sub' ? 0 : 1;
    if (b === neutral) return a;
    return this.#once(`${kind} ${a} ${b}`, () => this.op(kind, [this.vector([a]), this.vector([b])]));
  }

  /** A Size, computed from the axes of the network's input. */
  size(size: number | Size): Extent {
    if (typeof size === 'number') return size;
    const parts = size.rules.map(({ axis, scale, step, shift, multiple, offset }): Extent => {
      const place = this.#axes.get(axis);
      if (!place) throw new SubpixelError(`no input of this network tells its size along ${axis}`);
      const s = this.dim(...place);
      const line = scale === 0 ? 0 : this.calc('Mul', s, scale);
      if (step === 0) return this.calc('Add', line, offset);
      const steps = this.calc('Mul', this.calc('Div', this.calc('Add', s, shift), multiple), step);
      return this.calc('Add', line === 0 ? steps : this.calc('Add', line, steps), offset);
    });
    return this.calc(
      'Div',
      parts.reduce((product, part) => this.calc('Mul', product, part)),
      size.over,
    );
  }

  /** An int64 tensor of one axis. */
  vector(extents: readonly Extent[]): string {
    if (extents.every((n) => typeof n === 'number')) return this.ints(extents);
    const parts = extents.map((n) => (typeof n === 'number' ? this.ints([n]) : n));
    return parts.length === 1 ? parts[0] : this.#once(`vector ${parts}`, () => this.op('Concat', parts, { axis: 0 }));
  }

  /** A scalar, as Range wants it. */
  scalar(extent: Extent): string {
    if (typeof extent === 'number') return this.ints([extent], []);
    return this.#once(`scalar ${extent}`, () => this.op('Squeeze', [extent]));
  }

  #once(key: string, make: () => string): string {
    const name = this.#extents.get(key) ?? make();
    this.#extents.set(key, name);
    return name;
  }

  // --- what several ops are written with

  /** One size that is not known is what the others leave. */
  reshape(x: string, extents: readonly Extent[]): string {
    const open = extents.filter((n) => typeof n !== 'number' || n === -1).length;
    const shape = open === 1 ? extents.map((n) => (typeof n === 'number' ? n : -1)) : extents;
    return this.op('Reshape', [x, this.vector(shape)]);
  }

  transpose(x: string, perm: readonly number[]): string {
    return this.op('Transpose', [x], { perm });
  }

  /** x[..., start:end, ...] along an axis; the end may be far beyond. */
  slice(x: string, axis: number, start: Extent, end: Extent): string {
    return this.op('Slice', [x, this.vector([start]), this.vector([end]), this.ints([axis])]);
  }
}

const arithmetic = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => a * b,
  Div: (a: number, b: number) => Math.trunc(a / b),
};

function attributeOf(name: string, value: number | Float | string | readonly number[]): AttributeProto {
  if (value instanceof Float) return { name, type: ATTRIBUTE.float, f: value.value };
  if (typeof value === 'number') return { name, type: ATTRIBUTE.int, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE.string, s: new TextEncoder().encode(value) };
  return { name, type: ATTRIBUTE.ints, ints: value };
}

/** The bytes as they lie in memory, which is little-endian on all that has WebGPU. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
