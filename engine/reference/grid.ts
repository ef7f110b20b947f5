import { type NDArray, type Reference, zeros } from './array.ts';
import { linear } from './loops.ts';

interface SampleAttrs {
  padding_mode?: 'zeros' | 'border';
  align_corners?: boolean;
}

/** A coordinate in pixels for one from -1 to 1, and its derivative: 0 where the border holds it fast. */
function place(g: number, n: number, { padding_mode, align_corners }: SampleAttrs): [position: number, slope: number] {
  const slope = (align_corners ? n - 1 : n) / 2;
  const position = (n - 1) / 2 + g * slope;
  if (padding_mode !== 'border') return [position, slope];
  if (position <= 0) return [0, 0];
  return position >= n - 1 ? [n - 1, 0] : [position, slope];
}

/**
 * Calls visit for each of the four pixels that a value is mixed from, if they lie within the image: `n` the sample, `p` the
 * place in its plane, `q` the pixel in its plane, the weight, and the weight's derivatives by the grid's x and y.
 */
type Part = (n: number, p: number, q: number, weight: number, dx: number, dy: number) => void;
function forEachPart(image: NDArray, grid: NDArray, attrs: SampleAttrs, visit: Part): void {
  const [batch, , height, width] = image.shape;
  const places = grid.shape[2] * grid.shape[3];
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < places; p++) {
      const [x, slopeX] = place(grid.data[2 * n * places + p], width, attrs);
      const [y, slopeY] = place(grid.data[(2 * n + 1) * places + p], height, attrs);
      for (const qy of [Math.floor(y), Math.floor(y) + 1])
        for (const qx of [Math.floor(x), Math.floor(x) + 1]) {
          if (qx < 0 || qx >= width || qy < 0 || qy >= height) continue;
          const [wx, wy] = [1 - Math.abs(x - qx), 1 - Math.abs(y - qy)];
          visit(n, p, qy * width + qx, wx * wy, (qx > x ? slopeX : -slopeX) * wy, (qy > y ? slopeY : -slopeY) * wx);
        }
    }
}

/** Bilinear sampling at places from -1 to 1, as PyTorch's grid_sample; the grid is (N, 2, H', W'), x before y. */
export const gridSample: Reference<SampleAttrs> = {
  forward({ image, grid }, attrs) {
    const [batch, channels, height, width] = image.shape;
    const [, , rows, columns] = grid.shape;
    const y = zeros([batch, channels, rows, columns]);
    forEachPart(image, grid, attrs, (n, p, q, weight) => {
      for (let c = 0; c < channels; c++) {
        const plane = n * channels + c;
        y.data[plane * rows * columns + p] += weight * image.data[plane * height * width + q];
      }
    });
    return y;
  },
  backward(g, { image, grid }, attrs) {
    const [, channels, height, width] = image.shape;
    const places = grid.shape[2] * grid.shape[3];
    const [dImage, dGrid] = [zeros(image.shape), zeros(grid.shape)];
    forEachPart(image, grid, attrs, (n, p, q, weight, dx, dy) => {
      for (let c = 0; c < channels; c++) {
        const plane = n * channels + c;
        const slope = g.data[plane * places + p];
        const value = image.data[plane * height * width + q];
        dImage.data[plane * height * width + q] += weight * slope;
        dGrid.data[2 * n * places + p] += dx * value * slope;
        dGrid.data[(2 * n + 1) * places + p] += dy * value * slope;
      }
    });
    return { image: dImage, grid: dGrid };
  },
};

interface GridAttrs {
  size: readonly [number, number];
  align_corners?: boolean;
}

const affine: Reference<GridAttrs> = linear(
  ([n], { size }) => [n, 2, ...size],
  (_input, [batch, , height, width], { align_corners }, visit) => {
    const along = (i: number, n: number) => (2 * i + 1 - n) / (align_corners ? Math.max(n - 1, 1) : n);
    let to = 0;
    for (let n = 0; n < batch; n++)
      for (let row = 0; row < 2; row++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const first = (2 * n + row) * 3;
            visit(to, first, along(x, width));
            visit(to, first + 1, along(y, height));
            visit(to++, first + 2, 1);
          }
  },
);

/** grid[n, :, y, x] = theta[n] · (X, Y, 1)ᵀ, X and Y from -1 to 1 over width and height, as PyTorch's affine_grid. */
export const affineGrid: Reference<GridAttrs> = {
  forward: ({ theta }, attrs) => affine.forward({ input: theta }, attrs),
  backward: (dy, { theta }, attrs) => ({ theta: affine.backward(dy, { input: theta }, attrs).input }),
};
