import { shapeText } from '../../engine/errors.ts';
import { type Bytes, refuse } from './byte-file.ts';
import { Budget, countOf, decodeFloat32, type FileTensor, ITEM_BYTES, isCount, isShape } from './numbers.ts';
import { Call, Name, Persistent, type Value } from './pickle.ts';

const DTYPES: ReadonlyMap<string, string> = new Map([
  ...([
    ['Double', 'F64'],
    ['Float', 'F32'],
    ['Half', 'F16'],
    ['BFloat16', 'BF16'],
  ] as const),
  ...([
    ['Long', 'I64'],
    ['Int', 'I32'],
    ['Short', 'I16'],
    ['Char', 'I8'],
    ['Byte', 'U8'],
    ['Bool', 'BOOL'],
  ] as const),
]);

const LONGEST_KEY = 100;

/** A storage: numbers that tensors are views of. */
export interface StorageId {
  readonly dtype: string;
  readonly key: string;
  /** Elements. */
  readonly count: number;
  /** Where a storage that is itself a view begins in its root, in elements. */
  readonly offset: number;
}

export interface TorchTensor {
  readonly storage: StorageId;
  /** In elements. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

/** ('storage', torch.FloatStorage, key, location, elements, view); the location, such as cuda:0, does not matter. */
export function storageId(file: Bytes, id: Value): StorageId | undefined {
  if (!Array.isArray(id) || id[0] !== 'storage') return undefined;
  const [, type, key, , count, view] = id;
  const dtype = type instanceof Name ? DTYPES.get(/^torch\.(\w+)Storage$/.exec(type.text)?.[1] ?? '') : undefined;
  if (!dtype) refuse(file, `a storage of a type that is not read: ${type instanceof Name ? type.text : typeof type}`);
  if (typeof key !== 'string' || key.length > LONGEST_KEY || !isCount(count)) {
    refuse(file, 'a storage without a key and a count');
  }
  if (!Array.isArray(view)) return { dtype, key, count, offset: 0 };
  const [, offset, part] = view;
  const inside = isCount(offset) && isCount(part) && offset + part <= count;
  if (!inside) refuse(file, `storage ${key}: a view that reaches past its ${count} elements`);
  return { dtype, key, count: part as number, offset: offset as number };
}

/**
 * A tensor by the calls that would make one: _rebuild_tensor(storage, offset, size, stride) and _v2, and what wraps them in
 * a parameter. Undefined for everything else.
 */
export function tensorOf(file: Bytes, value: Value): TorchTensor | undefined {
  let call = value;
  for (let depth = 0; depth < 8; depth++) {
    const name = call instanceof Call && call.callee instanceof Name ? call.callee.text : '';
    if (!(call instanceof Call)) return undefined;
    if (name === 'torch._utils._rebuild_tensor' || name === 'torch._utils._rebuild_tensor_v2') {
      return rebuilt(file, call.args);
    }
    if (name !== 'torch._utils._rebuild_parameter' && name !== 'torch.nn.parameter.Parameter') return undefined;
    call = call.args[0] ?? null;
  }
  return undefined;
}

function rebuilt(file: Bytes, [from, offset, size, stride]: readonly Value[]): TorchTensor {
  const storage = from instanceof Persistent ? storageId(file, from.id) : undefined;
  const shape = size instanceof Call ? (size.args[0] ?? []) : size; // torch.Size(...)
  if (!storage || !isCount(offset) || !isShape(shape) || !isShape(stride) || shape.length !== stride.length) {
    return refuse(file, 'a tensor whose storage, offset, sizes and strides are not what PyTorch writes');
  }
  if (!isCount(countOf(shape))) refuse(file, `a tensor of shape ${shapeText(shape)}: more values than any file holds`);
  const last = shape.reduce((at, n, i) => at + (n - 1) * stride[i], offset);
  if (!shape.includes(0) && !(last < storage.count)) {
    refuse(file, `a tensor of shape ${shapeText(shape)} reaches past the ${storage.count} elements of its storage`);
  }
  return { storage, offset, shape, stride };
}

/** The bytes of a storage from `begin` on. */
export type LoadStorage = (storage: StorageId, begin: number, bytes: number) => Uint8Array<ArrayBuffer>;

/**
 * The numbers of tensors, row major, in their order. Each storage is read once, as far as its tensors reach: a slice is saved
 * with the whole that it was cut from. Equal views of it (tied weights) become one array.
 */
export function materialise(
  file: Bytes,
  tensors: ReadonlyMap<string, TorchTensor>,
  load: LoadStorage,
): Map<string, FileTensor> {
  const budget = new Budget(file);
  const views = new Map<string, Map<string, TorchTensor>>(); // by storage, then by view
  const keyOf = ({ storage, offset, shape, stride }: TorchTensor): [storage: string, view: string] => [
    `${storage.dtype} ${storage.key}`,
    [storage.offset + offset, shape, stride].join('|'),
  ];
  for (const [name, tensor] of tensors) {
    const [storage, view] = keyOf(tensor);
    const own = views.get(storage) ?? new Map<string, TorchTensor>();
    if (!own.has(view)) budget.take(`tensor ${name}`, tensor.shape);
    views.set(storage, own.set(view, tensor));
  }
  const made = new Map<string, FileTensor>();
  for (const [storage, own] of views) {
    for (const [view, tensor] of valuesOf([...own], load)) made.set(`${storage} ${view}`, tensor);
  }
  return new Map(Array.from(tensors, ([name, tensor]) => [name, made.get(keyOf(tensor).join(' ')) as FileTensor]));
}

/** All views of one storage. */
function* valuesOf(
  views: readonly (readonly [string, TorchTensor])[],
  load: LoadStorage,
): Generator<[view: string, FileTensor]> {
  const [[, { storage }]] = views;
  const { dtype } = storage;
  const item = ITEM_BYTES[dtype];
  const spans = views.map(([, { storage, offset, shape, stride }]) => {
    const begin = storage.offset + offset;
    const reach = shape.includes(0) ? 0 : shape.reduce((sum, n, i) => sum + (n - 1) * stride[i], 1);
    return { begin, end: begin + reach };
  });
  const first = Math.min(...spans.map(({ begin }) => begin));
  const last = Math.max(...spans.map(({ end }) => end));
  const bytes = load(storage, first * item, (last - first) * item);
  for (const [i, [view, { shape, stride }]] of views.entries()) {
    const [begin, end] = [spans[i].begin - first, spans[i].end - first];
    const plain = isRowMajor(shape, stride);
    const whole = plain && views.length === 1; // the array itself, no copy
    const own = whole
      ? bytes
      : plain
        ? bytes.slice(begin * item, end * item)
        : gather(bytes, begin, shape, stride, item);
    yield [view, { dtype, shape, data: decodeFloat32(dtype, own.buffer) }];
  }
}

/** The items of a strided view one after the other. */
function gather(
  bytes: Uint8Array,
  begin: number,
  shape: readonly number[],
  stride: readonly number[],
  item: number,
): Uint8Array<ArrayBuffer> {
  const count = countOf(shape);
  const out = new Uint8Array(count * item);
  const at = shape.map(() => 0);
  for (let i = 0, from = begin; i < count; i++) {
    for (let k = 0; k < item; k++) out[i * item + k] = bytes[from * item + k];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis];
      if (++at[axis] < shape[axis]) break;
      from -= at[axis] * stride[axis];
      at[axis] = 0;
    }
  }
  return out;
}

function isRowMajor(shape: readonly number[], stride: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}
