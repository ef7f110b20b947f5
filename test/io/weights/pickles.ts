// An assembler for pickles by hand, in latin1 text: what no honest program writes can be written with it.
import { type Zippable, zipSync } from 'fflate';

const u32 = (n: number): string => String.fromCharCode(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, (n >>> 24) & 255);

export const text = (s: string): string => `X${u32(s.length)}${s}`;
export const int = (n: number): string => `J${u32(n)}`;
/** A whole number of eight bytes. */
export const long = (n: bigint): string =>
  `\x8a\x08${u32(Number(BigInt.asUintN(32, n)))}${u32(Number(BigInt.asUintN(32, n >> 32n)))}`;
export const tuple = (...items: string[]): string => `(${items.join('')}t`;
export const dict = (...pairs: (readonly [string, string])[]): string =>
  `}(${pairs.map(([key, value]) => text(key) + value).join('')}u`;
export const name = (module: string, of: string): string => `c${module}\n${of}\n`;
export const call = (callee: string, ...args: string[]): string => `${callee}${tuple(...args)}R`;
export const pickle = (body: string): string => `\x80\x02${body}.`;

export const storage = (key: string, count: string, type = 'FloatStorage'): string =>
  `${tuple(text('storage'), name('torch', type), text(key), text('cpu'), count)}Q`;

export interface View {
  storage?: string;
  offset?: string;
  size: string[];
  stride: string[];
}
export const tensor = ({ storage: of = storage('0', int(4)), offset = int(0), size, stride }: View): string => {
  const hooks = call(name('collections', 'OrderedDict'));
  return call(name('torch._utils', '_rebuild_tensor_v2'), of, offset, tuple(...size), tuple(...stride), '\x89', hooks);
};
/** Four numbers. */
export const four = tensor({ size: [int(4)], stride: [int(1)] });

export const module = (state: string): string => `${name('net', 'Net')})\x81${state}b`;

export const latin = (s: string): Uint8Array => Buffer.from(s, 'latin1');

/** A zip as torch.save writes it; data/0 holds 1, 2, 3, 4. */
export const torchZip = (body: string, more: Zippable = {}, level: 0 | 9 = 0): Uint8Array => {
  const numbers = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  return zipSync({ 'archive/data.pkl': latin(pickle(body)), 'archive/data/0': numbers, ...more }, { level });
};

/** Before 1.6; one storage, of four numbers. */
export const torchLegacy = (body: string, keys = `](${text('0')}e`, count = 4n): Uint8Array => {
  const numbers = Buffer.alloc(24);
  numbers.writeBigInt64LE(count);
  for (const [i, n] of [1, 2, 3, 4].entries()) numbers.writeFloatLE(n, 8 + 4 * i);
  const magic = '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e';
  const head = [pickle('M\xe9\x03'), pickle(dict(['little_endian', '\x88'])), pickle(body), pickle(keys)];
  return Buffer.concat([latin(magic + head.join('')), numbers]);
};
