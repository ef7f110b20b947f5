// The safetensors format, as bytes: files come from io/, or in a page from where the page does.
import { FormatError, ShapeError, shapeText } from '../errors.ts';
import { parseForeign } from './foreign-json.ts';
import type { HostTensor } from './module.ts';

export type TensorData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

export interface StoredTensor {
  /** As it stands in the file: F32, F16, BF16, F64, I64, ... */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Row major. F16 and BF16 are widened to Float32Array, BOOL is bytes. */
  readonly data: TensorData;
}

/** A tensor of a file as the engine takes it. @throws {FormatError} for integers */
export function floats(name: string, { dtype, shape, data }: StoredTensor): HostTensor {
  if (data instanceof Float32Array) return { shape, data };
  if (data instanceof Float64Array) return { shape, data: Float32Array.from(data) };
  throw new FormatError(`tensor ${name}: expected floating-point values, got ${dtype}`);
}

export interface TensorFile {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

type Entry = { name: string; dtype: string; shape: number[]; begin: number; end: number };
export type Header = { entries: Entry[]; metadata: Record<string, string> };

const MAX_HEADER = 100_000_000; // as the reference implementation has it

// Typed arrays take the machine's byte order: little endian on everything that runs WebGPU.
const DTYPES: Record<string, { bytes: number; read: (bytes: ArrayBuffer) => TensorData }> = {
  F64: { bytes: 8, read: (b) => new Float64Array(b) },
  F32: { bytes: 4, read: (b) => new Float32Array(b) },
  F16: { bytes: 2, read: (b) => fromHalves(new Uint16Array(b)) },
  BF16: { bytes: 2, read: (b) => new Float32Array(Uint32Array.from(new Uint16Array(b), (h) => h << 16).buffer) },
  I64: { bytes: 8, read: (b) => new BigInt64Array(b) },
  U64: { bytes: 8, read: (b) => new BigUint64Array(b) },
  I32: { bytes: 4, read: (b) => new Int32Array(b) },
  U32: { bytes: 4, read: (b) => new Uint32Array(b) },
  I16: { bytes: 2, read: (b) => new Int16Array(b) },
  U16: { bytes: 2, read: (b) => new Uint16Array(b) },
  I8: { bytes: 1, read: (b) => new Int8Array(b) },
  U8: { bytes: 1, read: (b) => new Uint8Array(b) },
  BOOL: { bytes: 1, read: (b) => new Uint8Array(b) },
};
/** Little-endian numbers by their dtype; those of 16 bits are widened. */
export const decodeArray = (dtype: string, bytes: ArrayBuffer): TensorData => DTYPES[dtype].read(bytes);

/** Reads a file that is in memory. `name` stands in messages. @throws {FormatError} for one that is truncated or inconsistent */
export function decodeSafetensors(bytes: Uint8Array, name = 'safetensors'): TensorFile {
  const length = headerLength(name, bytes.subarray(0, 8), bytes.length);
  const { entries, metadata } = parseHeader(name, bytes.subarray(8, 8 + length), bytes.length - 8 - length);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of entries) {
    const own = new Uint8Array(bytes.subarray(8 + length + entry.begin, 8 + length + entry.end)); // offsets need not be aligned
    const { dtype, shape } = entry;
    tensors.set(entry.name, { dtype, shape, data: DTYPES[dtype].read(own.buffer) });
  }
  return { tensors, metadata };
}

/** Of the JSON header, from the file's first 8 bytes. @param file its name, for messages */
export function headerLength(file: string, first: Uint8Array, fileSize: number): number {
  if (fileSize < 10) {
    throw new FormatError(`${file}: expected a safetensors file, found ${fileSize} bytes: empty or truncated`);
  }
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER) || length > BigInt(fileSize - 8)) {
    throw new FormatError(
      `${file}: expected a safetensors file, but its first 8 bytes announce a header of ${length} bytes ` +
        `in a file of ${fileSize}: another format, or truncated`,
    );
  }
  return Number(length);
}

