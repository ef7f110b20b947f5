import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../engine/errors.ts';
import { readWeightFile } from '../../../io/weights/read.ts';
import { readFixture } from '../../fixtures/read.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('files of PyTorch, as test/fixtures/make_weights.py wrote them', () => {
  const { tensors: known } = readFixture('weights');
  it.each([
    ['zip', 'PyTorch', []],
    ['legacy', 'PyTorch before 1.6', []],
    ['kinds', 'PyTorch', []],
    ['kinds_legacy', 'PyTorch before 1.6', []],
    ['training', 'PyTorch', ['state_dict']],
    ['ema', 'PyTorch', ['params_ema']],
    ['module', 'PyTorch before 1.6', ['model']],
  ])('%s: names, shapes and every number', async (name, format, wrappers) => {
    const file = await readWeightFile(fixture(`weights_${name}.pth`));
    expect(file).toMatchObject({ format, wrappers });
    const expected = Object.entries(known).filter(([key]) => key.startsWith(`${name}/`));
    expect([...file.tensors.keys()]).toEqual(expected.map(([key]) => key.slice(name.length + 1)));
    for (const [key, { shape, data }] of expected) {
      const own = file.tensors.get(key.slice(name.length + 1))!;
      expect(own.shape, key).toEqual(shape);
      expect(own.data, key).toEqual(Float32Array.from(data));
    }
  });

  it('says what the numbers were', async () => {
    const { tensors } = await readWeightFile(fixture('weights_kinds.pth'));
    const dtypes = ['slice', 'half', 'bfloat16', 'double', 'int64', 'uint8', 'bool'].map((k) => tensors.get(k)?.dtype);
    expect(dtypes).toEqual(['F32', 'F16', 'BF16', 'F64', 'I64', 'U8', 'BOOL']);
  });
});

describe('what is no file of weights is told by what it is', () => {
  const zeros = (n: number) => Buffer.alloc(n);
  it.each([
    ['nothing', zeros(0), 'empty or truncated'],
    ['a web page', Buffer.from('<!DOCTYPE html><html><body>404</body></html>'), 'a web page'],
    ['a pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a'), 'git lfs pull'],
    ['zeros', zeros(4096), 'nothing but zeros'],
    ['a text', Buffer.from('These weights can be had on request.'), 'expected PyTorch (.pth), safetensors'],
    ['an archive', Buffer.concat([Buffer.of(0x1f, 0x8b), zeros(40)]), 'unpack it first'],
    [
      'a bare pickle',
      Buffer.from('\x80\x04}q\x00X\x03\x00\x00\x00abcK\x01s.', 'latin1'),
      'not one that torch.save wrote',
    ],
    ['JSON', Buffer.from('{"weights": [1, 2, 3]}'), 'no weightsManifest'],
    ['a cut zip', readFileSync(fixture('weights_zip.pth')).subarray(0, 1500), 'the download was cut off'],
    ['a cut legacy file', readFileSync(fixture('weights_legacy.pth')).subarray(0, 1400), 'truncated'],
    [
      'a cut h5 file',
      Buffer.concat([Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), zeros(100)]),
      'HDF5 file cannot be read',
    ],
    ['a cut safetensors file', readFileSync(fixture('weights.safetensors')).subarray(0, 6000), 'truncated'],
  ])('%s', async (_, bytes, message) => {
    const path = join(folder, 'given.pth');
    writeFileSync(path, bytes);
    const error = await readWeightFile(path).catch((e) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(message);
    expect(error.message).toContain(path);
  });

  it('a folder, and a file that is not there', async () => {
    await expect(readWeightFile(folder)).rejects.toThrow('found a folder');
    await expect(readWeightFile(join(folder, 'none.pth'))).rejects.toThrow('no such file');
  });
});
