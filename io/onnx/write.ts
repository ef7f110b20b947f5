import { UsageError } from '../../engine/errors.ts';
import { type Extent, Graph } from './graph.ts';
import type { Emission, Operand } from './operators/emitter.ts';
import { emitters } from './operators/index.ts';
import { DATA, type Dimension, encodeModel, type ValueInfoProto } from './proto.ts';
import { type Program, Size } from './sizes.ts';
import type { Call, Value } from './trace.ts';

/** The newest set of operators that is needed, and the version of the format that came with it. */
const OPSET = 18;
const IR_VERSION = 8;
/** Files of protobuf end here. */
const MOST_BYTES = 2 ** 31 - 1;

export interface Naming {
  readonly graph: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Names of parameters by their number; other values that a network makes up are numbered. */
  readonly parameters: ReadonlyMap<number, string>;
  readonly producerVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Written {
  readonly bytes: Uint8Array;
  readonly opset: number;
  readonly nodes: number;
  readonly inputs: readonly Named[];
  readonly output: Named;
}

/** An input or output; sizes that may differ from call to call have names. */
export interface Named {
  readonly name: string;
  readonly shape: readonly (number | string)[];
}

/** @throws {UsageError} naming every op that ONNX has no form for; ShapeError, UsageError from what a form does not know */
export function writeProgram(program: Program, naming: Naming): Written {
  refuseUnknown(program.calls);
  const graph = new Graph();
  const names = new Map<number, string>();
  const inputs = program.trace.inputs.map((id, i) => {
    const name = graph.reserve(naming.inputs[i]);
    names.set(id, name);
    const shape = program.shapes.get(id)!;
    shape.forEach((n, axis) => {
      if (n instanceof Size && n.axis) graph.axis(n.axis, name, axis);
    });
    return { name, shape: shape.map((n) => (n instanceof Size ? n.text : n)) };
  });
  const output = graph.reserve(naming.output);
  for (const call of program.calls) {
    graph.scope = `${call.op}_${call.output}`;
    names.set(call.output, emitCall(graph, program, naming, names, call));
  }
  const { output: last, values } = program.trace;
  graph.scope = 'result';
  graph.rename(operand(graph, program, naming, names, values[last]).name, output);
  const result = values[last].shape.map((n, axis) => {
    if (!program.varies[last][axis]) return n;
    return program.result[axis]?.text ?? `${output}_${axis}`;
  });
  const bytes = encodeModel({
    irVersion: IR_VERSION,
    producerName: 'subpixel',
    producerVersion: naming.producerVersion,
    opsetImport: [{ domain: '', version: OPSET }],
    metadataProps: Object.entries(naming.metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: naming.graph,
      node: graph.nodes,
      initializer: graph.initializers,
      input: inputs.map(({ name, shape }) => valueInfo(name, shape)),
      output: [valueInfo(output, result)],
    },
  });
  if (bytes.length > MOST_BYTES) {
    throw new UsageError(`this network takes ${bytes.length} bytes as ONNX, whose files hold at most ${MOST_BYTES}`);
  }
  return { bytes, opset: OPSET, nodes: graph.nodes.length, inputs, output: { name: output, shape: result } };
}

function refuseUnknown(calls: readonly Call[]): void {
  const missing = new Set(calls.map(({ op }) => op).filter((op) => !Object.hasOwn(emitters, op)));
  if (missing.size > 0) {
    throw new UsageError(`no ONNX form is known for ${[...missing].join(', ')}, which this network uses`);
  }
  for (const { op, attrs, inputs } of calls) {
    const emitter = emitters[op];
    const given = Object.keys(attrs).filter((name) => attrs[name] !== undefined);
    const foreign =
      given.find((name) => !emitter.attrs.includes(name)) ??
      Object.keys(inputs).find((name) => !emitter.inputs.includes(name));
    if (foreign) throw new UsageError(`no ONNX form is known for ${op} with ${foreign}`);
    const sized = given.find((name) => hasSize(attrs[name]) && !emitter.sized?.includes(name));
    if (sized) throw new UsageError(`${op}'s ${sized} follows from the size of the input: fix the size`);
  }
}

const hasSize = (value: unknown): boolean => value instanceof Size || (Array.isArray(value) && value.some(hasSize));

function emitCall(graph: Graph, program: Program, naming: Naming, names: Names, call: Call): string {
  const { values } = program.trace;
  const optional = (name: string) => {
    const id = call.inputs[name];
    return id === undefined ? undefined : operand(graph, program, naming, names, values[id]);
  };
  const emission: Emission = {
    graph,
    attrs: call.attrs,
    optional,
    input: (name) => optional(name)!,
    shape: values[call.output].shape,
    known: knownOf(program, call.output),
  };
  return emitters[call.op].emit(emission);
}

type Names = ReadonlyMap<number, string>;

const knownOf = ({ trace, varies }: Program, id: number): (number | undefined)[] =>
  trace.values[id].shape.map((n, axis) => (varies[id][axis] ? undefined : n));

function operand(graph: Graph, program: Program, naming: Naming, names: Names, { id, shape, data }: Value): Operand {
  const varies = program.varies[id];
  const constant = naming.parameters.get(id) ?? `constant_${id}`;
  const stored = (dims = shape): string => {
    if (!data) return names.get(id)!;
    if (!varies.includes(true)) return graph.floats(constant, dims, data);
    const extents = program.shapes.get(id)!.map((n) => graph.size(n));
    return graph.op('Expand', [graph.number(data[0]), graph.vector(extents)]);
  };
  const dim = (axis: number): Extent => (varies[axis] ? graph.dim(stored(), axis) : shape[axis]);
  return {
    shape,
    get name() {
      return stored();
    },
    dim,
    dims: () => shape.map((_, axis) => dim(axis)),
    as: (dims) => (data && !varies.includes(true) ? stored(dims) : graph.reshape(stored(), dims)),
  };
}

function valueInfo(name: string, shape: readonly (number | string)[]): ValueInfoProto {
  const dim = shape.map((n): Dimension => (typeof n === 'number' ? { dimValue: n } : { dimParam: n }));
  return { name, type: { tensorType: { elemType: DATA.float, shape: { dim } } } };
}
