import { type Reference, zeros } from './array.ts';

interface CorrelationAttrs {
  max_displacement?: number;
  stride2?: number;
}

const reachOf = ({ max_displacement = 20, stride2 = 2 }: CorrelationAttrs): number =>
  Math.floor(max_displacement / stride2);

/** Visits every product of the sum: the indices of y, a and b, where b is inside. */
function forEachProduct(
  [batch, channels, height, width]: readonly number[],
  attrs: CorrelationAttrs,
  visit: (y: number, a: number, b: number) => void,
): void {
  const { stride2 = 2 } = attrs;
  const reach = reachOf(attrs);
  const along = 2 * reach + 1;
  for (let n = 0; n < batch; n++)
    for (let v = -reach; v <= reach; v++)
      for (let u = -reach; u <= reach; u++)
        for (let h = 0; h < height; h++)
          for (let w = 0; w < width; w++) {
            const [bh, bw] = [h + stride2 * v, w + stride2 * u];
            if (bh < 0 || bh >= height || bw < 0 || bw >= width) continue;
            const displacement = (v + reach) * along + u + reach;
            const y = ((n * along ** 2 + displacement) * height + h) * width + w;
            for (let c = 0; c < channels; c++) {
              const plane = (n * channels + c) * height;
              visit(y, (plane + h) * width + w, (plane + bh) * width + bw);
            }
          }
}

/** FlowNetC's correlation: y[n, (v + R)·D + u + R, p] = 1/C Σ_c a[n, c, p] · b[n, c, p + stride2·(u, v)], zeros outside b. */
export const correlation: Reference<CorrelationAttrs> = {
  forward({ a, b }, attrs) {
    const [batch, channels, height, width] = a.shape;
    const y = zeros([batch, (2 * reachOf(attrs) + 1) ** 2, height, width]);
    forEachProduct(a.shape, attrs, (to, i, j) => {
      y.data[to] += (a.data[i] * b.data[j]) / channels;
    });
    return y;
  },
  backward(dy, { a, b }, attrs) {
    const channels = a.shape[1];
    const [da, db] = [zeros(a.shape), zeros(b.shape)];
    forEachProduct(a.shape, attrs, (from, i, j) => {
      da.data[i] += (dy.data[from] * b.data[j]) / channels;
      db.data[j] += (dy.data[from] * a.data[i]) / channels;
    });
    return { a: da, b: db };
  },
};
