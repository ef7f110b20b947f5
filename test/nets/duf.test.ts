import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FS, File as H5File, ready } from 'h5wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { ShapeError, UsageError } from '../../engine/errors.ts';
import type { HostTensor, StateDict } from '../../engine/nn/module.ts';
import { floats } from '../../io/safetensors.ts';
import { readWeightFile } from '../../io/weights/read.ts';
import { Duf, type DufConfig, duf16, duf28, entry, entry16, entry28 } from '../../nets/duf.ts';
import { testEngine } from '../ops/engine.ts';
import { againstPyTorch, blankOn, buildOn } from './against-pytorch.ts';
import { reachOf } from './reach.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const small = { layers: 14, growth: 4, width: 6, head: 8 };

describe('VSR-DUF', () => {
  it.each([
    ['duf_x4', 4],
    ['duf_x3', 3],
  ])('%s: output, every gradient and running statistics, on an odd size', (name, scale) =>
    againstPyTorch(engine, name, (build) => new Duf(build, { ...small, scale })),
  );

  it.each([
    ['52 layers', {}, entry.published!.parameters],
    ['28 layers', duf28, entry28.published!.parameters],
    ['16 layers', duf16, entry16.published!.parameters],
    ['16 layers, x2', { ...duf16, scale: 2 }, 1_737_488],
    ['16 layers, x3', { ...duf16, scale: 3 }, 1_805_468],
  ] as [string, Partial<DufConfig>, number][])('%s: as many parameters as published', (_, config, count) => {
    const net = new Duf(blankOn(engine), config);
    expect(net.parameterCount()).toBe(count);
    const reach = { 16: 8, 28: 14, 52: 26 }[net.config.layers];
    expect(net.spatialReach).toBe(reach);
    net.dispose();
    engine.memory.trim();
  });

  it('reaches as far as it says, and no farther', async () => {
    const net = new Duf(buildOn(engine), { ...small, layers: 10, scale: 2 }).train(false);
    expect(await reachOf(engine, net)).toBe(net.spatialReach);
    net.dispose();
  });

  it('enlarges luminance twice, and gives its memory back', async () => {
    const net = new Duf(buildOn(engine), { ...small, channels: 1, scale: 2 }).train(false);
    const { live } = engine.memory.stats();
    {
      using _scope = engine.scope();
      const y = net.forward(engine.tensor([1, 1, 7, 5, 3], new Float32Array(105).fill(0.5)));
      expect(y.shape).toEqual([1, 1, 1, 10, 6]);
      expect((await y.read()).every(Number.isFinite)).toBe(true);
    }
    expect(engine.memory.stats().live).toBe(live);
    net.dispose();
  });

  it('refuses other numbers of frames', () => {
    using _scope = engine.scope();
    const net = new Duf(buildOn(engine), small);
    expect(() => net.forward(engine.zeros([1, 3, 5, 4, 4]))).toThrow(ShapeError);
    net.dispose();
  });

  it.each([{ layers: 8 }, { layers: 15 }, { scale: 0 }, { growth: 0 }, { momentum: 2 }])('refuses %j', (config) => {
    expect(() => new Duf(buildOn(engine), config)).toThrow(UsageError);
  });
});

/** Our tensor as the authors' file has it: its name, (kt, kh, kw, in, out), the residual's colours last. */
function toAuthors(name: string, { shape, data }: HostTensor): [string, HostTensor] {
  const [, path, leaf] = /^(.*)\.(\w+)$/.exec(name)!;
  const [, dense, reduce, place] =
    /^dense_block\d\.(?:dense_blocks\.(\d+)|temporal_reduce(\d))\.(\d)$/.exec(path) ?? [];
  const block = dense === undefined ? Number(reduce) + 2 : Number(dense) + 1; // two dense blocks
  const head = { conv3d1: 'conv1', bn3d2: 'fbn1', conv3d2: 'conv2', conv3d_f1: 'fconv1', conv3d_f2: 'fconv2' };
  const tail = { conv3d_r1: 'rconv1', conv3d_r2: 'rconv2' };
  const half = Number(place) < 3 ? 'a' : 'b';
  const own = place
    ? `R${Number(place) % 3 === 0 ? 'bn' : 'conv'}${block}${half}`
    : ({ ...head, ...tail } as Record<string, string>)[path];
  const norm = /bn/.test(own);
  const what = { weight: norm ? 'gamma' : 'W', bias: norm ? 'beta' : 'b' } as Record<string, string>;
  const suffix = what[leaf] ?? { running_mean: 'moving__mean', running_var: 'moving__variance' }[leaf];
  const [out, input, ...kernel] = shape;
  const taps = kernel.reduce((a, b) => a * b, 1);
  const values = new Float32Array(data.length);
  const each = data.length / out;
  const place16 = (o: number) => (path === 'conv3d_r2' ? (o % 16) * 3 + Math.floor(o / 16) : o);
  for (const [i, v] of data.entries()) {
    const [o, rest] = [place16(Math.floor(i / each)), i % each];
    const filter = shape.length === 5;
    values[filter ? ((rest % taps) * input + Math.floor(rest / taps)) * out + o : o * each + rest] = v;
  }
  return [`G_${own}_${suffix}:0`, { shape: shape.length === 5 ? [...kernel, input, out] : shape, data: values }];
}

const folder = mkdtempSync(join(tmpdir(), 'subpixel-duf-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file as the authors': one group, a data set a variable. */
async function asHdf5(tensors: StateDict): Promise<string> {
  await ready;
  const file = new H5File('/params.h5', 'w');
  const group = file.create_group('params');
  for (const [name, { shape, data }] of tensors) group.create_dataset({ name, data, shape: [...shape] });
  file.close();
  const path = join(folder, 'params_16L_x4.h5');
  writeFileSync(path, FS!.readFile('/params.h5') as unknown as Uint8Array);
  return path;
}

describe('files of VSR-DUF', () => {
  it("of the authors are adopted: names, layouts, the residual's order of channels", async () => {
    const net = new Duf(buildOn(engine), small);
    const state: StateDict = new Map(
      [...(await net.stateDict())].map(([name, { shape, data }], k) => {
        return [name, { shape, data: data.map((_, i) => Math.fround(Math.sin(i + k))) }];
      }),
    );
    const theirs = new Map([...state].map(([name, tensor]) => toAuthors(name, tensor)));
    expect(theirs.has('G_Rconv3a_W:0')).toBe(true);
    theirs.set('filter_localexpand:0', { shape: [1], data: new Float32Array(1) });
    const { tensors } = await readWeightFile(await asHdf5(theirs));
    expect(tensors.size).toBe(theirs.size);
    const adopted = entry.adopt!(new Map([...tensors].map(([name, tensor]) => [name, floats(name, tensor)])));
    expect(adopted.config).toEqual({ channels: 3, scale: 4, ...small });
    expect(new Map([...adopted.tensors].sort())).toEqual(new Map([...state].sort()));
    net.loadStateDict(adopted.tensors);
    net.dispose();
  });

  it('with our names come back as they are', async () => {
    const net = new Duf(buildOn(engine), { ...small, channels: 1, scale: 2 });
    const state = await net.stateDict();
    expect(entry.adopt!(state)).toEqual({ config: { channels: 1, scale: 2, ...small }, tensors: state });
    net.dispose();
  });
});
