import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FS, type Group, File as H5File, ready } from 'h5wasm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../engine/errors.ts';
import { readWeightFile } from '../../../io/weights/read.ts';
import { dict, four, latin, pickle } from './pickles.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
  await ready;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function refusal(path: string): Promise<string> {
  const error = await readWeightFile(path).catch((e) => e);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toContain(path);
  return error.message;
}

const numbers = async (path: string) =>
  Object.fromEntries(Array.from((await readWeightFile(path)).tensors, ([key, { data }]) => [key, [...data]]));

describe('HDF5', () => {
  const made = (fill: (file: H5File) => void, libver: 'earliest' | 'latest' = 'earliest'): Uint8Array => {
    const file = new H5File('/made.h5', 'w', { libver: [libver, 'latest'] });
    fill(file);
    file.close();
    return FS!.readFile('/made.h5') as unknown as Uint8Array;
  };
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);

  it.each(['earliest', 'latest'] as const)(
    '%s layout: plain, chunked and packed; groups that wrap are no names',
    async (libver) => {
      const bytes = made((file) => {
        const group = file.create_group('params');
        group.create_dataset({ name: 'plain', data, shape: [2, 3] });
        group.create_dataset({ name: 'packed', data, shape: [3, 2], chunks: [2, 2], compression: 'gzip' });
        group.create_dataset({ name: 'double', data: Float64Array.of(0.5), shape: [1] });
        group.create_dataset({ name: 'whole', data: BigInt64Array.of(-9n), shape: [1] });
        group.create_dataset({ name: 'text', data: ['not', 'numbers'] });
        const deep = group.create_group('conv1').create_group('conv1') as Group;
        deep.create_dataset({ name: 'kernel:0', data, shape: [6] });
      }, libver);
      const { format, tensors } = await readWeightFile(put('weights.h5', bytes));
      expect(format).toBe('HDF5');
      const found = Array.from(tensors, ([name, { dtype, shape, data }]) => [name, dtype, shape, [...data]]);
      expect(found.sort()).toEqual([
        ['conv1/conv1/kernel:0', 'F32', [6], [...data]],
        ['double', 'F64', [1], [0.5]],
        ['packed', 'F32', [3, 2], [...data]],
        ['plain', 'F32', [2, 3], [...data]],
        ['whole', 'I64', [1], [-9]],
      ]);
    },
  );

  it('numbers with the high byte first', async () => {
    const bytes = Buffer.from(made((file) => file.create_dataset({ name: 'w', data, shape: [6] })));
    const type = bytes.indexOf(Buffer.of(0x11, 0x20, 0x1f, 0x00, 0x04)); // float of four bytes; bit 0 of the next: its order
    bytes[type + 1] |= 1;
    bytes
      .subarray(bytes.indexOf(Buffer.from(data.buffer)))
      .subarray(0, 24)
      .swap32();
    expect(await numbers(put('big.h5', bytes))).toEqual({ w: [...data] });
  });

  it('a data set that is far larger than its file, links that lead out of it or in circles', async () => {
    const huge = made((file) => {
      const set = file.create_dataset({ name: 'w', data, shape: [2, 3], maxshape: [null, null], chunks: [2, 3] });
      set.resize([100_000, 100_000]);
    });
    expect(await refusal(put('huge.h5', huge))).toContain('w (100000, 100000) is more than the file can hold');
    const linked = made((file) => {
      file.create_external_link(join(folder, 'huge.h5'), '/w', 'outside');
      file.create_soft_link('/', 'again');
      file.create_soft_link('/nowhere', 'broken');
      file.create_dataset({ name: 'w', data, shape: [6] });
    });
    expect(await refusal(put('linked.h5', linked))).toContain('no end');
  });

  it('behind 512 bytes of something else', async () => {
    const bytes = made((file) => file.create_dataset({ name: 'w', data, shape: [6] }));
    expect(await numbers(put('behind.mat', Buffer.concat([Buffer.alloc(512, 'MATLAB 7.3'), bytes])))).toEqual({
      w: [...data],
    });
  });

  it('texts alone are no weights', async () => {
    const bytes = made((file) => file.create_dataset({ name: 'text', data: ['a'] }));
    expect(await refusal(put('text.h5', bytes))).toContain('without any tensor');
  });
});

