import type { Storage, Tensor } from '../../tensor.ts';
import { sumMiddle } from '../reduce.ts';
import { ceilDiv, volume } from './geometry.ts';
import type { Correlation } from './phase.ts';

/**
 * Parts of a weight gradient: runs of rows, by shape alone, so that sums repeat. About 2,048 terms each, at most 64 MiB in all.
 */
export function countChunks({ dense, out }: Correlation): number {
  const [d, h, w] = volume(dense.shape);
  const rows = dense.shape[0] * d * h;
  const byTerms = ceilDiv(rows * w, 2048);
  const byMemory = Math.max(1, Math.floor(2 ** 26 / out.bytes));
  return Math.min(byTerms, byMemory, rows, 64);
}

/** Lets `launch` fill one part per chunk and adds the parts in their order; a single part is the result itself. */
export function inChunks({ engine, out }: Correlation, chunks: number, launch: (part: Tensor | Storage) => void): void {
  if (chunks === 1) {
    launch(out);
    return;
  }
  using part = engine.raw(out.bytes * chunks);
  launch(part);
  sumMiddle(engine, part, { outer: 1, middle: chunks, inner: out.bytes / 16 }, out);
}
