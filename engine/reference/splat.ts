import { type NDArray, type Reference, zeros } from './array.ts';

interface SplatAttrs {
  scale: number;
}

/** Infinitely far is as good as far. */
const FAR = 1e9;
const held = (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1);

/**
 * Calls visit for each of the four large pixels that an image's pixel goes to: `n` the sample, `p` the pixel in its plane, `q`
 * the large one in its plane, the weight, and the weight's derivatives in x' and y' (of the floor: none).
 */
type Part = (n: number, p: number, q: number, weight: number, dx: number, dy: number) => void;
function forEachPart(image: NDArray, flow: NDArray, scale: number, visit: Part): void {
  const [batch, , height, width] = image.shape;
  const pixels = height * width;
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < pixels; p++) {
      const [u, v] = [0, 1].map((axis) => Math.min(Math.max(flow.data[(2 * n + axis) * pixels + p], -FAR), FAR));
      const x = scale * ((p % width) + u);
      const y = scale * (Math.floor(p / width) + v);
      for (const qy of [Math.floor(y), Math.floor(y) + 1])
        for (const qx of [Math.floor(x), Math.floor(x) + 1]) {
          const [wx, wy] = [1 - Math.abs(x - qx), 1 - Math.abs(y - qy)];
          const q = held(qy, scale * height) * scale * width + held(qx, scale * width);
          visit(n, p, q, wx * wy, (qx > x ? 1 : -1) * wy, (qy > y ? 1 : -1) * wx);
        }
    }
}

/**
 * Forward warping to a picture `scale` times larger (Tao et al. 2017, eq. 3 and 4): y[q] = Σ_p image[p] · max(0, 1 - |x' - q_x|)
 * · max(0, 1 - |y' - q_y|), (x', y') = scale·(p + flow(p)), not normalised; pixels beyond the border add to the border.
 */
export const splat: Reference<SplatAttrs> = {
  forward({ image, flow }, { scale = 1 }) {
    const [batch, channels, height, width] = image.shape;
    const y = zeros([batch, channels, scale * height, scale * width]);
    forEachPart(image, flow, scale, (n, p, q, weight) => {
      for (let c = 0; c < channels; c++) {
        const plane = (n * channels + c) * height * width;
        y.data[plane * scale ** 2 + q] += weight * image.data[plane + p];
      }
    });
    return y;
  },
  backward(g, { image, flow }, { scale = 1 }) {
    const [, channels, height, width] = image.shape;
    const [dImage, dFlow] = [zeros(image.shape), zeros(flow.shape)];
    forEachPart(image, flow, scale, (n, p, q, weight, dx, dy) => {
      const u = 2 * n * height * width + p;
      for (let c = 0; c < channels; c++) {
        const plane = (n * channels + c) * height * width;
        const [value, slope] = [image.data[plane + p], g.data[plane * scale ** 2 + q]];
        dImage.data[plane + p] += weight * slope;
        dFlow.data[u] += scale * dx * value * slope;
        dFlow.data[u + height * width] += scale * dy * value * slope;
      }
    });
    return { image: dImage, flow: dFlow };
  },
};
