import { shapeText } from '../../engine/errors.ts';
import type { HostTensor } from '../../engine/nn/module.ts';
import { decodeArray, type TensorData } from '../safetensors.ts';
import { refuse } from './byte-file.ts';

/** A tensor of a file, its numbers made float32 whatever they were. */
export interface FileTensor extends HostTensor {
  /** As it stands in the file, by safetensors' names: F32, F16, I64, ... */
  readonly dtype: string;
}

export const ITEM_BYTES: Readonly<Record<string, number>> = {
  ...{ F64: 8, F32: 4, F16: 2, BF16: 2 },
  ...{ I64: 8, U64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 },
};

export const toFloat32 = (data: TensorData): Float32Array => {
  if (data instanceof Float32Array) return data;
  const values = new Float32Array(data.length);
  for (let i = 0; i < values.length; i++) values[i] = Number(data[i]);
  return values;
};

export const decodeFloat32 = (dtype: string, bytes: ArrayBuffer): Float32Array => toFloat32(decodeArray(dtype, bytes));

const SLACK = 2 ** 26;

/**
 * What a file's numbers may take as float32: twice the file, and 64 MiB besides. Files of floats stay far below; what goes
 * beyond are views that show the same numbers again and again.
 */
export class Budget {
  #left: number;
  constructor(readonly file: { readonly path: string; readonly size: number }) {
    this.#left = 2 * file.size + SLACK;
  }
  /** @throws {FormatError} before something is made that the file is too small for */
  take(what: string, shape: readonly number[]): void {
    this.#left -= 4 * shape.reduce((a, b) => a * b, 1);
    if (this.#left >= 0) return;
    refuse(this.file, `${what} ${shapeText(shape)} is more than a file of ${this.file.size} bytes can hold`);
  }
}

export const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

const MOST_AXES = 16;
export const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MOST_AXES && value.every(isCount);

/** How many values a shape holds; NaN past 2^53. */
export const countOf = (shape: readonly number[]): number => {
  const count = shape.includes(0) ? 0 : shape.reduce((a, b) => a * b, 1);
  return Number.isSafeInteger(count) ? count : Number.NaN;
};
