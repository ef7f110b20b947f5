import type { Reference } from './array.ts';
import { linear } from './loops.ts';

interface ShuffleAttrs {
  factor: number;
  order?: 'crd' | 'dcr';
}

/** Calls visit(position in (N, C, D?, H·r, W·r), position in (N, C·r², D?, H, W)) for each element; `shape` is the second. */
function forEachPair(
  shape: readonly number[],
  { factor: r, order = 'crd' }: ShuffleAttrs,
  visit: (wide: number, deep: number) => void,
): void {
  const channels = shape[1] / (r * r);
  const depth = shape.length === 5 ? shape[2] : 1;
  const [height, width] = shape.slice(-2);
  for (let n = 0; n < shape[0]; n++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < r; i++)
        for (let j = 0; j < r; j++)
          for (let d = 0; d < depth; d++)
            for (let h = 0; h < height; h++)
              for (let w = 0; w < width; w++) {
                const row = ((n * channels + c) * depth + d) * height * r + h * r + i;
                const k = order === 'crd' ? c * r * r + i * r + j : (i * r + j) * channels + c;
                const frame = (n * shape[1] + k) * depth + d;
                visit(row * width * r + w * r + j, (frame * height + h) * width + w);
              }
}

/**
 * Sub-pixel rearrangement (Shi et al. 2016, eq. 4, with PyTorch's order of channels), frame by frame in five dimensions:
 * y[n, c, d, h·r + i, w·r + j] = input[n, c·r² + i·r + j, d, h, w], or with TensorFlow's order of channels (`dcr`)
 * input[n, (i·r + j)·C + c, d, h, w].
 */
export const pixelShuffle: Reference<ShuffleAttrs> = linear(
  ([n, c, ...spatial], { factor }) => [
    n,
    c / factor ** 2,
    ...spatial.slice(0, -2),
    ...spatial.slice(-2).map((s) => s * factor),
  ],
  (input, _output, attrs, visit) => forEachPair(input, attrs, (wide, deep) => visit(wide, deep, 1)),
);

/** The inverse of pixel_shuffle: (N, C, D?, H·r, W·r) to (N, C·r², D?, H, W). */
export const pixelUnshuffle: Reference<ShuffleAttrs> = linear(
  ([n, c, ...spatial], { factor }) => [
    n,
    c * factor ** 2,
    ...spatial.slice(0, -2),
    ...spatial.slice(-2).map((s) => s / factor),
  ],
  (_input, output, attrs, visit) => forEachPair(output, attrs, (wide, deep) => visit(deep, wide, 1)),
);
