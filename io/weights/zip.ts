import { inflateRawSync } from 'node:zlib';
import { ByteBlock, ByteRange, type Bytes, Cursor, refuse } from './byte-file.ts';

/** A file within a zip. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes, unpacked. */
  readonly size: number;
  /** Its contents: a stretch of the file, or unpacked in memory. */
  open(): Bytes;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const MOST_ENTRIES = 100_000;
const STORED = 0;
const DEFLATED = 8;

/**
 * A zip's entries by name, as its central directory has them: PyTorch's local headers leave the sizes out. Entries are read
 * when they are asked for. Reads zip64.
 * @throws {FormatError} for a truncated file, entries past its end or over one another, names that come twice, encryption
 */
export function readZip(file: Bytes): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  const spans: { name: string; begin: number; end: number }[] = [];
  const { at, size, count } = directory(file);
  const cursor = new Cursor(file, at, at + size);
  for (let i = 0; i < count; i++) {
    const entry = centralEntry(cursor);
    const { name, packed } = entry;
    if (entries.has(name)) refuse(file, `the zip holds ${name} twice`);
    const begin = dataStart(file, entry.local);
    if (begin + packed > at) refuse(file, `${name} reaches past the contents of the zip: damaged`);
    spans.push({ name, begin: entry.local, end: begin + packed });
    const open = (): Bytes =>
      entry.method === STORED
        ? new ByteRange(file, begin, entry.size)
        : new ByteBlock(file.path, unpack(file, entry, begin));
    entries.set(name, { name, size: entry.size, open });
  }
  spans.sort((a, b) => a.begin - b.begin);
  for (let i = 1; i < spans.length; i++) {
    if (spans[i].begin < spans[i - 1].end) refuse(file, `${spans[i - 1].name} and ${spans[i].name} overlap in the zip`);
  }
  return entries;
}

/** Where the central directory lies. */
function directory(file: Bytes): { at: number; size: number; count: number } {
  const tailAt = Math.max(0, file.size - 22 - 0xffff); // the end record may be followed by a comment
  const tail = file.read(tailAt, file.size - tailAt);
  const view = new DataView(tail.buffer);
  let i = tail.length - 22;
  while (i >= 0 && view.getUint32(i, true) !== END) i--;
  if (i < 0) refuse(file, 'a zip without its end: the download was cut off');
  let [count, size, at] = [view.getUint16(i + 10, true), view.getUint32(i + 12, true), view.getUint32(i + 16, true)];
  if (i >= 20 && view.getUint32(i - 20, true) === LOCATOR_64) {
    const end = new Cursor(file, Number(view.getBigUint64(i - 12, true)));
    if (end.uint32() !== END_64) refuse(file, 'the zip64 directory is not where it should be: damaged');
    end.bytes(28);
    [count, size, at] = [end.uint64(), end.uint64(), end.uint64()];
  }
  if (at + size > file.size) refuse(file, 'the directory of the zip reaches past its end: truncated or damaged');
  if (count > MOST_ENTRIES) refuse(file, `the zip announces ${count} entries`);
  return { at, size, count };
}

interface CentralEntry {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly local: number;
}

function centralEntry(cursor: Cursor): CentralEntry {
  const { source } = cursor;
  if (cursor.uint32() !== CENTRAL) refuse(source, 'the directory of the zip is damaged');
  cursor.bytes(4); // versions
  const flags = cursor.uint16();
  const method = cursor.uint16();
  cursor.bytes(8); // time, checksum
  const sizes = [cursor.uint32(), cursor.uint32()];
  const [nameLength, extraLength, commentLength] = [cursor.uint16(), cursor.uint16(), cursor.uint16()];
  cursor.bytes(8); // disk, attributes
  let local = cursor.uint32();
  const name = new TextDecoder().decode(cursor.bytes(nameLength));
  const extraEnd = cursor.at + extraLength;
  const extra = new Cursor(source, cursor.at, Math.min(extraEnd, cursor.end));
  while (extra.end - extra.at >= 4) {
    const [kind, length] = [extra.uint16(), extra.uint16()];
    const next = extra.at + length;
    if (kind === 1) {
      // zip64: the numbers that did not fit above, in this order: size, packed size, place
      const wide = (n: number) => (n === 0xffffffff ? extra.uint64() : n);
      sizes[1] = wide(sizes[1]);
      sizes[0] = wide(sizes[0]);
      local = wide(local);
    }
    extra.at = next;
  }
  cursor.at = extraEnd + commentLength;
  const [packed, size] = sizes;
  if (flags & 1) refuse(source, `${name} is encrypted`);
  if (method !== STORED && method !== DEFLATED)
    refuse(source, `${name} is packed in a way (${method}) that is not read`);
  if (method === STORED && packed !== size) refuse(source, `${name} has two sizes, ${packed} and ${size}: damaged`);
  return { name, method, packed, size, local };
}

/** Behind the local header, whose extra field differs from the directory's: PyTorch fills it up to align the data. */
function dataStart(file: Bytes, local: number): number {
  const header = new DataView(file.read(local, 30).buffer);
  if (header.getUint32(0, true) !== LOCAL) refuse(file, `byte ${local} begins no entry of the zip: damaged`);
  return local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
}

/** Node's own inflate takes a limit, which fflate's does not: an entry cannot grow past what the directory says. */
function unpack(file: Bytes, { name, packed, size }: CentralEntry, begin: number): Uint8Array {
  if (size > 2 * file.size + 2 ** 26) refuse(file, `${name} unpacks to ${size} bytes, out of a file of ${file.size}`);
  try {
    const out = inflateRawSync(file.read(begin, packed), { maxOutputLength: Math.max(size, 1) });
    if (out.length === size) return out;
  } catch {
    // told below
  }
  return refuse(file, `${name} is packed data that does not unpack to the ${size} bytes it announces: damaged`);
}