/** Checks everything that the data section's size can prove. @param file its name, for messages */
export function parseHeader(file: string, bytes: Uint8Array, dataSize: number): Header {
  const refuse = (why: string): never => {
    throw new FormatError(`${file}: not a valid safetensors file: ${why}`);
  };
  if (bytes[0] !== 0x7b) refuse('the header does not start with "{"');
  let json: Record<string, unknown>;
  try {
    json = parseForeign(bytes) as Record<string, unknown>;
  } catch (error) {
    return refuse(`the header is no JSON (${(error as Error).message})`);
  }
  const { __metadata__: strings, ...named } = json;
  for (const [key, text] of Object.entries(strings ?? {})) {
    if (typeof text !== 'string') refuse(`metadata ${key} is no string`);
  }
  const entries = Object.entries(named).map(([name, value]) => checkedEntry(name, value, refuse));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== covered) refuse(`tensor ${name} starts at byte ${begin} of the data, expected ${covered}`);
    covered = end;
  }
  if (covered > dataSize) refuse(`its tensors need ${covered} bytes of data, the file holds ${dataSize}: truncated`);
  if (covered < dataSize) refuse(`${dataSize - covered} bytes after the last tensor belong to none`);
  return { entries, metadata: (strings ?? {}) as Record<string, string> };
}

function checkedEntry(name: string, value: unknown, refuse: (why: string) => never): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) refuse(`tensor ${name} has dtype ${dtype}`);
  if (!isCounts(shape)) return refuse(`tensor ${name} has no shape of whole numbers`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return refuse(`tensor ${name} has no data_offsets [begin, end]`);
  }
  const [begin, end] = offsets;
  const bytes = shape.reduce((a, b) => a * b, DTYPES[dtype as string].bytes);
  if (bytes !== end - begin) {
    refuse(`tensor ${name}: ${dtype} ${shapeText(shape)} takes ${bytes} bytes, its data_offsets span ${end - begin}`);
  }
  return { name, dtype: dtype as string, shape, begin, end };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

const DTYPE_OF: Record<string, string> = {
  Float64Array: 'F64',
  Float32Array: 'F32',
  BigInt64Array: 'I64',
  BigUint64Array: 'U64',
  Int32Array: 'I32',
  Uint32Array: 'U32',
  Int16Array: 'I16',
  Uint16Array: 'U16',
  Int8Array: 'I8',
  Uint8Array: 'U8',
};

/** Tensors by name, their dtype taken from the array. Equal contents give equal bytes, whatever the order of insertion. */
export type WritableTensors = Iterable<readonly [string, { shape: readonly number[]; data: TensorData }]>;

/**
 * The bytes of a file: length of the header, header, data. The data are not copied.
 * @throws {ShapeError} for a shape that does not fit its data, or a name given twice
 */
export function safetensorsChunks(tensors: WritableTensors, metadata: Record<string, string> = {}): Uint8Array[] {
  // Widest types first, as the reference writer does, so that every tensor is aligned; then by name.
  const sorted = [...tensors].sort(([a, x], [b, y]) => {
    return y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || (a < b ? -1 : 1);
  });
  const header: [string, unknown][] = [];
  const metadataEntries = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (metadataEntries.length) header.push(['__metadata__', Object.fromEntries(metadataEntries)]);
  const chunks: Uint8Array[] = [];
  const names = new Set(['__metadata__']);
  let end = 0;
  for (const [name, { shape, data }] of sorted) {
    const count = shape.reduce((a, b) => a * b, 1);
    if (count !== data.length) {
      throw new ShapeError(`tensor ${name}: shape ${shapeText(shape)} holds ${count} values, got ${data.length}`);
    }
    if (names.has(name)) throw new ShapeError(`tensor ${name}: the name is taken`);
    names.add(name);
    header.push([name, { dtype: DTYPE_OF[data.constructor.name], shape, data_offsets: [end, end + data.byteLength] }]);
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    end += data.byteLength;
  }
  // Not one object: keys that look like whole numbers would move to its front, and `__proto__` would vanish.
  const json = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [length, padded, ...chunks];
}

let halves: Float32Array | undefined;

/** By a table of all 65,536 of them: several times faster than taking each apart. */
function fromHalves(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halves[bits[i]];
  return values;
}

/** IEEE 754 binary16. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
