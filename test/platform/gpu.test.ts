import { beforeAll, describe, expect, test } from 'vitest';
import { NoAdapterError, UsageError } from '../../engine/errors.ts';
import { type NodeGpu, nodeGpu } from '../../io/gpu.ts';

let node: NodeGpu;
beforeAll(async () => {
  process.env.DAWN_FLAGS = 'enable-dawn-features=skip_validation;disable-dawn-features=x'; // read once, when Dawn starts
  node = await nodeGpu();
});

describe('WebGPU in Node', () => {
  test('finds an adapter and puts the constants of WebGPU where the engine looks for them', () => {
    expect(node.adapter.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    expect(GPUBufferUsage.STORAGE).toBe(0x80);
    expect(node.fallback).toBe(node.adapter.info.isFallbackAdapter);
  });

  test('starts Dawn once: a later call finds the same, and cannot change its toggles', async () => {
    expect((await nodeGpu()).gpu).toBe(node.gpu);
    const other = nodeGpu('auto', { disable: ['y'] });
    await expect(other).rejects.toThrow(UsageError);
    await expect(other).rejects.toThrow(
      /expected enable-dawn-features=allow_unsafe_apis,.*,skip_validation;disable-dawn-features=timestamp_quantization,x, got/,
    );
  });

  test('gpu means hardware', async () => {
    if (node.fallback) await expect(nodeGpu('gpu')).rejects.toThrow(NoAdapterError);
    else expect((await nodeGpu('gpu')).fallback).toBe(false);
  });

  test('timestamps are exact where it says so', async (context) => {
    if (!node.timestampsExact) context.skip('the adapter has no timestamp-query');
    const { adapter } = await nodeGpu();
    const device = await adapter.requestDevice({ requiredFeatures: ['timestamp-query'] });
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
    const readable = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
    const quantum = 65536n; // nanoseconds, where Dawn rounds
    const nanoseconds: bigint[] = [];
    for (let pass = 0; pass < 4; pass++) {
      const encoder = device.createCommandEncoder();
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      encoder.beginComputePass({ timestampWrites }).end();
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16);
      device.queue.submit([encoder.finish()]);
      await readable.mapAsync(GPUMapMode.READ);
      nanoseconds.push(...new BigUint64Array(readable.getMappedRange().slice(0)));
      readable.unmap();
    }
    expect(nanoseconds.some((time) => time % quantum !== 0n)).toBe(true);
    device.destroy();
  });
});
