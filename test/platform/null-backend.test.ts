import { beforeAll, describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { Engine } from '../../engine/engine.ts';
import type { Kernel } from '../../engine/kernel.ts';
import { knobs } from '../../engine/knobs.ts';
import { fused_conv3d } from '../../engine/ops/fused_conv.ts';
import { sum } from '../../engine/ops/sum.ts';
import { withTensorCores } from '../ops/matrix-emulation.ts';

// The kernels for tensor cores as the engine asks for them, by Dawn's own compiler. The null backend offers every feature and
// runs nothing; it has 16 KiB of workgroup memory, so what is planned for more is compiled, but not made a pipeline.

const held = globalThis as typeof globalThis & { nullDawn?: GPU };
beforeAll(() => {
  Object.assign(globalThis, globals);
  held.nullDawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']); // once collected, Dawn crashes
});

async function nullEngine(n: number, workgroupBytes?: number): Promise<Engine> {
  const adapter = await held.nullDawn!.requestAdapter();
  return Engine.create(withTensorCores(adapter!, n, workgroupBytes));
}

/** A convolution with all that can be fused, and its gradients. */
function convolve(engine: Engine, inputs: number, outputs: number, width = 6): void {
  using _scope = engine.scope();
  const x = engine.zeros([1, inputs, 2, 5, width]).track();
  const w = engine.zeros([outputs, inputs, 3, 1, 1], 'filter').track();
  const [bias, slope] = [engine.zeros([outputs]), engine.zeros([inputs])];
  using tape = engine.record();
  const y = fused_conv3d(x, w, bias, slope, undefined, { padding: [1, 0, 0], negative_slope: 0.1, shuffle: 2 });
  tape.backward(sum(y));
  for (const leaf of [x, w]) leaf.setGrad(undefined);
}

const shapes = [
  [64, 64],
  [12, 64, 14_000],
  [64, 256],
  [36, 20],
  [3, 4],
];

describe.each([16, 8])('tensor cores of 16x%i', (n) => {
  it.each(['f32', 'f16'] as const)('in %s: every module and pipeline is valid', async (precision) => {
    Object.assign(knobs, { precision, kernel: { conv: 'matrix', conv_dw: 'matrix' } });
    const engine = await nullEngine(n);
    const times = await engine.profile(() => convolve(engine, 64, 64));
    expect(times.filter(({ label }) => label.endsWith('(matrix)')).length).toBe(3);
    await engine.finish(); // throws what a module or a pipeline was refused for
    engine.destroy();
  });

  it.each(['f32', 'f16'] as const)('in %s, with 48 KiB: every module is valid', async (precision) => {
    Object.assign(knobs, { precision, kernel: { conv: 'matrix', conv_dw: 'matrix' } });
    const engine = await nullEngine(n, 49_152);
    const sources = new Map<string, string>();
    const { pipelines } = engine;
    const make = pipelines.get.bind(pipelines);
    pipelines.get = (kernel: Kernel, entry, constants, bound, uniform) => {
      if (!kernel.name.endsWith('.matrix')) return make(kernel, entry, constants, bound, uniform);
      sources.set(`${kernel.name} ${Object.values(constants)}`, kernel.withConstants(constants));
      return make(kernel, entry, {}, bound, uniform); // the file's own tile
    };
    for (const [inputs, outputs, width] of shapes) convolve(engine, inputs, outputs, width);
    await engine.finish();
    expect(sources.size).toBeGreaterThanOrEqual(2 * shapes.length);
    for (const [label, code] of sources) {
      const { messages } = await engine.device.gpu.createShaderModule({ label, code }).getCompilationInfo();
      expect(messages.map(({ lineNum, message }) => `${label}:${lineNum}: ${message}`)).toEqual([]);
    }
    engine.destroy();
  });
});
