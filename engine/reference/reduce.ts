import type { Reference } from './array.ts';
import { axisOf, forEachIndex, linear, type PerAxis, strides } from './loops.ts';

interface ReduceAttrs {
  axes?: PerAxis;
}

/** Which axes go: one, several, or (by default) all. */
function reduced(rank: number, axes: PerAxis | undefined): boolean[] {
  const list = axes === undefined ? Array.from({ length: rank }, (_, a) => a) : [axes].flat();
  const result = new Array<boolean>(rank).fill(false);
  for (const axis of list) result[axisOf(axis, rank)] = true;
  return result;
}

/** y[kept] = weight · Σ_gone input[kept, gone]; the axes summed over disappear. */
function reduction(weight: (count: number) => number): Reference<ReduceAttrs> {
  return linear(
    (input, { axes }) => {
      const gone = reduced(input.length, axes);
      return input.filter((_, a) => !gone[a]);
    },
    (input, output, { axes }, visit) => {
      const gone = reduced(input.length, axes);
      const kept = strides(output);
      let next = 0;
      const steps = gone.map((isGone) => (isGone ? 0 : kept[next++]));
      const w = weight(input.reduce((count, n, a) => (gone[a] ? count * n : count), 1));
      forEachIndex(input, (index, position) => {
        let to = 0;
        for (let a = 0; a < index.length; a++) to += index[a] * steps[a];
        visit(to, position, w);
      });
    },
  );
}

/** Sum over `axes` (default all). */
export const sum = reduction(() => 1);

/** Mean over `axes` (default all). */
export const mean = reduction((count) => 1 / count);
