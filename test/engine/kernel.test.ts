import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Engine, fold } from '../../engine/engine.ts';
import { KernelError, LimitError } from '../../engine/errors.ts';
import { Kernel } from '../../engine/kernel.ts';
import { knobs, readKnobs } from '../../engine/knobs.ts';
import { defineOp } from '../../engine/op.ts';
import { mul } from '../../engine/ops/binary.ts';
import { relu } from '../../engine/ops/unary.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const source = `
const TAPS = 3u;
const SLOPE: f32 = 0.5;
const SCALE = 2.0f;
const OFFSET = -1;
const FAST = false;   // a comment; with TAPS = 5u; in it
struct Sizes { count: u32, /* of elements */ shift: vec4i, gain: f32,
  last: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1)
var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&out)) { return; }
  out[id.x] = x[id.x] * sizes.gain + vec4f(sizes.shift) + f32(TAPS) * SCALE * SLOPE + f32(OFFSET + i32(sizes.last));
}`;

describe('a kernel', () => {
  const kernel = new Kernel('example', source);

  it('knows its bindings by name', () => {
    expect([...kernel.bindings.values()]).toEqual([
      { name: 'x', index: 0, type: 'read-only-storage' },
      { name: 'out', index: 1, type: 'storage' },
    ]);
    expect(kernel.uniformBinding).toEqual({ name: 'sizes', index: 3, type: 'uniform' });
  });

  it('lays uniforms out as WGSL does: vectors at multiples of 16 bytes', () => {
    expect(kernel.uniforms.map(({ name, type, offset }) => [name, type, offset])).toEqual([
      ['count', 'u', 0],
      ['shift', 'i', 16],
      ['gain', 'f', 32],
      ['last', 'u', 36],
    ]);
    const bytes = new DataView(kernel.packUniforms({ count: 2 ** 32 - 1, shift: [-1, 2], gain: 0.5, last: 7 }));
    expect(bytes.byteLength).toBe(48);
    expect(bytes.getUint32(0, true)).toBe(2 ** 32 - 1);
    expect([16, 20, 24, 28].map((at) => bytes.getInt32(at, true))).toEqual([-1, 2, 0, 0]);
    expect(bytes.getFloat32(32, true)).toBe(0.5);
    expect(bytes.getUint32(36, true)).toBe(7);
    expect(() => kernel.packUniforms({ count: 1, shift: [], gain: 1 })).toThrow(/example.wgsl: uniform last/);
  });

  it('sets consts by name, keeps their suffixes, and touches nothing else', () => {
    const text = kernel.withConstants({ TAPS: 7, SLOPE: 0.25, SCALE: 1e-7, OFFSET: -3, FAST: true });
    const lines = text.split('\n').slice(1, 6);
    expect(lines).toEqual([
      'const TAPS = 7u;',
      'const SLOPE: f32 = 0.25f;',
      'const SCALE = 1e-7f;',
      'const OFFSET = -3;',
      'const FAST = true;   // a comment; with TAPS = 5u; in it',
    ]);
    expect(text.split('\n').slice(6)).toEqual(source.split('\n').slice(6));
    expect(() => kernel.withConstants({ TAP: 1 })).toThrow('example.wgsl: no top-level const TAP to set');
  });

  it('computes with them', async () => {
    using _scope = engine.scope();
    const x = engine.tensor(
      [4, 4],
      Float32Array.from({ length: 16 }, (_, i) => i),
    );
    const out = engine.empty([4, 4]);
    engine.run(kernel, 'main', {
      bind: { x, out },
      constants: { TAPS: 4, SLOPE: 0.25, OFFSET: -2 },
      uniforms: { count: 0, shift: [10, 20, 30, 40], gain: 2, last: 5 },
      grid: [1],
    });
    const want = Array.from({ length: 16 }, (_, i) => 2 * i + 10 * ((i % 4) + 1) + 4 * 2 * 0.25 + 3);
    expect([...(await out.read())]).toEqual(want);
  });

  it('keeps uniforms apart, however many there are', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([4], [1, 1, 1, 1]);
    const tensors = Array.from({ length: 4500 }, () => engine.empty([4]));
    for (const [i, out] of tensors.entries()) {
      const uniforms = { count: i, shift: [0], gain: i, last: 1 };
      engine.run(kernel, 'main', { bind: { x, out }, constants: { SLOPE: 0 }, uniforms, grid: [1] });
    }
    for (const i of [0, 1, 63, 64, 4095, 4096, 4499]) expect((await tensors[i].read())[0]).toBe(i);
  });
});

describe('errors', () => {
  const run = (text: string, bind: string[] = ['out'], grid: [number] = [1]) => {
    using _scope = engine.scope();
    const tensors = Object.fromEntries(bind.map((name) => [name, engine.empty([4])]));
    engine.run(new Kernel(`broken${bind}${text.length}`, text), 'main', { bind: tensors, grid });
  };
  const head = '@group(0) @binding(0) var<storage, read_write> out: array<vec4f>;\n@compute @workgroup_size(1)\n';

  it('of WGSL name the file, the line and its text; the engine goes on', async () => {
    run(`${head}fn main() {\n  out[0] = vec4f(1.0) + vec3f(2.0);\n}`);
    const error = await engine.finish().catch((e) => e);
    expect(error).toBeInstanceOf(KernelError);
    expect(error.message).toMatch(/^brokenout\d+\.main: line 4:\d+: /);
    expect(error.message).toContain('out[0] = vec4f(1.0) + vec3f(2.0);');
    await engine.finish();
    using _scope = engine.scope();
    expect([...(await relu(engine.tensor([2], [-1, 1])).read())]).toEqual([0, 1]);
  });

  it('of bindings name them', async () => {
    expect(() => run(`${head}fn main() { out[0] = vec4f(); }`, ['result'])).toThrow(/no binding named result/);
    run(`@group(0) @binding(1) var<storage, read> x: array<f32>;\n${head}fn main() { out[0] = vec4f(x[0]); }`);
    await expect(engine.finish()).rejects.toThrow(KernelError);
  });

  it('of grids name the limit', () => {
    const most = engine.caps.limits.workgroupsPerDimension;
    expect(() => run(`${head}fn main() { out[0] = vec4f(); }`, ['out'], [most + 1])).toThrow(LimitError);
  });
});

it('a profile whose work fails times nothing after it', async ({ skip }) => {
  skip(!engine.caps.timestamps, 'needs timestamps');
  const failing = engine.profile(() => {
    throw new Error('no work today');
  });
  await expect(failing).rejects.toThrow('no work today');
  using _scope = engine.scope();
  const x = engine.zeros([4]);
  engine.commands.submit();
  const passes = vi.spyOn(GPUCommandEncoder.prototype, 'beginComputePass');
  relu(relu(relu(x)));
  engine.commands.submit();
  expect(passes).toHaveBeenCalledTimes(1);
  passes.mockRestore();
});

describe('compiling ahead', () => {
  const doubling = `const N = 2.0;
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(1) fn main() { out[0] = N * x[0]; }`;
  const ahead = new Kernel('ahead', doubling);

  it('names what would run, runs none of it, and leaves nothing to compile', async () => {
    using _scope = engine.scope();
    const x = engine.tensor([4], [1, 2, 3, 4]);
    const out = engine.zeros([4]);
    const work = (N: number) => engine.run(ahead, 'main', { bind: { x, out }, constants: { N }, grid: [1] });
    const { live } = engine.memory.stats();
    const kernels = await engine.compile(() => {
      work(3);
      work(5);
      relu(x);
    });
    expect(kernels).toEqual(['ahead', 'ahead', 'unary']);
    expect(engine.memory.stats().live).toBe(live);
    expect([...(await out.read())]).toEqual([0, 0, 0, 0]);
    const compiled = vi.spyOn(GPUDevice.prototype, 'createComputePipeline');
    work(5);
    work(3);
    expect(compiled).not.toHaveBeenCalled();
    compiled.mockRestore();
    expect([...(await out.read())]).toEqual([3, 6, 9, 12]);
  });

  it('leaves errors to the run', async () => {
    using _scope = engine.scope();
    const out = engine.empty([4]);
    const wrong = new Kernel('wrong', doubling.replace('N * x[0]', 'N'));
    const work = () => engine.run(wrong, 'main', { bind: { x: engine.empty([4]), out }, grid: [1] });
    expect(await engine.compile(work)).toEqual(['wrong']);
    await engine.finish();
    work();
    await expect(engine.finish()).rejects.toThrow(/^wrong.main: line 4/);
  });
});

it('folds long grids into two dimensions', () => {
  expect(fold(0)).toEqual([0, 0, 1]);
  expect(fold(1)).toEqual([1, 1, 1]);
  expect(fold(65_535 * 64)).toEqual([65_535, 1, 1]);
  expect(fold(65_535 * 64 + 1)).toEqual([65_535, 2, 1]);
});

describe('knobs', () => {
  it('are read from text', () => {
    const before = { ...knobs };
    readKnobs({ DEBUG: '2', VALIDATE: '1', KERNEL: 'conv:direct,conv_dw:rows', PRECISION: 'f16' });
    const kernel = { conv: 'direct', conv_dw: 'rows' };
    expect(knobs).toEqual({ debug: 2, validate: true, kernel, precision: 'f16' });
    expect(() => readKnobs({ DEBUG: 'loud' })).toThrow('DEBUG=loud: expected a number from 0 to 4');
    readKnobs({});
    expect(knobs).toEqual({ debug: 0, validate: false, kernel: {}, precision: 'f32' });
    expect(() => readKnobs({ KERNEL: 'convdw:direct' })).toThrow('KERNEL=convdw:direct: expected family:variant');
    expect(() => readKnobs({ KERNEL: 'tiled' })).toThrow('the family one of conv, conv_dw, separable, pixel_shuffle');
    expect(() => readKnobs({ PRECISION: 'bf16' })).toThrow('PRECISION=bf16: expected f32 or f16');
    Object.assign(knobs, before);
  });

  it('DEBUG=3 shows kernels with their constants, DEBUG=4 their WGSL', () => {
    const said: string[] = [];
    const spy = vi.spyOn(console, 'error').mockImplementation((...args) => void said.push(args.join(' ')));
    try {
      knobs.debug = 4;
      using _scope = engine.scope();
      const kernel = new Kernel('shown', source);
      const [x, out] = [engine.empty([4]), engine.empty([4])];
      const uniforms = { count: 1, shift: [0], gain: 1, last: 0 };
      engine.run(kernel, 'main', { bind: { x, out }, constants: { TAPS: 9 }, uniforms, grid: [1] });
    } finally {
      knobs.debug = 0;
      spy.mockRestore();
    }
    expect(said.some((line) => line.startsWith('--- shown.wgsl main') && line.includes('const TAPS = 9u;'))).toBe(true);
    expect(said.some((line) => line.startsWith('shown.main 1x1x1'))).toBe(true);
  });
});

describe('VALIDATE=1', () => {
  /** Says that it is relu, and doubles. */
  const broken = defineOp({
    name: 'relu',
    inputs: ['input'],
    attrs: {},
    shape: ({ input }) => input,
    forward: ({ input }, { engine }) => mul(input, engine.tensor([1], [2])),
    saves: [],
    backward: (dy) => ({ input: () => dy }),
    flops: () => 0,
  });

  it('finds the op that is wrong, passes those that are right, and leaves no memory behind', async () => {
    vi.stubEnv('VALIDATE', '1');
    const watched = await testEngine();
    vi.unstubAllEnvs();
    knobs.validate = false;
    const live = watched.memory.stats().live;
    {
      using _scope = watched.scope();
      const x = watched.tensor([1, 3, 2, 1], [-1, 2, -3, 4, -5, 6]);
      expect([...(await relu(x).read())]).toEqual([0, 2, 0, 4, 0, 6]);
      // an input that changes after its use is validated as it was
      const y = relu(x);
      watched.write(x, [1, 2, 3, 4, 5, 6]);
      await watched.finish();
      broken(x);
      await expect(y.read()).rejects.toThrow('relu (1, 3, 2, 1): element 0 is 2, the reference says 1');
      broken(x);
      await expect(watched.finish()).rejects.toThrow(KernelError);
      await watched.finish();
    }
    expect(watched.memory.stats().live).toBe(live);
    watched.destroy();
  });
});
