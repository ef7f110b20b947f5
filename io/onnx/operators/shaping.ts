import { axisOf } from '../../../engine/kernels/axis.ts';
import type { Extent } from '../graph.ts';
import type { Size } from '../sizes.ts';
import type { Emitter, Emitters } from './emitter.ts';

/** Beyond the end of every axis, as ONNX's Slice takes it. */
const END = 2 ** 31 - 1;

const concat: Emitter = {
  inputs: ['a', 'b'],
  attrs: ['axis'],
  emit: ({ graph, attrs, input, shape }) =>
    graph.op('Concat', [input('a').name, input('b').name], { axis: axisOf('concat', attrs.axis, shape) }),
};

const slice: Emitter = {
  inputs: ['input'],
  attrs: ['axis', 'start', 'end'],
  sized: ['start', 'end'],
  emit({ graph, attrs: { axis, start, end = END }, input }) {
    const x = input('input');
    return graph.slice(x.name, axisOf('slice', axis, x.shape), graph.size(start), graph.size(end));
  },
};

const MODES = { zeros: 'constant', replicate: 'edge', reflect: 'reflect' };

/** Pairs from the last axis backwards become befores, then afters, of all axes. */
const pad: Emitter = {
  inputs: ['input'],
  attrs: ['pad', 'mode'],
  sized: ['pad'],
  emit({ graph, attrs, input }) {
    const x = input('input');
    const amounts: (number | Size)[] = attrs.pad;
    const rank = x.shape.length;
    const at = (axis: number, side: number): Extent => graph.size(amounts[2 * (rank - 1 - axis) + side] ?? 0);
    const axes = x.shape.map((_, axis) => axis);
    const pads = [...axes.map((axis) => at(axis, 0)), ...axes.map((axis) => at(axis, 1))];
    return graph.op('Pad', [x.name, graph.vector(pads)], { mode: MODES[attrs.mode as keyof typeof MODES] });
  },
};

const reshape: Emitter = {
  inputs: ['input'],
  attrs: ['shape'],
  sized: ['shape'],
  emit: ({ graph, attrs, input }) =>
    graph.reshape(
      input('input').name,
      (attrs.shape as (number | Size)[]).map((n) => graph.size(n)),
    ),
};

const CLIP_AND_BACK = [0, 2, 1, 3, 4];

const framesToBatch: Emitter = {
  inputs: ['input'],
  attrs: [],
  emit({ graph, input }) {
    const x = input('input');
    return graph.reshape(graph.transpose(x.name, CLIP_AND_BACK), [-1, ...[1, 3, 4].map((axis) => x.dim(axis))]);
  },
};

const batchToFrames: Emitter = {
  inputs: ['input'],
  attrs: ['frames'],
  sized: ['frames'],
  emit({ graph, attrs, input }) {
    const [, c, h, w] = input('input').dims();
    const clips = graph.reshape(input('input').name, [-1, graph.size(attrs.frames), c, h, w]);
    return graph.transpose(clips, CLIP_AND_BACK);
  },
};

export const shaping: Emitters = {
  concat,
  slice,
  pad,
  reshape,
  frames_to_batch: framesToBatch,
  batch_to_frames: batchToFrames,
};
