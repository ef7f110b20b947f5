import { describe, expect, it } from 'vitest';
import { Device } from '../../engine/device.ts';
import { DeviceLostError } from '../../engine/errors.ts';
import { mul } from '../../engine/ops/binary.ts';
import { sum } from '../../engine/ops/sum.ts';
import { nodeGpu } from '../../io/gpu.ts';
import { testEngine } from '../ops/engine.ts';
import { MATRIX_FEATURE, withTensorCores } from '../ops/matrix-emulation.ts';

describe('a lost device', () => {
  it('is what every later wait says', async () => {
    const engine = await testEngine();
    const x = engine.tensor([1, 3, 4, 4], new Float32Array(48).fill(1));
    expect(await sum(x).item()).toBe(48);
    engine.device.gpu.destroy();
    const y = mul(x, x); // recording goes on: only a wait can tell
    await expect(y.read()).rejects.toThrow(DeviceLostError);
    await expect(engine.finish()).rejects.toThrow(DeviceLostError);
    await expect(x.read()).rejects.toThrow(/device was lost/);
  });

  it('ends a read that is under way', async () => {
    const engine = await testEngine();
    const x = engine.tensor([1, 4, 64, 64], new Float32Array(4 * 64 * 64).fill(1));
    const reading = sum(x).read();
    engine.device.gpu.destroy();
    await expect(reading).rejects.toThrow(DeviceLostError);
  });

  it('leaves other engines alone', async () => {
    const [lost, other] = [await testEngine(), await testEngine()];
    lost.device.gpu.destroy();
    using _scope = other.scope();
    expect(await sum(other.tensor([3], [1, 2, 3])).item()).toBe(6);
    other.destroy();
  });
});

it('capabilities say what the adapter has', async () => {
  const engine = await testEngine();
  const { limits, description, subgroups, subgroupSize } = engine.caps;
  expect(description).not.toBe('');
  expect(limits.bindingBytes).toBeGreaterThanOrEqual(2 ** 27);
  expect(limits.workgroupBytes).toBeGreaterThanOrEqual(16_384);
  expect(limits.workgroupsPerDimension).toBeGreaterThanOrEqual(65_535);
  expect(subgroupSize[0] > 0).toBe(subgroups);
  engine.destroy();
});

it('tensor cores are told of where the device has the feature, and they add in f32', async () => {
  const adapter = async () => (await nodeGpu((process.env.SUBPIXEL_DEVICE ?? 'auto') as 'auto')).adapter;
  const own = await adapter();
  const [plain, claimed] = [await Device.open(own), await Device.open(withTensorCores(await adapter(), 8))];
  expect(plain.caps.matrices.length > 0).toBe(own.features.has(MATRIX_FEATURE));
  expect(claimed.caps.matrices).toEqual([{ m: 16, n: 8, k: 16 }]);
  for (const { gpu } of [plain, claimed]) gpu.destroy();
});
