import * as ort from 'onnxruntime-web';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import type { Trace } from '../../io/onnx/trace.ts';

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

/** What the float64 references make of a network's ops, one after the other. */
export function refer({ values, calls, inputs, output }: Trace, given: readonly NDArray[]): NDArray {
  const arrays = new Map(inputs.map((id, i) => [id, given[i]]));
  const array = (id: number): NDArray => {
    const { shape, data } = values[id];
    return arrays.get(id) ?? { shape, data: Float64Array.from(data!) };
  };
  for (const { op, inputs: read, attrs, output: y } of calls) {
    const named = Object.entries(read).map(([name, id]) => [name, array(id)]);
    arrays.set(y, references[op].forward(Object.fromEntries(named), attrs));
  }
  return array(output);
}
