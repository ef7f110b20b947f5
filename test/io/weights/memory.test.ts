import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { FS, File as H5File, ready } from 'h5wasm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeSafetensors } from '../../../io/safetensors.ts';
import { dict, int, storage, tensor, torchLegacy, torchZip } from './pickles.ts';

const COUNT = 2 ** 23;
const MIB = 2 ** 20;
const CONSTANT = 96; // MiB: the reader's own code, above all the HDF5 library with its thread
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
  const entry = fileURLToPath(new URL('../../../io/weights/read.ts', import.meta.url));
  const outfile = join(folder, 'read.mjs');
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
  });
  await ready;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** MiB by which a process of its own grows at most while it reads a file. */
function growth(path: string): number {
  const script = `
    const { readWeightFile } = await import(${JSON.stringify(join(folder, 'read.mjs'))});
    const before = process.memoryUsage().rss;
    const { tensors } = await readWeightFile(${JSON.stringify(path)});
    if (tensors.get('w').data[${COUNT - 1}] !== 7) throw new Error('not what was written');
    console.log((process.resourceUsage().maxRSS * 1024 - before) / ${MIB});
    process.exit(0);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

const numbers = () => new Float32Array(COUNT).fill(7);
const bytes = (data: { buffer: ArrayBufferLike }) => new Uint8Array(data.buffer);
const whole = (type?: string) => {
  const own = storage('1', int(COUNT), type);
  return dict([
    'w',
    tensor({ storage: own, size: [int(1024), int(COUNT / 1024)], stride: [int(COUNT / 1024), int(1)] }),
  ]);
};

const files: Record<string, () => Uint8Array> = {
  'PyTorch zip': () => torchZip(whole(), { 'archive/data/1': bytes(numbers()) }),
  'PyTorch zip of halves': () =>
    torchZip(whole('HalfStorage'), { 'archive/data/1': bytes(new Uint16Array(COUNT).fill(0x4700)) }),
  'PyTorch legacy': () => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(COUNT));
    return Buffer.concat([torchLegacy(whole(), `](X\x01\x00\x00\x001e`).subarray(0, -24), count, bytes(numbers())]);
  },
  safetensors: () => encodeSafetensors([['w', { shape: [COUNT], data: numbers() }]]),
  HDF5: () => {
    const file = new H5File('/made.h5', 'w');
    file.create_dataset({ name: 'w', data: numbers(), shape: [1024, COUNT / 1024] });
    file.close();
    return FS!.readFile('/made.h5') as unknown as Uint8Array;
  },
  'TensorFlow.js': () => {
    writeFileSync(join(folder, 'w.bin'), bytes(numbers()));
    const weights = [{ name: 'w', shape: [COUNT], dtype: 'float32' }];
    return Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ['w.bin'], weights }] }));
  },
};

it.each(Object.keys(files))('%s: at most twice the file, and a constant', (format) => {
  const path = join(folder, 'weights.bin');
  writeFileSync(path, files[format]());
  const size = statSync(path).size + (format === 'TensorFlow.js' ? 4 * COUNT : 0);
  expect(size / MIB).toBeGreaterThan(15);
  expect(growth(path)).toBeLessThan((2 * size) / MIB + CONSTANT);
});
