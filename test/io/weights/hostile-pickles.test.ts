import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../engine/errors.ts';
import { readWeightFile } from '../../../io/weights/read.ts';
import {
  call,
  dict,
  four,
  int,
  latin,
  long,
  module,
  name,
  storage,
  tensor,
  text,
  torchLegacy,
  torchZip,
  tuple,
} from './pickles.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const path = join(folder, 'given.pth');
  writeFileSync(path, bytes);
  const { tensors } = await readWeightFile(path);
  return Object.fromEntries(Array.from(tensors, ([key, { data }]) => [key, [...data]]));
}

async function refused(bytes: Uint8Array): Promise<string> {
  const began = process.cpuUsage();
  const error = await read(bytes).catch((e) => e);
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toContain(join(folder, 'given.pth'));
  expect(process.cpuUsage(began).user / 1e6, 'seconds').toBeLessThan(5);
  return error.message;
}

const both = [
  ['zip', torchZip],
  ['legacy', torchLegacy],
] as const;

describe.each(both)('pickles in a file of the %s format', (_, file) => {
  const evil = () => call(name('posix', 'system'), text(`touch ${join(folder, 'executed')}`));

  it('run nothing: what they would call lies there as a record', async () => {
    expect(await read(file(dict(['w', four])))).toEqual({ w: [1, 2, 3, 4] });
    expect(await read(file(dict(['evil', evil()], ['w', four])))).toEqual({ w: [1, 2, 3, 4] });
    expect(await refused(file(evil()))).toContain('found an object without parameters');
    const inModule = module(dict(['_parameters', dict(['w', four])], ['_modules', dict(['evil', evil()])]));
    expect(await read(file(inModule))).toEqual({ w: [1, 2, 3, 4] });
    expect(existsSync(join(folder, 'executed'))).toBe(false);
  });

  it('are unwrapped: what is usual stands above tensors beside it, one dictionary among other things is taken', async () => {
    const zero = tensor({ size: [int(1)], stride: [int(1)] });
    expect(
      await read(file(dict(['mean', zero], ['params_ema', dict(['w', four])], ['params', dict(['v', four])]))),
    ).toEqual({
      w: [1, 2, 3, 4],
    });
    expect(await read(file(dict(['step', 'K\x01'], ['best', dict(['module.w', four])])))).toEqual({ w: [1, 2, 3, 4] });
    expect(await read(file(dict(['model', four], ['net', zero])))).toEqual({ model: [1, 2, 3, 4], net: [1] });
    expect(await refused(file(dict(['one', dict(['a', four])], ['other', dict(['b', four])])))).toContain(
      'found one, other',
    );
  });

  it('change no prototype', async () => {
    const path = join(folder, 'given.pth');
    writeFileSync(path, file(dict(['__proto__', four], ['constructor', four], ['toString', four])));
    const { tensors } = await readWeightFile(path);
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor', 'toString']);
    writeFileSync(path, file(dict(['__proto__', dict(['polluted', four])])));
    expect([...(await readWeightFile(path)).tensors.keys()]).toEqual(['polluted']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.prototype.toString.call([])).toBe('[object Array]');
  });

  it.each([
    ['an instruction of other pickles (INST)', '(ios\nsystem\n.', '0x69'],
    ['a global by number (EXT1)', '\x82\x01', '0x82'],
    ['a number of 2^31 bytes (LONG4)', '\x8b\xff\xff\xff\x7f', '0x8b'],
    ['a number of 255 bytes', `\x8a\xff${'\x01'.repeat(255)}`, 'an integer of 255 bytes'],
    ['a text of 4 GB', 'X\xff\xff\xff\xffabc', 'a text of 4294967295 bytes'],
    ['a text that ends early', 'X\xff\xff\x00\x00abc', 'are left'],
    ['a name without end', `c${'x'.repeat(2000)}\nf\n`, 'longer than 1000'],
    ['an empty stack', 'R', 'a value that is not there'],
    ['values below a mark', '}(s', 'a value that is not there'],
    ['no mark', '}u', 'a mark that is not there'],
    ['a memory that was never made', 'h\x07', 'never remembered'],
    ['items of a number', `K\x01${text('a')}Ns`, 'what is no dictionary'],
    ['items of no pair', `}(${text('a')}u`, 'what is no dictionary'],
    ['an item appended to a number', 'K\x01Na', 'what is no list'],
    ['arguments that are none', `${name('collections', 'OrderedDict')}K\x01R`, 'no arguments'],
    ['a dictionary of a text', call(name('collections', 'OrderedDict'), text('ab')), 'something else than pairs'],
    [
      'a storage of a type that every object has',
      dict(['w', tensor({ storage: storage('0', int(4), 'constructorStorage'), size: [int(4)], stride: [int(1)] })]),
      'constructorStorage',
    ],
    [
      'a storage of a type unknown',
      dict(['w', tensor({ storage: storage('0', int(4), 'ComplexFloatStorage'), size: [], stride: [] })]),
      'ComplexFloatStorage',
    ],
    ['a list', ']', 'a list of 0'],
    ['nothing', 'N', 'a single None'],
    ['no tensor', dict(['epoch', 'K\x05'], ['lr', 'K\x01']), 'found epoch, lr'],
  ])('refuse %s', async (_case, body, message) => {
    expect(await refused(file(body))).toContain(message);
  });

  it.each([
    ['tuples in tuples', `N${'\x85'.repeat(300_000)}`, 'more than 200000 objects'],
    ['dictionaries', '}'.repeat(300_000), 'more than 200000 objects'],
    ['instructions', 'N0'.repeat(1_100_000), 'more than 2000000 instructions'],
    [
      'memories',
      `N${Array.from({ length: 250_000 }, (_v, i) => `r${String.fromCharCode(i & 255, (i >> 8) & 255, i >> 16, 0)}`).join('')}`,
      'memories',
    ],
    [
      'one list that fills many dictionaries',
      `](${tuple('K\x01', 'N').repeat(1000)}eq\x000${`${name('collections', 'OrderedDict')}h\x00\x85R0`.repeat(1000)}N`,
      'more than 200000 objects',
    ],
  ])('do not grow without end: %s', async (_case, body, message) => {
    expect(await refused(file(body))).toContain(message);
  });

  it('lists that double at each level are named without being written out', async () => {
    const doubling = `)q\x01${'0h\x01h\x01\x86q\x01'.repeat(60)}`;
    expect(await refused(file(doubling))).toContain('a list of 2');
    expect(await refused(file(`}(${doubling}K\x01u`))).toContain('found object');
  });

  it('long names that are used again and again are not written out', async () => {
    const name = `${text('n'.repeat(1e6))}q\x020`;
    const many = Array.from(
      { length: 2000 },
      (_v, i) =>
        `${text(`w${i}`)}${tensor({ storage: `${tuple(text('storage'), 'ctorch\nFloatStorage\n', 'h\x02', 'N', int(4))}Q`, size: [int(i % 4)], stride: [int(1)] })}`,
    );
    expect(await refused(file(`${name}}(${many.join('')}u`))).toContain('without a key');
    expect(await refused(file(`${name}}(h\x02${four}u`))).toContain('a name of 1000000 letters');
    let body = module(dict(['_parameters', dict(['w', four])]));
    for (let i = 0; i < 10; i++) body += `q\x010${module(dict(['_modules', `}(h\x02h\x01${text('b')}h\x01u`]))}`;
    expect(await refused(file(name + body))).toContain('names without end');
  });

  it('lists within lists are only deep', async () => {
    expect(await refused(file(`N${'\x85'.repeat(150_000)}`))).toContain('a list of 1');
  });

  it('modules that lie within themselves, or that double at each level, have an end', async () => {
    const cyclic = `${name('net', 'Net')})\x81q\x01}(${text('_modules')}}(${text('a')}h\x01uub`;
    expect(await refused(file(cyclic))).toContain('within one another without end');
    let body = module(dict(['_parameters', dict(['w', four])]));
    for (let depth = 0; depth < 30; depth++) {
      body += `q\x010${module(dict(['_modules', dict(['a', 'h\x01'], ['b', 'h\x01'])]))}`;
    }
    expect(await refused(file(body))).toContain('within one another without end');
  });

  it.each([
    ['a negative offset', { offset: int(-1), size: [int(4)], stride: [int(1)] }, 'not what PyTorch writes'],
    ['a negative size', { size: [int(-4)], stride: [int(1)] }, 'not what PyTorch writes'],
    ['a negative stride', { offset: int(3), size: [int(4)], stride: [int(-1)] }, 'not what PyTorch writes'],
    ['a size that is no number', { size: [text('4')], stride: [int(1)] }, 'not what PyTorch writes'],
    ['sizes without strides', { size: [int(2), int(2)], stride: [int(1)] }, 'not what PyTorch writes'],
    ['20 axes', { size: Array(20).fill(int(1)), stride: Array(20).fill(int(1)) }, 'not what PyTorch writes'],
    ['an end past the storage', { offset: int(1), size: [int(4)], stride: [int(1)] }, 'past the 4 elements'],
    ['strides past the storage', { size: [int(2), int(2)], stride: [int(3), int(1)] }, 'past the 4 elements'],
    ['2^62 repetitions', { size: [long(2n ** 31n), long(2n ** 31n)], stride: [int(0), int(0)] }, 'than any file holds'],
    ['2^40 repetitions', { size: [long(2n ** 40n)], stride: [int(0)] }, 'more than a file of'],
    [
      'a storage larger than the file',
      { storage: storage('0', long(2n ** 40n)), size: [long(2n ** 40n)], stride: [int(1)] },
      'a file',
    ],
    ['a storage that is cut', { storage: storage('0', int(5)), size: [int(5)], stride: [int(1)] }, 'needs 20 bytes'],
    [
      'a storage with a negative count',
      { storage: storage('0', int(-4)), size: [int(4)], stride: [int(1)] },
      'without a key and a count',
    ],
  ])('refuse a tensor with %s', async (_case, view, message) => {
    expect(await refused(file(dict(['w', tensor(view)])))).toContain(message);
  });

  it('a storage that is said to be of two sizes has one', async () => {
    const wide = tensor({ storage: storage('0', int(5)), size: [int(5)], stride: [int(1)] });
    expect(await refused(file(dict(['w', four], ['x', wide])))).toMatch(/there are 16|needs 20/);
  });

  it('overlapping views may be, a thousand large ones of a small file may not', async () => {
    const view = (offset: number) => tensor({ offset: int(offset), size: [int(2)], stride: [int(1)] });
    expect(await read(file(dict(['a', view(0)], ['b', view(1)])))).toEqual({ a: [1, 2], b: [2, 3] });
    const large = (i: number) => tensor({ size: [int(50_000 + i)], stride: [int(0)] });
    const many = Array.from({ length: 1000 }, (_v, i) => [`w${i}`, large(i)] as const);
    expect(await refused(file(dict(...many)))).toContain('more than a file of');
  });
});

