import wgsl from '../../shaders/reduce.wgsl';
import type { Engine } from '../engine.ts';
import { Kernel } from '../kernel.ts';
import { type Storage, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('reduce', wgsl);
/** Terms that one thread adds: enough work for a thread, and enough threads for a device. Fixed, so sums repeat. */
export const CHUNK = 64;

/**
 * out = scale · Σ over the middle axis of x seen as (outer, middle, inner), inner counted in vec4.
 * @param out receives outer·inner vec4, in passes of a fixed order
 */
export function sumMiddle(
  engine: Engine,
  x: Tensor | Storage,
  view: { outer: number; middle: number; inner: number },
  out: Tensor | Storage,
  scale = 1,
): void {
  const { outer, middle, inner } = view;
  const chunks = Math.ceil(middle / CHUNK);
  if (chunks > 1) {
    using parts = engine.raw(outer * chunks * inner * 16);
    pass(engine, x, view, chunks, parts, 1);
    sumMiddle(engine, parts, { outer, middle: chunks, inner }, out, scale);
  } else pass(engine, x, view, chunks, out, scale);
}

function pass(
  engine: Engine,
  x: Tensor | Storage,
  { outer, middle, inner }: { outer: number; middle: number; inner: number },
  chunks: number,
  out: Tensor | Storage,
  scale: number,
): void {
  engine.run(kernel, 'middle', {
    bind: { x, out },
    uniforms: { middle, inner, chunks, scale },
    threads: outer * chunks * inner,
    flops: outer * middle * inner * 4,
  });
}

/** Adds the four lanes of each vec4 of x, times scale, into the first lane of out. */
export function sumLanes(engine: Engine, x: Tensor | Storage, out: Tensor, scale = 1): void {
  engine.run(kernel, 'lanes', {
    bind: { x, out },
    uniforms: { middle: 1, inner: 1, chunks: 1, scale },
    threads: out.bytes / 16,
    flops: out.bytes / 4,
  });
}

interface Axis {
  readonly length: number;
  readonly gone: boolean;
}

type View = Parameters<typeof sumMiddle>[2];

/** How values along one axis become one. */
export interface Fold {
  /** As sumMiddle; `first` and `last` say where in the row of passes over the axes this one stands. */
  middle(x: Tensor | Storage, view: View, out: Tensor | Storage, first: boolean, last: boolean): void;
  /** As sumLanes. */
  lanes(x: Storage, out: Tensor): void;
}

/** An image folded over the axes that `gone` marks; each of them stays with size 1. */
export function foldAxes(engine: Engine, x: Tensor, gone: readonly boolean[], fold: Fold): Tensor {
  const out = engine.empty(x.shape.map((n, axis) => (gone[axis] ? 1 : n)));
  const channelAxis = Math.min(x.shape.length, 2) - 1;
  const all: Axis[] = x.shape.map((length, axis) => ({ length, gone: gone[axis] }));
  const [channels] = channelAxis < 0 ? [{ length: 1, gone: false }] : all.splice(channelAxis, 1);
  const quads = Math.ceil(channels.length / 4);

  // Neighbours in memory that go together are one axis; what is left alternates.
  const axes: Axis[] = [];
  for (const { length, gone } of [...all, { length: quads, gone: channels.gone }]) {
    const last = axes.at(-1);
    if (length === 1) continue;
    if (last?.gone === gone) axes[axes.length - 1] = { length: last.length * length, gone };
    else axes.push({ length, gone });
  }
  if (channels.gone) {
    using columns = engine.raw(out.bytes);
    foldRuns(engine, x, axes, columns, fold);
    fold.lanes(columns, out);
  } else foldRuns(engine, x, axes, out, fold);
  return out;
}

/** Folds over the axes that go, the innermost first. */
function foldRuns(
  engine: Engine,
  x: Tensor | Storage,
  axes: readonly Axis[],
  out: Tensor | Storage,
  fold: Fold,
  first = true,
): void {
  const product = (list: readonly Axis[]) => size(list.map((a) => a.length));
  const at = axes.findLastIndex((a) => a.gone);
  const [before, after] = [axes.slice(0, Math.max(at, 0)), axes.slice(at + 1)];
  // Where nothing goes, a sum over one term is a copy.
  const view = { outer: product(before), middle: at < 0 ? 1 : axes[at].length, inner: product(after) };
  if (before.some((a) => a.gone)) {
    using part = engine.raw(view.outer * view.inner * 16);
    fold.middle(x, view, part, first, false);
    foldRuns(engine, part, [...before, ...after], out, fold, false);
  } else fold.middle(x, view, out, first, true);
}

/** scale · Σ of an image over the axes that `gone` marks; each of them stays with size 1. */
export function sumAxes(engine: Engine, x: Tensor, gone: readonly boolean[], scale = 1): Tensor {
  const lanesFollow = gone[Math.min(x.shape.length, 2) - 1];
  return foldAxes(engine, x, gone, {
    middle: (from, view, out, _, last) => sumMiddle(engine, from, view, out, last && !lanesFollow ? scale : 1),
    lanes: (from, out) => sumLanes(engine, from, out, scale),
  });
}
