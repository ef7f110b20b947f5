import type { Graph } from '../graph.ts';
import type { Emitter, Emitters } from './emitter.ts';

interface Shuffle {
  readonly factor: number;
  /** Of channels: PyTorch's, or TensorFlow's. */
  readonly order?: 'crd' | 'dcr';
}

/**
 * Pixel shuffle. DepthToSpace knows four axes; with frames, channels are taken apart as (N, C, r, r, D, H, W), and what belongs
 * together is brought together.
 * @param known sizes of the result that are always the same
 */
export function pixelShuffle(
  graph: Graph,
  x: string,
  known: readonly (number | undefined)[],
  { factor: r, order = 'crd' }: Shuffle,
): string {
  if (r === 1) return x;
  if (known.length === 4) return graph.op('DepthToSpace', [x], { blocksize: r, mode: order.toUpperCase() });
  const c = known[1]!;
  const [d, h, w] = [1, r, r].map((grown, i) => {
    const size = known[2 + i];
    return size === undefined ? graph.dim(x, 2 + i) : size / grown;
  });
  const [parts, perm] =
    order === 'crd'
      ? [
          [c, r, r],
          [1, 4, 5, 2, 6, 3],
        ]
      : [
          [r, r, c],
          [3, 4, 5, 1, 6, 2],
        ];
  const apart = graph.op('Reshape', [x, graph.vector([0, ...parts, d, h, w])]);
  const together = graph.transpose(apart, [0, ...perm]);
  return graph.op('Reshape', [together, graph.vector([0, c, d, graph.calc('Mul', h, r), graph.calc('Mul', w, r)])]);
}

const shuffle: Emitter = {
  inputs: ['input'],
  attrs: ['factor', 'order'],
  emit: ({ graph, attrs, input, known }) => pixelShuffle(graph, input('input').name, known, attrs),
};

/** (N, C, D?, H, W) to (N, C, D?, H/r, r, W/r, r), what becomes channels to the front, and together. */
const unshuffle: Emitter = {
  inputs: ['input'],
  attrs: ['factor', 'order'],
  emit({ graph, attrs: { factor: r, order = 'crd' }, input, shape }) {
    const x = input('input');
    if (r === 1) return x.name;
    const rank = x.shape.length;
    const frames = rank === 5 ? [x.dim(2)] : [];
    const [h, w] = [x.dim(rank - 2), x.dim(rank - 1)].map((n) => graph.calc('Div', n, r));
    const apart = graph.op('Reshape', [x.name, graph.vector([0, x.shape[1], ...frames, h, r, w, r])]);
    const [row, column] = [rank - 1, rank + 1];
    const channels = order === 'crd' ? [1, row, column] : [row, column, 1];
    const together = graph.transpose(apart, [0, ...channels, ...frames.map(() => 2), rank - 2, rank]);
    return graph.op('Reshape', [together, graph.vector([0, shape[1], ...frames, h, w])]);
  },
};

export const shuffles: Emitters = { pixel_shuffle: shuffle, pixel_unshuffle: unshuffle };
