import { expect, it } from 'vitest';
import { grid_sample } from '../../engine/ops/grid_sample.ts';
import { splat } from '../../engine/ops/splat.ts';
import { warp } from '../../engine/ops/warp.ts';
import { makeArray } from '../cases.ts';
import { useEngine } from './walk.ts';

// The gradient of the image is summed in fixed point, its scale found on the device: what that must not break.

const engine = useEngine();
const [height, width] = [96, 128];
const pixels = height * width;

async function imageGradient(dy: ArrayLike<number>, flow: ArrayLike<number>): Promise<Float32Array> {
  using _scope = engine().scope();
  using tape = engine().record();
  const image = engine().zeros([1, 1, height, width]).track();
  tape.backward(warp(image, engine().tensor([1, 2, height, width], flow)), engine().tensor([1, 1, height, width], dy));
  const gradient = await image.grad!.read();
  image.setGrad(undefined);
  return gradient;
}

const someFlow = makeArray([2 * pixels], 'flow', { low: -5, high: 5 }).data;
const someDy = makeArray([pixels], 'dy').data;

it('every pixel may come from one place', async () => {
  const [x, y] = [77, 31];
  const flow = Float32Array.from({ length: 2 * pixels }, (_, i) =>
    i < pixels ? x - (i % width) : y - Math.floor((i - pixels) / width),
  );
  for (const value of [1, -0.75]) {
    const gradient = await imageGradient(new Float32Array(pixels).fill(value), flow);
    expect(gradient[y * width + x]).toBe(value * pixels);
    expect(gradient.every((v, i) => v === 0 || i === y * width + x)).toBe(true);
  }
});

it('powers of two come out as they go in, however small or large', async () => {
  const plain = await imageGradient(someDy, someFlow);
  for (const power of [2 ** -80, 2 ** 90]) {
    const scaled = await imageGradient(
      someDy.map((v) => v * power),
      someFlow,
    );
    expect(scaled.every((v, i) => v === plain[i] * power)).toBe(true);
  }
});

it('what is not finite is not hidden', async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const dy = someDy.slice();
    dy[1000] = value;
    expect((await imageGradient(dy, someFlow)).some(Number.isNaN)).toBe(true);
  }
});

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const row = [1, 2, 4, 8];
const along = (x: number[]) => engine().tensor([1, 2, 1, 4], [...x, 0, 0, 0, 0]);

it('an infinite flow leads beyond the border that it points to', async () => {
  using _scope = engine().scope();
  const image = engine().tensor([1, 1, 1, 4], row);
  const flow = along([inf, -inf, 0, -3e38]);
  expect([...(await warp(image, flow, { padding_mode: 'border' }).read())]).toEqual([8, 1, 4, 1]);
  expect([...(await warp(image, flow).read())]).toEqual([0, 0, 4, 0]);
  expect([...(await splat(image, flow).read())]).toEqual([2 + 8, 0, 4, 1]);
  const y = grid_sample(image, along([inf, -inf, -0.25, 3e38]), { padding_mode: 'border' });
  expect([...(await y.read())]).toEqual([8, 1, 2, 8]);
});

it('a flow that is no number makes NaN of what comes of it, and leaves padded channels zero', async () => {
  using _scope = engine().scope();
  using tape = engine().record();
  const image = engine().tensor([1, 1, 1, 4], row).track();
  const flow = along([0, nan, 1, 0]).track();
  const y = warp(image, flow);
  expect([...(await y.read())]).toEqual([1, nan, 8, 8]);
  const stored = new Float32Array(await engine().readRaw(y.storage));
  expect(stored.every((v, i) => i % 4 === 0 || v === 0)).toBe(true);
  tape.backward(y, engine().tensor([1, 1, 1, 4], [1, 1, 1, 1]));
  expect([...(await flow.grad!.read())].slice(0, 4)).toEqual([1, nan, -8, -8]);
  expect((await image.grad!.read()).every(Number.isNaN)).toBe(true);
  expect((await splat(image, flow).read()).every(Number.isNaN)).toBe(true);
  for (const x of [image, flow]) x.setGrad(undefined);
});
