import { pad } from '../engine/ops/pad.ts';
import { slice } from '../engine/ops/slice.ts';
import type { Tensor } from '../engine/tensor.ts';

/** x with its last rows and columns repeated until height and width are multiples of `multiple`, as strides and pools want. */
export function padded(x: Tensor, multiple: number): Tensor {
  const [bottom, right] = x.shape.slice(-2).map((n) => Math.ceil(n / multiple) * multiple - n);
  return bottom + right === 0 ? x : pad(x, { pad: [0, right, 0, bottom], mode: 'replicate' });
}

/** The upper left h x w pixels of x. */
export function cropped(x: Tensor, h: number, w: number): Tensor {
  const rank = x.shape.length;
  const rows = x.shape[rank - 2] === h ? x : slice(x, { axis: rank - 2, end: h });
  return x.shape[rank - 1] === w ? rows : slice(rows, { axis: rank - 1, end: w });
}
