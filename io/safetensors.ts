import { type FileHandle, open } from 'node:fs/promises';
import { FormatError, ShapeError, shapeText } from '../engine/errors.ts';
import type { HostTensor } from '../engine/nn/module.ts';
import { writeFileAtomic } from './atomic.ts';
import { parseForeign } from './json.ts';

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
type Header = { entries: Entry[]; metadata: Record<string, string> };

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
const MAX_HEADER = 100_000_000; // as the reference implementation has it

/**
 * Reads a safetensors file: u64 header length, JSON header, data. Nothing is allocated for a tensor
 * before the whole header has been checked against the file's size.
 * @throws {FormatError} for a file that is missing, truncated, foreign or inconsistent
 */
export async function readSafetensors(path: string): Promise<TensorFile> {
  const file = await openTensorFile(path);
  try {
    const { entries, metadata, dataStart } = await readHeader(path, file);
    const tensors = new Map<string, StoredTensor>();
    for (const { name, dtype, shape, begin, end } of entries) {
      const bytes = await readExactly(path, file, dataStart + begin, end - begin);
      tensors.set(name, { dtype, shape, data: DTYPES[dtype].read(bytes.buffer) });
    }
    return { tensors, metadata };
  } finally {
    await file.close();
  }
}

/** The names, types and shapes alone: what a checkpoint's own check or a listing needs. */
export async function readSafetensorsHeader(
  path: string,
): Promise<{ tensors: Map<string, Omit<StoredTensor, 'data'>>; metadata: Record<string, string> }> {
  const file = await openTensorFile(path);
  try {
    const { entries, metadata } = await readHeader(path, file);
    return { tensors: new Map(entries.map(({ name, dtype, shape }) => [name, { dtype, shape }])), metadata };
  } finally {
    await file.close();
  }
}

/** The same from memory. `name` stands in messages. */
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

/** Tensors by name, their dtype taken from the array. Equal contents give equal bytes, whatever the order of insertion. */
export type WritableTensors = Iterable<readonly [string, { shape: readonly number[]; data: TensorData }]>;

/** Writes atomically. @throws {WriteError} with nothing left behind */
export async function writeSafetensors(
  path: string,
  tensors: WritableTensors,
  metadata: Record<string, string> = {},
): Promise<void> {
  await writeFileAtomic(path, safetensorsChunks(tensors, metadata));
}

export function encodeSafetensors(tensors: WritableTensors, metadata: Record<string, string> = {}): Uint8Array {
  return Buffer.concat(safetensorsChunks(tensors, metadata));
}

function safetensorsChunks(tensors: WritableTensors, metadata: Record<string, string>): Uint8Array[] {
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
  const text = Buffer.from(json);
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return [length, padded, ...chunks];
}

async function openTensorFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new FormatError(`${path}: ${missing ? 'no such file' : (error as Error).message}`, { cause: error });
  }
}

async function readHeader(path: string, file: FileHandle): Promise<Header & { dataStart: number }> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new FormatError(`${path}: expected a safetensors file, found a folder or a device`);
  const first = await readExactly(path, file, 0, Math.min(8, stat.size));
  const length = headerLength(path, first, stat.size);
  const header = parseHeader(path, await readExactly(path, file, 8, length), stat.size - 8 - length);
  return { ...header, dataStart: 8 + length };
}

async function readExactly(path: string, file: FileHandle, at: number, length: number) {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), at + done);
    if (bytesRead === 0) throw new FormatError(`${path}: ends at byte ${at + done}, it shrank while being read`);
    done += bytesRead;
  }
  return bytes;
}

function headerLength(path: string, first: Uint8Array, fileSize: number): number {
  if (fileSize < 10) {
    throw new FormatError(`${path}: expected a safetensors file, found ${fileSize} bytes: empty or truncated`);
  }
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER) || length > BigInt(fileSize - 8)) {
    throw new FormatError(
      `${path}: expected a safetensors file, but its first 8 bytes announce a header of ${length} bytes ` +
        `in a file of ${fileSize}: another format, or truncated`,
    );
  }
  return Number(length);
}

/** Checks everything that the data section's size can prove. */
function parseHeader(path: string, bytes: Uint8Array, dataSize: number): Header {
  const refuse = (why: string): never => {
    throw new FormatError(`${path}: not a valid safetensors file: ${why}`);
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
