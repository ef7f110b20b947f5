import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { File, FS, ready } from 'h5wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../engine/errors.ts';
import { readWeightFile, type WeightFile } from '../../../io/weights/read.ts';
import { harmedFiles } from './hostile-files.ts';

const FILES = 1000;
const fixture = (name: string) => readFileSync(fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url)));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An HDF5 file as DUF's authors, or Keras, would have written it. */
async function h5(libver: 'earliest' | 'latest'): Promise<Uint8Array> {
  await ready;
  const file = new File('/made.h5', 'w', { libver: [libver, 'latest'] });
  const group = file.create_group('params');
  for (let i = 0; i < 10; i++) {
    const data = Float32Array.from({ length: 48 }, (_, k) => Math.sin(i + k));
    const packed = i % 3 === 0 ? { chunks: [2, 3, 2, 2], compression: 'gzip' as const } : {};
    group.create_dataset({ name: `G_conv${i}_W:0`, data, shape: [2, 3, 2, 4], ...packed });
  }
  group.create_dataset({ name: 'step', data: Int32Array.of(7), shape: [1] });
  group.create_attribute('weight_names', ['a', 'b']);
  file.close();
  return FS!.readFile('/made.h5') as unknown as Uint8Array;
}

const tfjs = () => {
  const weights = [
    { name: 'conv/kernel', shape: [3, 3, 1, 4], dtype: 'float32' },
    { name: 'conv/bias', shape: [4], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
  ];
  const json = {
    format: 'layers-model',
    modelTopology: { config: 'graph '.repeat(80) },
    weightsManifest: [{ paths: ['w.bin', 'w2.bin'], weights }],
  };
  return Buffer.from(JSON.stringify(json));
};

/** Each read gives what it says, or the error that names the file. */
async function survives(path: string, size: number): Promise<'read' | 'refused'> {
  const began = performance.now();
  let file: WeightFile | undefined;
  try {
    file = await readWeightFile(path);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    expect(error.message).toContain(path);
  }
  expect(performance.now() - began).toBeLessThan(5000);
  if (!file) return 'refused';
  let bytes = 0;
  for (const { shape, data } of new Set(file.tensors.values())) {
    expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
    bytes += data.byteLength;
  }
  expect(bytes).toBeLessThan(2 * size + 2 ** 26);
  return 'read';
}

describe(`${FILES} harmed files of each format: a result that holds, or an error with the file's name`, () => {
  const sources: Record<string, () => Promise<Uint8Array[]> | Uint8Array[]> = {
    'PyTorch zip': () => ['zip', 'kinds', 'training'].map((name) => fixture(`weights_${name}.pth`)),
    'PyTorch legacy': () => ['legacy', 'kinds_legacy', 'module'].map((name) => fixture(`weights_${name}.pth`)),
    safetensors: () => [fixture('weights.safetensors')],
    HDF5: async () => [await h5('earliest'), await h5('latest')],
    'TensorFlow.js': () => [tfjs()],
  };
  it.each(Object.keys(sources))('%s', async (format) => {
    const path = join(folder, 'harmed.bin');
    writeFileSync(join(folder, 'w.bin'), new Uint8Array(100));
    writeFileSync(join(folder, 'w2.bin'), new Uint8Array(48));
    const originals = await sources[format]();
    for (const bytes of originals) {
      writeFileSync(path, bytes);
      expect(await survives(path, bytes.length), 'as it was written').toBe('read');
    }
    const counts = { read: 0, refused: 0 };
    const before = process.resourceUsage().maxRSS;
    for (const bytes of harmedFiles(originals, FILES)) {
      writeFileSync(path, bytes);
      counts[await survives(path, bytes.length)]++;
    }
    expect(counts.read + counts.refused).toBe(FILES);
    expect(Math.min(counts.read, counts.refused), 'both ends are reached').toBeGreaterThan(20);
    expect((process.resourceUsage().maxRSS - before) / 1024, 'MiB that no file of some kB may cost').toBeLessThan(200);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
