import { Random } from '../../../engine/random.ts';

/** One of many ways in which a file comes to harm: flipped bytes, a cut, runs of a byte, numbers grown, parts moved or doubled. */
export function harmed(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const at = () => random.int(Math.max(out.length, 1));
  const kind = random.int(10);
  if (kind === 0) return out.subarray(0, at());
  if (kind === 1) {
    const [begin, length] = [at(), 1 + random.int(64)];
    return Buffer.concat([out.subarray(0, begin), out.subarray(begin + length)]);
  }
  if (kind === 2) {
    const [begin, from] = [at(), at()];
    return Buffer.concat([out.subarray(0, begin), out.subarray(from, from + 1 + random.int(64)), out.subarray(begin)]);
  }
  if (kind === 3) {
    const begin = at();
    out.subarray(begin, begin + 1 + random.int(16)).fill([0, 0xff, 0x7f, 0x80][random.int(4)]);
  } else if (kind === 4 && out.length > 8) {
    const number = [0xffffffff, 0x7fffffff, 0x80000000, 0x10000000, 0x00ffffff][random.int(5)];
    out.writeUInt32LE(number, random.int(out.length - 4));
  } else {
    for (let i = 1 + random.int(8); i > 0; i--) out[at()] = random.int(256);
  }
  return out;
}

/** Files of a format, each harmed in another way: equal seeds, equal files. */
export function* harmedFiles(sources: readonly Uint8Array[], count: number): Generator<Uint8Array> {
  const random = new Random(4);
  for (let i = 0; i < count; i++) yield harmed(sources[i % sources.length], random);
}
