import { type FileHandle, open } from 'node:fs/promises';
import { FormatError, ShapeError, shapeText } from '../engine/errors.ts';
import {
  decodeArray,
  type Header,
  headerLength,
  parseHeader,
  type StoredTensor,
  type TensorData,
  type TensorFile,
} from '../engine/nn/safetensors.ts';
import { writeFileAtomic } from './atomic.ts';

export {
  decodeArray,
  decodeSafetensors,
  floats,
  type StoredTensor,
  type TensorData,
  type TensorFile,
} from '../engine/nn/safetensors.ts';

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
      tensors.set(name, { dtype, shape, data: decodeArray(dtype, bytes.buffer) });
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
