import { dirname, join } from 'node:path';
import { shapeText } from '../../engine/errors.ts';
import { parseForeign } from '../../engine/nn/foreign-json.ts';
import { ByteFile, type Bytes, refuse } from './byte-file.ts';
import { Budget, countOf, decodeFloat32, type FileTensor, ITEM_BYTES, isShape } from './numbers.ts';

/** TensorFlow.js' dtypes by safetensors' names. */
const DTYPES: Readonly<Record<string, string>> = {
  ...{ float32: 'F32', float16: 'F16', int32: 'I32', uint8: 'U8', uint16: 'U16', bool: 'BOOL' },
};
const MOST_SHARDS = 10_000;
const LONGEST_JSON = 2 ** 24;

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  /** What lies in the shards: the quantised type, where there is one. */
  readonly dtype: string;
  /** value = scale · stored + min */
  readonly scale: number;
  readonly min: number;
}

/**
 * A TensorFlow.js model: model.json lists weights whose values follow one another, without padding, in the shards beside it.
 * Quantised ones are scaled back: value = scale · stored + min.
 * @throws {FormatError} for a file that is no such model, for shards that are missing or of the wrong size
 */
export function readTfjs(file: Bytes): Map<string, FileTensor> {
  const tensors = new Map<string, FileTensor>();
  for (const { paths, weights } of manifestOf(file)) {
    const bytes = shards(file, paths);
    const budget = new Budget({ path: file.path, size: bytes.length });
    const needed = weights.reduce((sum, { shape, dtype }) => sum + countOf(shape) * ITEM_BYTES[dtype], 0);
    if (needed !== bytes.length) {
      refuse(file, `its weights take ${needed} bytes, its shards hold ${bytes.length}: truncated, or of another model`);
    }
    let at = 0;
    for (const { name, shape, dtype, scale, min } of weights) {
      if (tensors.has(name)) refuse(file, `weight ${name} is there twice`);
      budget.take(`weight ${name}`, shape);
      const length = countOf(shape) * ITEM_BYTES[dtype];
      const data = decodeFloat32(dtype, bytes.slice(at, at + length).buffer);
      if (scale !== 1 || min !== 0) for (let i = 0; i < data.length; i++) data[i] = data[i] * scale + min;
      tensors.set(name, { dtype, shape, data });
      at += length;
    }
  }
  return tensors;
}

function manifestOf(file: Bytes): { paths: string[]; weights: Weight[] }[] {
  if (file.size > LONGEST_JSON)
    refuse(file, `JSON of ${file.size} bytes: a model.json describes weights, it holds none`);
  let json: unknown;
  try {
    json = parseForeign(file.read(0, file.size));
  } catch (error) {
    refuse(file, `begins as JSON does, but is none: ${(error as Error).message}`);
  }
  const manifest = (json as Record<string, unknown> | null)?.weightsManifest;
  if (!Array.isArray(manifest)) return refuse(file, 'JSON, but no model of TensorFlow.js: it has no weightsManifest');
  return manifest.map((group) => {
    const { paths, weights } = (group ?? {}) as Record<string, unknown>;
    if (!Array.isArray(paths) || paths.length > MOST_SHARDS || !paths.every((path) => typeof path === 'string')) {
      return refuse(file, 'its weightsManifest names no files');
    }
    if (!Array.isArray(weights)) return refuse(file, 'its weightsManifest lists no weights');
    return { paths, weights: weights.map((weight) => checkedWeight(file, weight)) };
  });
}

function checkedWeight(file: Bytes, value: unknown): Weight {
  const { name, shape, dtype: type, quantization } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string') return refuse(file, 'a weight without a name');
  if (!isShape(shape) || Number.isNaN(countOf(shape)))
    return refuse(file, `weight ${name} has no shape of whole numbers`);
  const { dtype: stored = type, scale = 1, min = 0 } = (quantization ?? {}) as Record<string, unknown>;
  const dtype = typeof stored === 'string' && Object.hasOwn(DTYPES, stored) ? DTYPES[stored] : undefined;
  if (!dtype) return refuse(file, `weight ${name} ${shapeText(shape)} is of type ${stored}, which is not read`);
  const finite = (n: unknown): n is number => typeof n === 'number' && Number.isFinite(n);
  if (!finite(scale) || !finite(min))
    return refuse(file, `weight ${name} has no scale and minimum to undo its quantization`);
  return { name, shape, dtype, scale, min };
}

/** Shards lie beside the model.json: a name that leads elsewhere is not followed. */
function shards(file: Bytes, names: readonly string[]): Uint8Array<ArrayBuffer> {
  const parts = names.map((name) => {
    if (!/^[\w.-]*\w[\w.-]*$/.test(name))
      refuse(file, `a shard named ${JSON.stringify(name)}: expected a file beside it`);
    try {
      using shard = new ByteFile(join(dirname(file.path), name));
      return shard.read(0, shard.size);
    } catch (error) {
      return refuse(file, `of its shards, ${(error as Error).message}`);
    }
  });
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
