import { type NDArray, type Reference, zeros } from './array.ts';

interface DynamicFilterAttrs {
  scale?: number;
  kernel?: number;
  softmax?: boolean;
}

/** softmax over k of (N, k·R² + s, H, W), if asked for. */
function normalised({ shape, data }: NDArray, { scale = 1, kernel = 5, softmax = false }: DynamicFilterAttrs): NDArray {
  if (!softmax) return { shape, data };
  const weights = zeros(shape);
  const [batch, channels, height, width] = shape;
  const step = scale ** 2 * height * width; // from tap to tap
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < step; i++) {
      const at = (k: number) => n * channels * height * width + k * step + i;
      let sum = 0;
      for (let k = 0; k < kernel ** 2; k++) sum += Math.exp(data[at(k)]);
      for (let k = 0; k < kernel ** 2; k++) weights.data[at(k)] = Math.exp(data[at(k)]) / sum;
    }
  return weights;
}

/** Visits every product of the sum: the indices of y, of the filter's tap, and of the image, none where that is outside. */
function forEachProduct(
  [batch, channels, height, width]: readonly number[],
  { scale = 1, kernel = 5 }: DynamicFilterAttrs,
  visit: (y: number, filter: number, image: number) => void,
): void {
  const half = (kernel - 1) / 2;
  for (let n = 0; n < batch; n++)
    for (let h = 0; h < height; h++)
      for (let w = 0; w < width; w++)
        for (let k = 0; k < kernel ** 2; k++) {
          const [ih, iw] = [h + Math.floor(k / kernel) - half, w + (k % kernel) - half];
          if (ih < 0 || ih >= height || iw < 0 || iw >= width) continue;
          for (let s = 0; s < scale ** 2; s++) {
            const [yh, yw] = [h * scale + Math.floor(s / scale), w * scale + (s % scale)];
            const filter = ((n * (kernel * scale) ** 2 + k * scale ** 2 + s) * height + h) * width + w;
            for (let c = 0; c < channels; c++) {
              const plane = (n * channels + c) * height;
              visit((plane * scale + yh) * width * scale + yw, filter, (plane + ih) * width + iw);
            }
          }
        }
}

/**
 * Dynamic upsampling filters (Jo et al. 2018, eq. 2): y[n, c, R·h + i, R·w + j] = Σ_k f[n, k·R² + i·R + j, h, w] · image[n, c,
 * h + ⌊k / K⌋ - ⌊K / 2⌋, w + k mod K - ⌊K / 2⌋], zeros outside; f = filters, or their softmax over k.
 */
export const dynamicFilter: Reference<DynamicFilterAttrs> = {
  forward({ image, filters }, attrs) {
    const [batch, channels, height, width] = image.shape;
    const { scale = 1 } = attrs;
    const y = zeros([batch, channels, height * scale, width * scale]);
    const f = normalised(filters, attrs);
    forEachProduct(image.shape, attrs, (to, filter, pixel) => {
      y.data[to] += f.data[filter] * image.data[pixel];
    });
    return y;
  },
  backward(dy, { image, filters }, attrs) {
    const [dImage, dFilters] = [zeros(image.shape), zeros(filters.shape)];
    const f = normalised(filters, attrs);
    forEachProduct(image.shape, attrs, (to, filter, pixel) => {
      dImage.data[pixel] += f.data[filter] * dy.data[to];
      dFilters.data[filter] += image.data[pixel] * dy.data[to];
    });
    if (attrs.softmax) throughSoftmax(dFilters, f, attrs);
    return { image: dImage, filters: dFilters };
  },
};

/** d input = f · (d f - Σ_k f · d f), in place. */
function throughSoftmax(gradient: NDArray, f: NDArray, { scale = 1, kernel = 5 }: DynamicFilterAttrs): void {
  const [batch, channels, height, width] = f.shape;
  const step = scale ** 2 * height * width;
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < step; i++) {
      const at = (k: number) => n * channels * height * width + k * step + i;
      let sum = 0;
      for (let k = 0; k < kernel ** 2; k++) sum += f.data[at(k)] * gradient.data[at(k)];
      for (let k = 0; k < kernel ** 2; k++) gradient.data[at(k)] = f.data[at(k)] * (gradient.data[at(k)] - sum);
    }
}
