import { createRequire } from 'node:module';
import { join } from 'node:path';
import { UsageError } from '../engine/errors.ts';
import type { Shape } from '../engine/tensor.ts';
import { exportOnnx } from '../io/onnx/export.ts';
import { quantile } from './statistics.ts';

/** What is used of onnxruntime-node's API. */
interface Runtime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => unknown;
}
interface Session {
  readonly inputNames: readonly string[];
  run(feeds: Record<string, unknown>): Promise<Record<string, { readonly data: Float32Array }>>;
  release(): Promise<void>;
}

export interface PeerInput {
  readonly shape: Shape;
  readonly values: Float32Array;
}

/** Runs the same networks on the processor, from the ONNX files that we write. */
export interface OnnxPeer {
  readonly name: string;
  /** Median time of a network with the first weights of seed 1 and its default settings, and its result. */
  run(net: string, inputs: readonly PeerInput[], least: number): Promise<{ ms: number; y: Float32Array }>;
}

/** @param what onnxruntime-node: its name where it is installed, or its folder @throws {UsageError} when it is not there */
export function openOnnxRuntime(what: string, version: string): OnnxPeer {
  const require = createRequire(join(process.cwd(), 'package.json'));
  let runtime: Runtime;
  let own: string;
  try {
    runtime = require(what);
    own = require(join(what, 'package.json')).version;
  } catch (error) {
    throw new UsageError(
      `${what}: not found (npm install onnxruntime-node): ${(error as Error).message.split('\n')[0]}`,
    );
  }
  return {
    name: `ONNX Runtime ${own}, CPU`,
    async run(net, inputs, least) {
      const { bytes } = await exportOnnx({ net, version });
      const session = await runtime.InferenceSession.create(bytes, {
        executionProviders: ['cpu'],
        logSeverityLevel: 3,
      });
      const named = session.inputNames.map((name, i) => {
        const { shape, values } = inputs[i];
        return [name, new runtime.Tensor('float32', values, shape)] as const;
      });
      const feeds = Object.fromEntries(named);
      let { y } = await session.run(feeds); // the first one plans
      const times: number[] = [];
      while (times.length < least) {
        const began = performance.now();
        ({ y } = await session.run(feeds));
        times.push(performance.now() - began);
      }
      await session.release();
      return { ms: quantile(times, 0.5), y: y.data };
    },
  };
}
