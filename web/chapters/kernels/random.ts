import { Random } from '../../../engine/random.ts';
import { type NDArray, zeros } from '../../../engine/reference/array.ts';

/** Values that floats hold exactly, so that kernel and reference begin alike. */
export function random(seed: number, shape: readonly number[], value = (u: number) => 2 * u - 1): NDArray {
  const array = zeros(shape);
  const numbers = new Random(seed);
  for (let i = 0; i < array.data.length; i++) array.data[i] = Math.fround(value(numbers.uniform()));
  return array;
}
