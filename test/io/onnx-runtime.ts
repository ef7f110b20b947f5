import * as ort from 'onnxruntime-web';
import type { NDArray } from '../../engine/reference/array.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

/** Runs a model on the processor. @param inputs by name @returns its result y */
export async function runOnnx(model: Uint8Array, inputs: Readonly<Record<string, NDArray>>): Promise<NDArray> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  try {
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => {
      return [name, new ort.Tensor('float32', Float32Array.from(data), shape)] as const;
    });
    const { y } = await session.run(Object.fromEntries(feeds));
    return { shape: [...y.dims], data: Float64Array.from(y.data as Float32Array) };
  } finally {
    await session.release();
  }
}
