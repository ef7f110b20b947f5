import { type NDArray, type Reference, zeros } from './array.ts';

interface WarpAttrs {
  padding_mode?: 'zeros' | 'border';
}

/** A coordinate after the border rule, and its derivative: 0 where the rule holds it fast, as grid_sample has it. */
function place(coordinate: number, last: number, mode: 'zeros' | 'border'): [position: number, slope: number] {
  if (mode === 'zeros') return [coordinate, 1];
  if (coordinate <= 0) return [0, 0];
  if (coordinate >= last) return [last, 0];
  return [coordinate, 1];
}

/** The four pixels around (x, y) in one plane; pixels outside the image count as zero. */
type Corner = (pixel: number, weight: number, dx: number, dy: number) => void;
function forEachCorner(x: number, y: number, height: number, width: number, visit: Corner): void {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const fx = x - x0;
  const fy = y - y0;
  for (let j = 0; j < 2; j++)
    for (let i = 0; i < 2; i++) {
      if (x0 + i < 0 || x0 + i >= width || y0 + j < 0 || y0 + j >= height) continue;
      const [wx, wy] = [i ? fx : 1 - fx, j ? fy : 1 - fy];
      visit((y0 + j) * width + x0 + i, wx * wy, (i ? 1 : -1) * wy, (j ? 1 : -1) * wx);
    }
}

/** Runs over (plane of image and output, pixel p, image coordinates p + flow(p), their slopes). */
function forEachSample(
  image: NDArray,
  flow: NDArray,
  mode: 'zeros' | 'border',
  visit: (n: number, p: number, x: readonly [number, number], y: readonly [number, number]) => void,
): void {
  const [batch, , height, width] = image.shape;
  const pixels = height * width;
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < pixels; p++) {
      const u = flow.data[2 * n * pixels + p];
      const v = flow.data[(2 * n + 1) * pixels + p];
      visit(n, p, place((p % width) + u, width - 1, mode), place(Math.floor(p / width) + v, height - 1, mode));
    }
}

/**
 * Backward warping: y[n, c, p] = image[n, c, p + flow(p)], bilinear, flow[n, 0] to the right and flow[n, 1] down, in pixels.
 * Outside the image: zeros, or the nearest border pixel. Spatial transformer networks (Jaderberg et al. 2015), eq. 5 to 7;
 * the same as grid_sample with align_corners=True.
 */
export const warp: Reference<WarpAttrs> = {
  forward({ image, flow }, { padding_mode = 'zeros' }) {
    const [, channels, height, width] = image.shape;
    const y = zeros(image.shape);
    forEachSample(image, flow, padding_mode, (n, p, [sx], [sy]) => {
      forEachCorner(sx, sy, height, width, (pixel, weight) => {
        for (let c = 0; c < channels; c++) {
          const plane = (n * channels + c) * height * width;
          y.data[plane + p] += weight * image.data[plane + pixel];
        }
      });
    });
    return y;
  },
  backward(dy, { image, flow }, { padding_mode = 'zeros' }) {
    const [, channels, height, width] = image.shape;
    const dImage = zeros(image.shape);
    const dFlow = zeros(flow.shape);
    forEachSample(image, flow, padding_mode, (n, p, [sx, slopeX], [sy, slopeY]) => {
      const u = 2 * n * height * width + p;
      const v = u + height * width;
      forEachCorner(sx, sy, height, width, (pixel, weight, wdx, wdy) => {
        for (let c = 0; c < channels; c++) {
          const plane = (n * channels + c) * height * width;
          const g = dy.data[plane + p];
          dImage.data[plane + pixel] += weight * g;
          dFlow.data[u] += slopeX * wdx * image.data[plane + pixel] * g;
          dFlow.data[v] += slopeY * wdy * image.data[plane + pixel] * g;
        }
      });
    });
    return { image: dImage, flow: dFlow };
  },
};
