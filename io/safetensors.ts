import { type FileHandle, open } from 'node:fs/promises';
import { FormatError } from '../engine/errors.ts';
import {
  decodeArray,
  type Header,
  headerLength,
  parseHeader,
  type StoredTensor,
  safetensorsChunks,
  type TensorFile,
  type WritableTensors,
} from '../engine/nn/safetensors.ts';
import { writeFileAtomic } from './atomic.ts';

export {
  decodeArray,
  decodeSafetensors,
  floats,
  type StoredTensor,
  type TensorData,
  type TensorFile,
  type WritableTensors,
} from '../engine/nn/safetensors.ts';

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
