// The HDF5 library (C, compiled to WebAssembly) in a thread of its own: whatever a file does to it, the thread can be ended.
// It sees one file, in a file system of its own in memory, and nothing of this machine: datasets that name other files find
// none. A plain module, as threads load no TypeScript.
import { parentPort } from 'node:worker_threads';

const DEEPEST = 16;
const MOST_OBJECTS = 20_000;
const HEAP = 64 * 2 ** 20; // what the library itself may take, besides a file's numbers
const PAGE = 65_536;
const STRETCH = 2 ** 24;

let heapLimit = HEAP;
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * PAGE > heapLimit) throw new RangeError('the file asks for too much memory');
  return grow.call(this, pages); // a refusal reaches the library as memory that is not there
};
console.error = () => {}; // the library's own account of each error
console.log = () => {};

/** What we say ourselves: the library's own words are of no help. */
class Refusal extends Error {}

const { File, ready } = await import('h5wasm');
const library = await ready;

/** @param limit bytes that all numbers together may take @returns tensors as they stand, dtype by kind and size */
function read(bytes, limit) {
  heapLimit = HEAP + limit;
  let file;
  try {
    library.FS.createDataFile('/', 'weights.h5', bytes, true, false, true);
    file = new File('/weights.h5', 'r');
    if (file.file_id < 0n) throw new Refusal('it is damaged or truncated');
    return tensorsIn(file, [], { objects: 0, bytes: 0, limit });
  } finally {
    file?.close();
    library.FS.unlink('/weights.h5');
  }
}

function tensorsIn(group, path, seen) {
  return group.keys().flatMap((name) => {
    if (++seen.objects > MOST_OBJECTS || path.length >= DEEPEST) throw new Refusal('its groups have no end');
    const entity = group.get(name);
    if (entity?.type === 'Group') return tensorsIn(entity, [...path, name], seen);
    return entity?.type === 'Dataset' ? dataset(entity, [...path, name].join('/'), seen) : [];
  });
}

/** None for texts and records. The library turns numbers with the high byte first around. */
function dataset(set, name, seen) {
  const { type, size, signed, shape } = set.metadata;
  const kinds = library.H5T_class_t;
  if ((type !== kinds.H5T_INTEGER.value && type !== kinds.H5T_FLOAT.value) || !shape) return [];
  const what = `${name} (${shape.join(', ')})`;
  const length = shape.reduce((a, b) => a * b, size);
  seen.bytes += length;
  if (!(seen.bytes <= seen.limit)) throw new Refusal(`${what} is more than the file can hold`);
  const values = new Uint8Array(length);
  if (length > 0) readInto(values, set, what);
  const dtype = `${type === kinds.H5T_FLOAT.value ? 'F' : signed ? 'I' : 'U'}${8 * size}`;
  return [{ name, dtype, item: size, shape, values }];
}

/** By stretches of the first axis, so that a large data set does not stand in memory a third time. */
function readInto(values, { file_id, path, metadata: { shape } }, what) {
  const [first = 1, ...rest] = shape;
  const row = values.length / first;
  const rows = Math.min(Math.max(1, Math.floor(STRETCH / row)), first);
  const at = library._malloc(rows * row);
  if (at === 0) throw new Refusal(`${what} finds no memory`);
  try {
    for (let begin = 0; begin < first; begin += rows) {
      const count = Math.min(rows, first - begin);
      const part =
        shape.length === 0 ? [null, null, null] : [[count, ...rest], [begin, ...zeros(rest)], shape.map(() => 1)];
      const [counts, offsets, steps] = part.map((numbers) => numbers?.map(BigInt) ?? null);
      const status = library.get_dataset_data(file_id, path, counts, offsets, steps, BigInt(at));
      if (status < 0) throw new Refusal(`${what} cannot be read`);
      values.set(library.HEAPU8.subarray(at, at + count * row), begin * row);
    }
  } finally {
    library._free(at);
  }
}

const zeros = (axes) => axes.map(() => 0);

parentPort.on('message', ({ bytes, limit }) => {
  try {
    const tensors = read(bytes, limit);
    const buffers = tensors.map(({ values }) => values.buffer);
    parentPort.postMessage({ tensors, sound: small() }, buffers);
  } catch (error) {
    const broken = error instanceof WebAssembly.RuntimeError; // an abort or a wild access: nothing in the library holds now
    const why = error instanceof Refusal ? error.message : 'it is damaged or truncated';
    parentPort.postMessage({ why, sound: !broken && small() });
  }
});

/** Memory of WebAssembly grows and never shrinks: a large one ends with its thread. */
const small = () => library.HEAPU8.length <= HEAP;
