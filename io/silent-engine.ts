import { globals } from 'webgpu';
import { Engine } from '../engine/engine.ts';
import { type Layout, type Shape, size, type Tensor } from '../engine/tensor.ts';

/** An engine that computes nothing: networks run on it at any size, for what they do rather than for what comes out. */
export interface SilentEngine {
  readonly engine: Engine;
  /** What was written into a tensor from the host; undefined for results of ops. */
  valuesOf(x: Tensor): Float32Array | undefined;
}

const MANY = 2 ** 40;
const silence = () => {};
const object = () => ({});

/** A WebGPU device whose buffers hold nothing and whose commands go nowhere. */
const device = {
  lost: new Promise(silence),
  queue: { writeBuffer: silence, submit: silence, onSubmittedWorkDone: async () => {} },
  addEventListener: silence,
  pushErrorScope: silence,
  popErrorScope: async () => null,
  createBuffer: () => ({ destroy: silence }),
  createShaderModule: object,
  createBindGroupLayout: object,
  createPipelineLayout: object,
  createComputePipeline: object,
  createBindGroup: object,
  createCommandEncoder: () => ({
    beginComputePass: () => ({
      setPipeline: silence,
      setBindGroup: silence,
      dispatchWorkgroups: silence,
      end: silence,
    }),
    finish: object,
  }),
  destroy: silence,
};

const adapter = {
  features: new Set<string>(),
  info: { vendor: '', architecture: '', device: '', description: 'nothing', isFallbackAdapter: false },
  limits: {
    maxBufferSize: MANY,
    maxStorageBufferBindingSize: MANY,
    maxComputeWorkgroupStorageSize: 32_768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
    maxComputeWorkgroupsPerDimension: MANY,
    maxStorageBuffersPerShaderStage: 8,
  },
  requestDevice: async () => device,
};

export async function silentEngine(): Promise<SilentEngine> {
  Object.assign(globalThis, globals);
  const engine = await Engine.create(adapter as unknown as GPUAdapter);
  const values = new WeakMap<Tensor, Float32Array>();
  engine.write = (x: Tensor, data: ArrayLike<number>) => {
    values.set(x, data instanceof Float32Array ? data : Float32Array.from(data));
  };
  engine.zeros = (shape: Shape, layout?: Layout) => {
    const x = engine.empty(shape, layout);
    values.set(x, new Float32Array(size(shape)));
    return x;
  };
  return { engine, valuesOf: (x) => values.get(x) };
}
