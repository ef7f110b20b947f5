import { describe, expect, it } from 'vitest';
import { splat } from '../../engine/ops/splat.ts';
import { makeArray } from '../cases.ts';
import { useEngine, walk } from './walk.ts';

walk('video');

describe('splat takes any flow', () => {
  const engine = useEngine();
  const [height, width, scale] = [24, 40, 4];
  const pixels = height * width;

  async function splatted(image: ArrayLike<number>, flow: (x: number, y: number) => [u: number, v: number]) {
    using _scope = engine().scope();
    const field = Array.from({ length: pixels }, (_, p) => flow(p % width, Math.floor(p / width)));
    const values = [0, 1].flatMap((axis) => field.map((uv) => uv[axis]));
    const x = engine().tensor([1, 1, height, width], image);
    return splat(x, engine().tensor([1, 2, height, width], values), { scale }).read();
  }

  it('all pixels to one place', async () => {
    const y = await splatted(new Float32Array(pixels).fill(0.75), (x, y) => [7 - x, 11 - y]);
    expect(y[11 * scale * width * scale + 7 * scale]).toBe(0.75 * pixels);
    expect(y.filter((v) => v !== 0)).toHaveLength(1);
  });

  it('all pixels out of the picture: they pile up in the corner', async () => {
    const y = await splatted(new Float32Array(pixels).fill(-0.5), () => [3e9, -1e30]);
    expect(y[width * scale - 1]).toBe(-0.5 * pixels);
    expect(y.filter((v) => v !== 0)).toHaveLength(1);
  });

  it('no motion: zeros stand between the pixels, which are as they were', async () => {
    const image = makeArray([pixels], 'image').data;
    const y = await splatted(image, () => [0, 0]);
    const wide = width * scale;
    const at = (p: number) => Math.floor(p / width) * scale * wide + (p % width) * scale;
    expect(Float32Array.from(image, (_, p) => y[at(p)])).toEqual(Float32Array.from(image));
    expect(y.filter((v) => v !== 0)).toHaveLength(image.filter((v) => v !== 0).length);
  });

  it('what is not finite is not hidden', async () => {
    const image = new Float32Array(pixels).fill(1);
    image[100] = Number.NaN;
    expect((await splatted(image, () => [0.5, 0.5])).some(Number.isNaN)).toBe(true);
  });
});
