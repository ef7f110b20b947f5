import { expect, it } from 'vitest';
import { log_sum_exp } from '../../engine/ops/log_sum_exp.ts';
import { max_pool2d } from '../../engine/ops/pool.ts';
import { useEngine, walk } from './walk.ts';

walk('pooling');

const engine = useEngine();

it.each([300, -300])('log_sum_exp of values around %i, whose exponentials no float holds', async (x) => {
  using _scope = engine().scope();
  const y = log_sum_exp(engine().tensor([1, 3, 2, 2], new Float32Array(12).fill(x)));
  expect(await y.item()).toBeCloseTo(x + Math.log(12), 4);
});

it('the gradient of a largest value needs no input: activations may wait in 16 bits', async () => {
  const values = Float32Array.from({ length: 2 * 40 * 40 }, (_, i) => 1 + 1e-6 * ((i * 7919) % 3200));
  const gradient = async (activations: 'f16' | undefined) => {
    using _scope = engine().scope();
    const x = engine().tensor([1, 2, 40, 40], values).track();
    using tape = engine().record(activations && { activations });
    const y = max_pool2d(x, { kernel_size: 3, stride: 2 });
    tape.backward(y, engine().tensor(y.shape, new Float32Array(y.shape.reduce((a, b) => a * b, 1)).fill(1)));
    const result = await x.grad!.read();
    x.setGrad(undefined);
    return result;
  };
  expect(await gradient('f16')).toEqual(await gradient(undefined));
});
