import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { create, globals } from 'webgpu';

// Every shader as it lies on disk, compiled by Dawn's own compiler. The null backend needs no driver, offers every
// feature and runs nothing, so kernels for hardware that this machine lacks are checked too.

const folder = new URL('../shaders/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.wgsl'));
const wanted = ['shader-f16', 'subgroups', 'timestamp-query', 'chromium-experimental-subgroup-matrix'] as const;

/** Held for the life of the process: once it is collected, Dawn crashes. */
const held = globalThis as typeof globalThis & { nullDawn?: GPU };
let device: GPUDevice;

beforeAll(async () => {
  Object.assign(globalThis, globals);
  held.nullDawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await held.nullDawn.requestAdapter();
  if (!adapter) throw new Error('Dawn offers no null adapter');
  const { limits, features } = adapter;
  device = await adapter.requestDevice({
    requiredFeatures: wanted.filter((name) => features.has(name)) as GPUFeatureName[],
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    },
  });
});

/** @returns the compiler's complaints as file:line:column: text, and what pipeline creation refuses */
async function complaints(file: string, code: string): Promise<string[]> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: file, code });
  const { messages } = await module.getCompilationInfo();
  const found = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, linePos, message }) => `shaders/${file}:${lineNum}:${linePos}: ${message}`);
  await device.popErrorScope();
  if (found.length > 0) return found;
  for (const [, entryPoint] of code.matchAll(/@compute[^{}]*?\bfn\s+(\w+)/g)) {
    await device
      .createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint } })
      .catch((error) => found.push(`shaders/${file}: ${entryPoint}: ${error.message}`));
  }
  return found;
}

describe('every shader compiles', () => {
  test.each(files)('%s', async (file) => {
    const code = readFileSync(new URL(file, folder), 'utf8');
    expect(await complaints(file, code)).toEqual([]);
  });

  test('and a wrong one is reported with file, line, column and text', async () => {
    const wrong = '@compute @workgroup_size(1)\nfn main() {\n  let a: u32 = 1.5f;\n}';
    expect(await complaints('wrong.wgsl', wrong)).toEqual([
      expect.stringMatching(/^shaders\/wrong\.wgsl:3:\d+: .*(u32|type)/),
    ]);
    const large = '@compute @workgroup_size(2048, 2048)\nfn main() {}';
    expect(await complaints('large.wgsl', large)).toEqual([
      expect.stringMatching(/^shaders\/large\.wgsl: main: .*workgroup/),
    ]);
  });
});
