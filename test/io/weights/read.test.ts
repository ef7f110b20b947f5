import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