describe('TensorFlow.js', () => {
  const weight = (name: string, shape: unknown, more = {}) => ({ name, shape, dtype: 'float32', ...more });
  const model = (weights: unknown, paths: unknown = ['w.bin']) =>
    put('model.json', JSON.stringify({ weightsManifest: [{ paths, weights }] }));
  beforeAll(() => {
    put('w.bin', new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    put('bytes.bin', Uint8Array.of(0, 1, 2, 255, 0x00, 0x3c));
    mkdirSync(join(folder, 'inner'));
  });

  it('float32 over several shards, quantised numbers', async () => {
    const marked = JSON.stringify({ weightsManifest: [{ paths: ['w.bin'], weights: [weight('a', [4])] }] });
    expect(await numbers(put('model.json', `\ufeff ${marked}`))).toEqual({ a: [1, 2, 3, 4] });
    expect(await numbers(model([weight('a', [2, 1]), weight('b', [2])]))).toEqual({ a: [1, 2], b: [3, 4] });
    const path = model(
      [
        weight('q', [4], { quantization: { dtype: 'uint8', scale: 0.5, min: -1 } }),
        weight('h', [1], { quantization: { dtype: 'float16' } }),
        weight('f', [4]),
      ],
      ['bytes.bin', 'w.bin'],
    );
    expect(await numbers(path)).toEqual({ q: [-1, -0.5, 0, 126.5], h: [1], f: [1, 2, 3, 4] });
  });

  it("names that would be someone's prototype", async () => {
    const { tensors } = await readWeightFile(model([weight('__proto__', [4])]));
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it.each([
    ['a shard elsewhere', [weight('a', [4])], ['../w.bin'], 'expected a file beside it'],
    ['a shard at a place of its own', [weight('a', [4])], ['/etc/hostname'], 'expected a file beside it'],
    ['a shard of dots', [weight('a', [4])], ['..'], 'expected a file beside it'],
    ['a shard that is not there', [weight('a', [4])], ['none.bin'], 'no such file'],
    ['a shard that is a folder', [weight('a', [4])], ['inner'], 'found a folder'],
    ['no shards', [weight('a', [4])], 'w.bin', 'names no files'],
    ['shards too short', [weight('a', [5])], undefined, 'take 20 bytes, its shards hold 16'],
    ['2^80 numbers', [weight('a', [2 ** 40, 2 ** 40])], undefined, 'no shape'],
    ['a shape of text', [weight('a', ['4'])], undefined, 'no shape'],
    ['a weight twice', [weight('a', [2]), weight('a', [2])], undefined, 'twice'],
    ['a weight of text', [weight('a', [4], { dtype: 'string' })], undefined, 'type string'],
    ['a type that every object has', [weight('a', [4], { dtype: 'constructor' })], undefined, 'type constructor'],
    ['a scale that is none', [weight('a', [4], { quantization: { scale: 'x' } })], undefined, 'no scale'],
    ['no name', [{ shape: [4], dtype: 'float32' }], undefined, 'without a name'],
    ['no weights', 'none', undefined, 'lists no weights'],
    ['null', [null], undefined, 'without a name'],
  ])('refuses %s', async (_, weights, paths, message) => {
    expect(await refusal(model(weights, paths))).toContain(message);
  });
});

/** Entries whose sizes and places stand where zip64 has them, as in files of more than 4 GiB. */
function zip64(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const [parts, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, bytes] of Object.entries(files)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    for (const [field, value] of [
      [20, 2 ** 32 - 1],
      [24, 2 ** 32 - 1],
      [42, 2 ** 32 - 1],
    ])
      central.writeUInt32LE(value, field);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(28, 30);
    const extra = Buffer.alloc(28);
    extra.writeUInt16LE(1);
    extra.writeUInt16LE(24, 2);
    for (const [i, value] of [bytes.length, bytes.length, at].entries())
      extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
    parts.push(local, Buffer.from(name), Buffer.from(bytes));
    directory.push(central, Buffer.from(name), extra);
    at += 30 + name.length + bytes.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50);
  const count = Object.keys(files).length;
  for (const [i, value] of [count, count, size, at].entries()) end64.writeBigUInt64LE(BigInt(value), 24 + 8 * i);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.writeBigUInt64LE(BigInt(at + size), 8);
  const end = Buffer.alloc(22, 0xff);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(0, 20);
  return Buffer.concat([...parts, ...directory, end64, locator, end]);
}

it('zip64: sizes and places of more than 32 bits', async () => {
  const files = {
    'a/data.pkl': latin(pickle(dict(['w', four]))),
    'a/data/0': new Uint8Array(Float32Array.of(5, 6, 7, 8).buffer),
  };
  expect(await numbers(put('large.pt', zip64(files)))).toEqual({ w: [5, 6, 7, 8] });
});
