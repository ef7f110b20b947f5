import { expect } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { type Build, type HostTensor, type Module, Noise } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { NDArray } from '../../engine/reference/array.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';

export const buildOn = (engine: Engine): Build => ({ engine, random: new Random(1), noise: new Noise(2) });

/** Builds without drawing anything: large networks are counted faster. */
export const blankOn = (engine: Engine): Build => ({
  ...buildOn(engine),
  random: { normal: () => 0, uniform: () => 0 } as unknown as Random,
});

/** Values of 0..1 that differ from one to the next. */
export const wave = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => 0.5 + 0.5 * Math.sin(i));

/**
 * Holds a network against what PyTorch made of the same parameters (test/fixtures/net_fixture.py): its output, the gradients
 * of its inputs and of every parameter, for a given gradient of the output, and its running statistics after a training pass.
 * @param limit of the relative error of each: 2e-4 where there are more than 50 layers
 */
export async function againstPyTorch(
  engine: Engine,
  fixture: string,
  make: (build: Build) => Module,
  limit = 1e-4,
): Promise<void> {
  const { tensors, metadata } = readFixture(fixture);
  const under = (prefix: string) =>
    Object.entries(tensors).flatMap(([key, t]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), t] as const] : [],
    );
  const [inputs, state, gradients, after] = ['in.', 'state.', 'grad.', 'after.'].map((p) => under(p));
  const before = engine.memory.stats().live;
  const net = make(buildOn(engine)).train(metadata.training === 'true');
  net.loadStateDict(
    new Map(state.map(([name, t]): [string, HostTensor] => [name, { ...t, data: Float32Array.from(t.data) }])),
  );
  const errors: Record<string, number> = {};
  {
    using _scope = engine.scope();
    const given = inputs.map(([, t]) => engine.tensor(t.shape, t.data).track());
    using tape = engine.record();
    const y = net.forward(...given);
    tape.backward(y, engine.tensor(tensors.dy.shape, tensors.dy.data));
    errors.y = relativeError(await host(y), tensors.y);
    const graded = new Map([...inputs.map(([name], i) => [name, given[i]] as const), ...net.namedParameters()]);
    for (const [name, expected] of gradients)
      errors[name] = relativeError(await host(graded.get(name)?.grad), expected);
    const now = new Map(net.namedTensors());
    for (const [name, expected] of after) errors[`after ${name}`] = relativeError(await host(now.get(name)), expected);
    expect([...net.namedParameters()].map(([name]) => name).filter((name) => !(name in errors))).toEqual([]);
    for (const tensor of graded.values()) tensor.setGrad(undefined);
  }
  for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(limit);
  net.dispose();
  expect(engine.memory.stats().live).toBeLessThanOrEqual(before + 2 ** 16); // resize tables stay
}

async function host(x: Tensor | undefined): Promise<NDArray> {
  if (!x) return { shape: [], data: new Float64Array() };
  return { shape: x.shape, data: Float64Array.from(await x.read()) };
}
