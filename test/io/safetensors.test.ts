import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, ShapeError } from '../../engine/errors.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type TensorData,
  writeSafetensors,
} from '../../io/safetensors.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file by hand: any header over any data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(), length?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([first, text, data]);
}
const bytesOf = (data: TensorData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describe('writing and reading', () => {
  test('every array type survives, with metadata', async () => {
    const arrays: TensorData[] = [
      Float64Array.of(Math.PI, -0),
      Float32Array.of(1.5, Number.NaN),
      BigInt64Array.of(-5n, 2n ** 60n),
      BigUint64Array.of(7n, 2n ** 63n),
      Int32Array.of(-1, 2),
      Uint32Array.of(1, 2 ** 32 - 1),
      Int16Array.of(-3, 4),
      Uint16Array.of(3, 65535),
      Int8Array.of(-7, 8),
      Uint8Array.of(7, 255),
    ];
    const tensors = arrays.map((data, i) => [`t${i}`, { shape: [1, 2], data }] as const);
    const path = join(folder, 'all.safetensors');
    await writeSafetensors(path, tensors, { epoch: '3', note: 'ü "quoted"' });
    const read = await readSafetensors(path);
    expect(read.metadata).toEqual({ epoch: '3', note: 'ü "quoted"' });
    for (const [name, { data }] of tensors) expect(read.tensors.get(name)?.data).toEqual(data);
    expect(decodeSafetensors(readFileSync(path))).toEqual(read);
    const header = await readSafetensorsHeader(path);
    expect(header.tensors.get('t1')).toEqual({ dtype: 'F32', shape: [1, 2] });
    expect(readdirSync(folder)).toEqual(['all.safetensors']);
  });

  test('scalars, empty tensors, awkward names, no tensors at all', () => {
    const tensors = [
      ['__proto__', { shape: [], data: Float32Array.of(5) }],
      ['12', { shape: [0, 3], data: new Float32Array() }],
      ['a', { shape: [1], data: Float32Array.of(6) }],
    ] as const;
    const read = decodeSafetensors(encodeSafetensors(tensors)).tensors;
    expect([...read.keys()].sort()).toEqual(['12', '__proto__', 'a']);
    for (const [name, { shape, data }] of tensors) expect(read.get(name)).toEqual({ dtype: 'F32', shape, data });
    expect(decodeSafetensors(encodeSafetensors([])).tensors.size).toBe(0);
  });

  test('equal contents give equal bytes, aligned', () => {
    const a = ['a', { shape: [3], data: Uint8Array.of(1, 2, 3) }] as const;
    const b = ['b', { shape: [2], data: Float32Array.of(1, 2) }] as const;
    const one = encodeSafetensors([a, b], { x: '1', y: '2' });
    expect(encodeSafetensors([b, a], { y: '2', x: '1' })).toEqual(one);
    expect(new DataView(one.buffer, one.byteOffset).getUint32(0, true) % 8).toBe(0);
    expect(Buffer.from(one).toString('latin1')).toContain('"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}');
  });

  test('half and bfloat16 become float32', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8400, 0x7c00);
    const brains = Uint16Array.of(0x3f80, 0xc049);
    const header = {
      h: { dtype: 'F16', shape: [6], data_offsets: [0, 12] },
      b: { dtype: 'BF16', shape: [2], data_offsets: [12, 16] },
    };
    const { tensors } = decodeSafetensors(file(header, Buffer.concat([bytesOf(halves), bytesOf(brains)])));
    const expected = [1, -2, 65504, 2 ** -24, -(2 ** -14), Number.POSITIVE_INFINITY];
    expect(tensors.get('h')!.data).toEqual(Float32Array.from(expected));
    expect(tensors.get('b')!.data).toEqual(Float32Array.of(1, -3.140625));
  });

  test('the writer refuses shapes that do not fit and names that meet', () => {
    expect(() => encodeSafetensors([['a', { shape: [2, 2], data: new Float32Array(3) }]])).toThrow(ShapeError);
    const a = ['a', { shape: [1], data: new Float32Array(1) }] as const;
    expect(() => encodeSafetensors([a, a])).toThrow('the name is taken');
  });
});

describe('hostile files', () => {
  const f32 = (shape: unknown, offsets: unknown) => ({ a: { dtype: 'F32', shape, data_offsets: offsets } });
  const eight = new Uint8Array(8);
  test.each([
    ['empty', new Uint8Array(), 'empty or truncated'],
    ['a header longer than the file', file('{}', eight, 5000n), 'announce a header of 5000 bytes'],
    ['a header of 2^63 bytes', file('{}', eight, 2n ** 63n), 'another format, or truncated'],
    ['text', Buffer.from('hello, this is no tensor file'), 'another format'],
    ['no brace', file('[1, 2, 3]'), 'does not start with "{"'],
    ['broken JSON', file('{"a": '), 'no JSON'],
    ['invalid UTF-8', file('{"\u00ff": 1}').map((b) => (b === 0xc3 ? 0xff : b)), 'no JSON'],
    ['an unknown dtype', file({ a: { dtype: 'constructor', shape: [], data_offsets: [0, 0] } }), 'dtype constructor'],
    ['a negative size', file(f32([-2], [0, 8]), eight), 'no shape'],
    ['a fractional size', file(f32([0.5], [0, 2]), eight), 'no shape'],
    ['offsets backwards', file(f32([2], [8, 0]), eight), 'no data_offsets'],
    ['a shape far past the data', file(f32([2 ** 40, 2 ** 40], [0, 8]), eight), 'its data_offsets span 8'],
    ['data cut off', file(f32([1000], [0, 4000]), eight), 'need 4000 bytes of data, the file holds 8: truncated'],
    ['a hole', file(f32([1], [4, 8]), eight), 'expected 0'],
    ['trailing bytes', file(f32([1], [0, 4]), eight), '4 bytes after the last tensor'],
    [
      'overlap',
      file({ ...f32([2], [0, 8]), b: { dtype: 'F32', shape: [1], data_offsets: [4, 8] } }, eight),
      'expected 8',
    ],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), 'no string'],
    ['null for a tensor', file({ a: null }), 'dtype undefined'],
  ])('%s', async (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(message);
    const path = join(folder, 'hostile.safetensors');
    writeFileSync(path, bytes);
    const error = await readSafetensors(path).catch((e) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(message);
    expect(error.message).toContain('hostile.safetensors');
  });

  test('a missing file and a folder', async () => {
    await expect(readSafetensors(join(folder, 'nope'))).rejects.toThrow('no such file');
    await expect(readSafetensors(folder)).rejects.toThrow(FormatError);
  });
});
