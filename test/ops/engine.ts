import { Engine } from '../../engine/engine.ts';
import { readKnobs } from '../../engine/knobs.ts';
import { nodeGpu } from '../../io/gpu.ts';

/**
 * An engine on this machine's adapter (SUBPIXEL_DEVICE=gpu or cpu picks one). Each test file opens its own.
 * @param limits makes the adapter offer no more than this
 */
export async function testEngine(limits: Partial<Record<keyof GPUSupportedLimits, number>> = {}): Promise<Engine> {
  readKnobs(process.env);
  const choice = (process.env.SUBPIXEL_DEVICE ?? 'auto') as 'auto';
  const { adapter } = await nodeGpu(choice);
  if (Object.keys(limits).length === 0) return Engine.create(adapter);
  const { features, info } = adapter;
  return Engine.create({
    features,
    info,
    limits: new Proxy(adapter.limits, { get: (own, key: keyof GPUSupportedLimits) => limits[key] ?? own[key] }),
    requestDevice: (descriptor: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
  } as GPUAdapter);
}
