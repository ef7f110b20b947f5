import { FormatError } from '../../engine/errors.ts';
import { readSafetensors } from '../safetensors.ts';
import { ByteFile, type Bytes, refuse } from './byte-file.ts';
import { readH5 } from './h5.ts';
import { type FileTensor, toFloat32 } from './numbers.ts';
import { readTfjs } from './tfjs.ts';
import { isTorchLegacy, readTorchLegacy, readTorchZip } from './torch.ts';

/** What a file of weights holds, of whatever format. */
export interface WeightFile {
  readonly format: string;
  /** float32, whatever they were; counters (num_batches_tracked) are left out. */
  readonly tensors: Map<string, FileTensor>;
  /** What a safetensors file says of itself. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The keys that a PyTorch file had the tensors under. */
  readonly wrappers: readonly string[];
}

type Found = Pick<WeightFile, 'tensors'> & Partial<Pick<WeightFile, 'metadata' | 'wrappers'>>;

interface Format {
  readonly name: string;
  /** @param head the first bytes of the file */
  is(head: Uint8Array): boolean;
  read(file: Bytes): Found | Promise<Found>;
}

const begins = (head: Uint8Array, ...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
const HEAD = 1024;

/** The content decides, not the ending of the name. Something else may stand in the first 512 bytes of HDF5. */
const FORMATS: readonly Format[] = [
  { name: 'PyTorch', is: (head) => begins(head, 0x50, 0x4b, 0x03, 0x04), read: readTorchZip },
  { name: 'PyTorch before 1.6', is: isTorchLegacy, read: readTorchLegacy },
  {
    name: 'HDF5',
    is: (head) => [0, 512].some((at) => begins(head.subarray(at), 0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)),
    read: async (file) => ({ tensors: await readH5(file) }),
  },
  { name: 'safetensors', is: isSafetensors, read: readOwn },
  {
    name: 'TensorFlow.js',
    is: (head) => /^(\xef\xbb\xbf)?\s*\{/.test(latin(head)), // it may begin with a byte order mark
    read: (file) => ({ tensors: readTfjs(file) }),
  },
];

/** What people have in the place of weights, by how it begins. */
const MISTAKEN: readonly [begins: string, what: string][] = [
  ['version https://git-lfs', 'a pointer of git-lfs: "git lfs pull" fetches the file that it stands for'],
  ['PK\x05\x06', 'an empty zip'],
  ...['\x1f\x8b', '7z\xbc\xaf', 'Rar!', 'BZh', '\xfd7zXZ', '(\xb5/\xfd'].map((magic): [string, string] => {
    return [magic, 'an archive: unpack it first'];
  }),
  ['MATLAB 5', 'a MATLAB file, which is not read'],
  ['\x93NUMPY', 'a numpy array, which has no names'],
  ...['\x89PNG', '\xff\xd8\xff', 'GIF8', 'RIFF'].map((magic): [string, string] => [magic, 'a picture, not weights']),
  ...['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'].map((magic): [string, string] => {
    return [magic, 'a pickle, but not one that torch.save wrote'];
  }),
];

/**
 * Reads published weights: .pth and .pt of both formats, .safetensors, .h5, model.json of TensorFlow.js. Nothing in a file
 * is executed, nothing is allocated that the file is too small for.
 * @throws {FormatError} naming the path, for what is no such file, truncated, damaged or hostile
 */
export async function readWeightFile(path: string): Promise<WeightFile> {
  using file = new ByteFile(path);
  const head = file.read(0, Math.min(HEAD, file.size));
  const format = FORMATS.find(({ is }) => is(head));
  if (!format) return refuse(file, `no file of weights: ${mistaken(head)}`);
  const { tensors, metadata = {}, wrappers = [] } = await read(format, file);
  const named = withoutPrefix(tensors);
  for (const name of named.keys()) if (/(^|\.)num_batches_tracked$/.test(name)) named.delete(name);
  if (named.size === 0) refuse(file, `a ${format.name} file without any tensor`);
  return { format: format.name, tensors: named, metadata, wrappers };
}

/** What goes wrong with memory or the stack is the file's fault too. */
async function read(format: Format, file: Bytes): Promise<Found> {
  try {
    return await format.read(file);
  } catch (error) {
    if (error instanceof FormatError || !(error instanceof RangeError)) throw error;
    throw new FormatError(`${file.path}: a ${format.name} file that cannot be held: ${error.message}`, {
      cause: error,
    });
  }
}

const latin = (head: Uint8Array): string => Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');

function mistaken(head: Uint8Array): string {
  if (head.length < 16) return `it has ${head.length} bytes: empty or truncated`;
  const text = latin(head);
  if (/^\s*<(!doctype|html|head|\?xml)/i.test(text))
    return 'it is a web page: the download saved that instead of the file';
  if (text.slice(257, 262) === 'ustar') return 'it is an archive: unpack it first';
  if (head.every((byte) => byte === 0)) return 'it begins with nothing but zeros: the download failed';
  const found = MISTAKEN.find(([magic]) => text.startsWith(magic));
  if (found) return `it is ${found[1]}`;
  const bytes = Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `expected PyTorch (.pth), safetensors, HDF5 (.h5) or TensorFlow.js (model.json), but it begins ${bytes}`;
}

/** Eight bytes of length, then "{"; a header that is announced too long is told of by the reader. */
function isSafetensors(head: Uint8Array): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false;
  return new DataView(head.buffer, head.byteOffset).getUint32(4, true) === 0;
}

async function readOwn({ path }: Bytes): Promise<Found> {
  const { tensors, metadata } = await readSafetensors(path);
  const read = Array.from(tensors, ([name, { dtype, shape, data }]): [string, FileTensor] => {
    return [name, { dtype, shape, data: toFloat32(data) }];
  });
  return { tensors: new Map(read), metadata };
}

/** Without what stands before all names where a module was wrapped for several devices, compiled, or is part of a trainer. */
function withoutPrefix(tensors: Map<string, FileTensor>): Map<string, FileTensor> {
  let named = tensors;
  for (let prefix = prefixOf(named); prefix; prefix = prefixOf(named)) {
    const { length } = prefix;
    named = new Map(Array.from(named, ([name, tensor]) => [name.slice(length), tensor]));
  }
  return named;
}

const PREFIXES = ['module.', '_orig_mod.', 'netG.', 'net_g.', 'generator.'];

const prefixOf = (tensors: ReadonlyMap<string, FileTensor>): string | undefined =>
  tensors.size === 0
    ? undefined
    : PREFIXES.find((prefix) => [...tensors.keys()].every((name) => name.startsWith(prefix)));