describe('the old format around the pickles', () => {
  it.each([
    ['keys that are no list', torchLegacy(dict(['w', four]), 'N'), 'no list'],
    ['a key that comes twice', torchLegacy(dict(['w', four]), `](${text('0')}${text('0')}e`), 'listed twice'],
    ['a key of no tensor', torchLegacy(dict(['w', four]), `](${text('9')}e`), 'used by no tensor'],
    ['2^62 elements', torchLegacy(dict(['w', four]), undefined, 2n ** 62n), 'announces a size'],
    ['-1 elements', torchLegacy(dict(['w', four]), undefined, -1n), 'announces a size'],
    ['5 elements where 4 are', torchLegacy(dict(['w', four]), undefined, 5n), '16 are left: truncated'],
    [
      'keys that double at each level',
      torchLegacy(dict(['w', four]), `](]q\x01${'0h\x01h\x01\x86q\x01'.repeat(60)}e`),
      'used by no tensor',
    ],
    ['no storage', torchLegacy(dict(['w', four]), ']'), 'storage 0 is not in the file'],
  ])('%s', async (_, bytes, message) => {
    expect(await refused(bytes)).toContain(message);
  });
});

describe('the zip around the pickle', () => {
  const good = torchZip(dict(['w', four]));
  const at = (bytes: Uint8Array, signature: string, from = 0) => Buffer.from(bytes).indexOf(latin(signature), from);
  /** With a number of the directory's entry for data/0 changed. */
  const changed = (field: number, value: number, bytes = 4): Uint8Array => {
    const out = Buffer.from(good);
    const second = at(good, 'PK\x01\x02', at(good, 'PK\x01\x02') + 4);
    out.writeUIntLE(value, second + field, bytes);
    return out;
  };
  const zeros = { 'archive/data/1': new Uint8Array(2 ** 27) };
  const renamed = (() => {
    const out = Buffer.from(torchZip(dict(['w', four]), { 'archive/data/1': new Uint8Array(4) }));
    for (let i = out.indexOf('data/1'); i >= 0; i = out.indexOf('data/1')) out.write('data/0', i);
    return out;
  })();

  it.each([
    ['sizes that differ', changed(24, 1000), 'two sizes'],
    ['an entry that begins past the end', changed(42, 10_000_000), 'are needed, there are'],
    ['an entry that begins in another', changed(42, 3), 'begins no entry'],
    ['an entry that is another', changed(42, 0), 'overlap'],
    ['an encrypted entry', changed(8, 1, 2), 'encrypted'],
    ['a way of packing that is not read', changed(10, 12, 2), 'packed in a way (12)'],
    ['packed data that is none', changed(10, 8, 2), 'does not unpack'],
    ['a name that comes twice', renamed, 'twice'],
    ['no data.pkl', torchZip('N').map((b) => (b === 0x6b ? 0x71 : b)), 'no PyTorch checkpoint'],
    ['two of them', torchZip('N', { 'other/data.pkl': latin('N.') }), 'expected one data.pkl'],
    ['a program', torchZip('N', { 'archive/constants.pkl': latin('N.') }), 'TorchScript'],
    ['big-endian numbers', torchZip(dict(['w', four]), { 'archive/byteorder': latin('big') }), 'big-endian'],
    ['numpy arrays', zipSync({ 'w.npy': new Uint8Array(8) }), 'numpy arrays'],
    ['a Keras archive', zipSync({ 'model.weights.h5': new Uint8Array(8) }), 'model.weights.h5 within'],
  ])('%s', async (_, bytes, message) => {
    expect(await refused(bytes)).toContain(message);
  });

  it('packed entries are read, and are no bombs', async () => {
    expect(await read(torchZip(dict(['w', four]), {}, 9))).toEqual({ w: [1, 2, 3, 4] });
    const view = { storage: storage('1', int(2 ** 25)), size: [int(2)], stride: [int(1)] };
    const bomb = torchZip(dict(['w', tensor(view)]), zeros, 9);
    expect(bomb.length).toBeLessThan(2 ** 18);
    expect(await refused(bomb)).toContain('unpacks to 134217728 bytes');
    const lying = Buffer.from(bomb);
    const third = lying.lastIndexOf('PK\x01\x02');
    lying.writeUInt32LE(8, third + 24);
    const small = { ...view, storage: storage('1', int(2)) };
    expect(await refused(torchZip(dict(['w', tensor(small)]), {}, 9))).toContain('not in the zip');
    expect(await refused(lying)).toContain('needs 134217728 bytes, the zip holds 8 of it');
  });
});
