import { concat } from '../engine/ops/concat.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { slice } from '../engine/ops/slice.ts';
import type { Tensor } from '../engine/tensor.ts';

/** Frame t of a clip (N, C, T, H, W), as a picture (N, C, H, W). */
export function frameOf(x: Tensor, t: number): Tensor {
  const [n, c, , h, w] = x.shape;
  using scope = x.engine.scope();
  return scope.keep(reshape(slice(x, { axis: 2, start: t, end: t + 1 }), { shape: [n, c, h, w] }));
}

/** Tensors one after the other along an axis, joined by pairs so that each is copied a few times only. */
export function joined(tensors: readonly Tensor[], axis = 1): Tensor {
  const { engine } = tensors[0];
  using scope = engine.scope();
  let parts = tensors;
  while (parts.length > 1) {
    parts = Array.from({ length: Math.ceil(parts.length / 2) }, (_, i) => {
      const [a, b] = parts.slice(2 * i, 2 * i + 2);
      return b ? concat(a, b, { axis }) : a;
    });
  }
  return scope.keep(parts[0]);
}

/** Pictures (N, C, H, W) as the frames of a clip (N, C, T, H, W). */
export function clipOf(frames: readonly Tensor[]): Tensor {
  using scope = frames[0].engine.scope();
  const [n, c, h, w] = frames[0].shape;
  return scope.keep(
    joined(
      frames.map((x) => reshape(x, { shape: [n, c, 1, h, w] })),
      2,
    ),
  );
}
