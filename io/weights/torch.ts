import { ByteRange, type Bytes, Cursor, refuse } from './byte-file.ts';
import { type FileTensor, ITEM_BYTES } from './numbers.ts';
import { Persistent, readPickle, type Value } from './pickle.ts';
import { findTensors } from './state-dict.ts';
import { materialise, type StorageId, storageId } from './torch-tensors.ts';
import { readZip } from './zip.ts';

export interface TorchFile {
  readonly tensors: Map<string, FileTensor>;
  /** The keys that the tensors stood under: params_ema, state_dict. */
  readonly wrappers: readonly string[];
}

/**
 * PyTorch's format since 1.6: a zip of stored entries, data.pkl with the object, data/<key> with each storage.
 * @throws {FormatError} for what is damaged, truncated, hostile, or no checkpoint
 */
export function readTorchZip(file: Bytes): TorchFile {
  const entries = readZip(file);
  const found = [...entries.keys()].filter((name) => /(^|\/)data\.pkl$/.test(name));
  if (found.length !== 1) refuse(file, notTorch([...entries.keys()]));
  const folder = found[0].slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    refuse(
      file,
      'a TorchScript program: its weights are read from a checkpoint that torch.save(net.state_dict()) writes',
    );
  }
  const order = entries.get(`${folder}byteorder`)?.open();
  if (order && Buffer.from(order.read(0, Math.min(order.size, 8))).toString() !== 'little') {
    refuse(file, 'written on a machine of big-endian numbers');
  }
  const root = readPickle(new Cursor(entries.get(found[0])!.open(), 0), {
    persistent: (id) => new Persistent(id),
  });
  const { tensors, wrappers } = findTensors(file, root);
  const load = ({ key, dtype, count }: StorageId, begin: number, bytes: number) => {
    const entry = entries.get(`${folder}data/${key}`);
    if (!entry) return refuse(file, `storage ${key} is not in the zip`);
    const needed = count * ITEM_BYTES[dtype];
    if (entry.size < needed) refuse(file, `storage ${key} needs ${needed} bytes, the zip holds ${entry.size} of it`);
    return entry.open().read(begin, bytes);
  };
  return { tensors: materialise(file, tensors, load), wrappers };
}

function notTorch(names: readonly string[]): string {
  if (names.some((name) => name.endsWith('.npy'))) return 'a zip of numpy arrays (.npz), which is not read';
  if (names.includes('model.weights.h5')) return 'a Keras archive: unzip it and name the model.weights.h5 within';
  const some = names.slice(0, 5).map((name) => name.slice(0, 60));
  return `a zip, but no PyTorch checkpoint: expected one data.pkl in it, found ${some.join(', ') || 'nothing'}`;
}

const MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** Whether a file begins as torch.save did before 1.6: with the pickled number 0x1950a86a20f9469cfc6c. */
export const isTorchLegacy = (head: Uint8Array): boolean => MAGIC.every((byte, i) => head[i] === byte);

/**
 * PyTorch's format before 1.6: pickles of a magic number, the version, sizes of C's types, the object, the keys of the
 * storages; then for each key a count of elements (int64) and the elements.
 * @throws {FormatError} for what is damaged, truncated, hostile, or no checkpoint
 */
export function readTorchLegacy(file: Bytes): TorchFile {
  const cursor = new Cursor(file, MAGIC.length);
  const known = new Map<string, StorageId>();
  const persistent = (id: Value): Value => {
    const storage = storageId(file, id);
    if (storage) known.set(storage.key, storage);
    // A module's class comes with its source text, ('module', class, path, text), of which nothing is used.
    return !storage && Array.isArray(id) && id[0] === 'module' ? id[1] : new Persistent(id);
  };
  const [version, system, root, keys] = [0, 1, 2, 3].map(() => readPickle(cursor, { persistent }));
  if (version !== 1001) refuse(file, "another protocol of PyTorch's old format than 1001");
  if (system instanceof Map && system.get('little_endian') === false) {
    refuse(file, 'written on a machine of big-endian numbers');
  }
  const { tensors, wrappers } = findTensors(file, root);
  if (!Array.isArray(keys)) return refuse(file, 'the keys of its storages are no list: damaged');
  const places = new Map<string, Bytes>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? known.get(key) : undefined;
    if (!storage || places.has(storage.key)) return refuse(file, 'a storage is listed twice, or used by no tensor');
    const bytes = cursor.uint64() * ITEM_BYTES[storage.dtype];
    if (cursor.at + bytes > file.size) {
      refuse(file, `storage ${storage.key} needs ${bytes} bytes, ${file.size - cursor.at} are left: truncated`);
    }
    places.set(storage.key, new ByteRange(file, cursor.at, bytes));
    cursor.at += bytes;
  }
  const load = ({ key, dtype, count, offset }: StorageId, begin: number, bytes: number) => {
    const place = places.get(key);
    if (!place) return refuse(file, `storage ${key} is not in the file`);
    const needed = (offset + count) * ITEM_BYTES[dtype];
    if (place.size < needed) refuse(file, `storage ${key} needs ${needed} bytes, the file holds ${place.size} of it`);
    return place.read(begin, bytes);
  };
  return { tensors: materialise(file, tensors, load), wrappers };
}
