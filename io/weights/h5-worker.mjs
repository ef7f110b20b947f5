// The HDF5 library (C, compiled to WebAssembly) in a thread of its own: whatever a file does to it, the thread can be ended.
// It sees one file, in a file system of its own in memory, and nothing of this machine: datasets that name other files find
// none. A plain module, as threads load no TypeScript.
import { parentPort } from 'node:worker_threads';

const DEEPEST = 16;
const MOST_OBJECTS = 20_000;
const HEAP = 64 * 2 ** 20; // what the library itself may take, besides a file's numbers
const PAGE = 65_536;

let heapLimit = HEAP;
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * PAGE > heapLimit) throw new RangeError('the file asks for too much memory');
  return grow.call(this, pages); // a refusal reaches the library as memory that is not there
};
console.error = () => {}; // the library's own account of each error
console.log = () => {};

const { File, ready } = await import('h5wasm');
const library = await ready;

/** @param limit bytes that all numbers together may take @returns tensors as they stand, dtype by kind, size and sign */
function read(bytes, limit) {
  heapLimit = HEAP + limit;
  library.FS.createDataFile('/', 'weights.h5', bytes, true, false, true);
  const file = new File('/weights.h5', 'r');
  try {
    if (file.file_id < 0n) throw new Error('it cannot be opened');
    const tensors = [];
    const seen = { objects: 0, bytes: 0 };
    const walk = (group, path) => {
      for (const name of group.keys()) {
        if (++seen.objects > MOST_OBJECTS || path.length >= DEEPEST) throw new Error('its groups have no end');
        const entity = group.get(name);
        if (entity?.type === 'Group') walk(entity, [...path, name]);
        if (entity?.type === 'Dataset') tensors.push(...dataset(entity, [...path, name].join('/'), seen, limit));
      }
    };
    walk(file, []);
    return tensors;
  } finally {
    file.close();
    library.FS.unlink('/weights.h5');
  }
}

/** None for texts and records. The library turns numbers with the high byte first around. */
function dataset({ file_id, path, metadata }, name, seen, limit) {
  const { type, size, signed, shape } = metadata;
  const numbers = type === library.H5T_class_t.H5T_INTEGER.value || type === library.H5T_class_t.H5T_FLOAT.value;
  if (!numbers || !shape) return [];
  const length = shape.reduce((a, b) => a * b, size);
  seen.bytes += length;
  if (!(seen.bytes <= limit)) throw new Error(`${name} (${shape.join(', ')}) is more than the file can hold`);
  const at = library._malloc(Math.max(length, 1));
  if (at === 0) throw new Error(`${name} (${shape.join(', ')}) finds no memory`);
  try {
    if (length > 0 && library.get_dataset_data(file_id, path, null, null, null, BigInt(at)) < 0) {
      throw new Error(`${name} cannot be read`);
    }
    const values = library.HEAPU8.slice(at, at + length);
    const kind = type === library.H5T_class_t.H5T_FLOAT.value ? 'F' : signed ? 'I' : 'U';
    return [{ name, dtype: `${kind}${8 * size}`, item: size, shape, values }];
  } finally {
    library._free(at);
  }
}

parentPort.on('message', ({ bytes, limit }) => {
  try {
    const tensors = read(bytes, limit);
    const buffers = tensors.map(({ values }) => values.buffer);
    parentPort.postMessage({ tensors, sound: small() }, buffers);
  } catch (error) {
    const broken = error instanceof WebAssembly.RuntimeError; // an abort or a wild access: nothing in the library holds now
    parentPort.postMessage({ why: error?.message || 'it is damaged or truncated', sound: !broken && small() });
  }
});

/** Memory of WebAssembly grows and never shrinks: a large one ends with its thread. */
const small = () => library.HEAPU8.length <= HEAP;
