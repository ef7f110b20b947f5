import protobuf from 'protobufjs/light.js';
import { FormatError } from '../../engine/errors.ts';

// The messages of onnx.proto, as far as a network needs them. Fields that are left out here are skipped by readers.

export interface ModelProto {
  readonly irVersion: number;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly graph: GraphProto;
  readonly opsetImport: readonly { readonly domain?: string; readonly version: number }[];
  readonly metadataProps?: readonly { readonly key: string; readonly value: string }[];
}

export interface GraphProto {
  readonly name: string;
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

export interface NodeProto {
  /** An optional input that is not there is ''. */
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly AttributeProto[];
}

export interface AttributeProto {
  readonly name: string;
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly ints?: readonly number[];
}

/** AttributeProto.AttributeType */
export const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const;
/** TensorProto.DataType */
export const DATA = { float: 1, int64: 7 } as const;

export interface TensorProto {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly name: string;
  /** Little-endian. */
  readonly rawData: Uint8Array;
}

export interface ValueInfoProto {
  readonly name: string;
  readonly type: { readonly tensorType: { readonly elemType: number; readonly shape: { readonly dim: Dimension[] } } };
}

/** A number, or a name for a size that may differ from call to call. */
export interface Dimension {
  readonly dimValue?: number;
  readonly dimParam?: string;
}

type Field = readonly [type: string, id: number];
const one = (type: string, id: number): Field => [type, id];
const many = (type: string, id: number): Field => [`repeated ${type}`, id];

const messages: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  ModelProto: {
    irVersion: one('int64', 1),
    producerName: one('string', 2),
    producerVersion: one('string', 3),
    graph: one('GraphProto', 7),
    opsetImport: many('OperatorSetIdProto', 8),
    metadataProps: many('StringStringEntryProto', 14),
  },
  OperatorSetIdProto: { domain: one('string', 1), version: one('int64', 2) },
  StringStringEntryProto: { key: one('string', 1), value: one('string', 2) },
  GraphProto: {
    node: many('NodeProto', 1),
    name: one('string', 2),
    initializer: many('TensorProto', 5),
    input: many('ValueInfoProto', 11),
    output: many('ValueInfoProto', 12),
  },
  NodeProto: {
    input: many('string', 1),
    output: many('string', 2),
    name: one('string', 3),
    opType: one('string', 4),
    attribute: many('AttributeProto', 5),
  },
  AttributeProto: {
    name: one('string', 1),
    f: one('float', 2),
    i: one('int64', 3),
    s: one('bytes', 4),
    ints: many('int64', 8),
    type: one('int32', 20),
  },
  TensorProto: {
    dims: many('int64', 1),
    dataType: one('int32', 2),
    name: one('string', 8),
    rawData: one('bytes', 9),
  },
  ValueInfoProto: { name: one('string', 1), type: one('TypeProto', 2) },
  TypeProto: { tensorType: one('TensorTypeProto', 1) },
  TensorTypeProto: { elemType: one('int32', 1), shape: one('TensorShapeProto', 2) },
  TensorShapeProto: { dim: many('Dimension', 1) },
  Dimension: { dimValue: one('int64', 1), dimParam: one('string', 2) },
};

const fieldOf = ([type, id]: Field) => {
  const [name, rule] = type.split(' ').reverse();
  return { type: name, id, ...(rule && { rule }) };
};
const nested = Object.entries(messages).map(([message, fields]) => {
  const described = Object.entries(fields).map(([name, field]) => [name, fieldOf(field)]);
  return [message, { fields: Object.fromEntries(described) }];
});
const model = protobuf.Root.fromJSON({ nested: Object.fromEntries(nested) }).lookupType('ModelProto');

export const encodeModel = (value: ModelProto): Uint8Array => model.encode(value).finish();

/** @throws {FormatError} for bytes that are no such message */
export function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    return model.toObject(model.decode(bytes), { longs: Number, arrays: true }) as ModelProto;
  } catch (cause) {
    throw new FormatError(`no ONNX model: ${(cause as Error).message}`, { cause });
  }
}
