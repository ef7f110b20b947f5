import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FormatError } from '../../engine/errors.ts';

/** Bytes to read from, in a file or in memory. `path` stands in messages. */
export interface Bytes {
  readonly path: string;
  readonly size: number;
  /** A copy of its own. @throws {FormatError} for bytes that are not there, before anything is allocated for them */
  read(at: number, length: number): Uint8Array<ArrayBuffer>;
}

/** Says what is wrong with a file. */
export function refuse({ path }: { readonly path: string }, why: string): never {
  throw new FormatError(`${path}: ${why}`);
}

const checkRange = (bytes: Bytes, at: number, length: number): void => {
  if (at >= 0 && length >= 0 && at + length <= bytes.size) return;
  refuse(bytes, `bytes ${at} to ${at + length} are needed, there are ${bytes.size}: truncated or damaged`);
};

/** A file that is read in pieces: a checkpoint never stands in memory as a whole beside its own tensors. */
export class ByteFile implements Bytes {
  readonly size: number;
  readonly #fd: number;

  /** @throws {FormatError} for a path that is no readable file */
  constructor(readonly path: string) {
    try {
      this.#fd = openSync(path, 'r');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw new FormatError(`${path}: ${missing ? 'no such file' : (error as Error).message}`, { cause: error });
    }
    const stat = fstatSync(this.#fd);
    this.size = stat.size;
    if (stat.isFile()) return;
    this.close();
    refuse(this, `expected a file of weights, found ${stat.isDirectory() ? 'a folder' : 'a device'}`);
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    checkRange(this, at, length);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.#fd, bytes, done, Math.min(length - done, 2 ** 30), at + done);
      if (count === 0) refuse(this, `ends at byte ${at + done}, it shrank while being read`);
      done += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Bytes that stand in memory already. */
export class ByteBlock implements Bytes {
  readonly size: number;
  constructor(
    readonly path: string,
    readonly bytes: Uint8Array,
  ) {
    this.size = bytes.length;
  }
  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    checkRange(this, at, length);
    return new Uint8Array(this.bytes.subarray(at, at + length));
  }
}

/** A stretch of other bytes, counted from its own beginning. */
export class ByteRange implements Bytes {
  readonly path: string;
  constructor(
    readonly whole: Bytes,
    readonly begin: number,
    readonly size: number,
  ) {
    this.path = whole.path;
  }
  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    checkRange(this, at, length);
    return this.whole.read(this.begin + at, length);
  }
}

const PAGE = 2 ** 16;

/** Reads on and on from a position, a page at a time. */
export class Cursor {
  #page = new Uint8Array(new ArrayBuffer(0));
  #pageAt = 0;
  constructor(
    readonly source: Bytes,
    public at: number,
    readonly end: number = source.size,
  ) {}

  /** Where the next bytes stand within the page. */
  #next(length: number): number {
    if (length > this.end - this.at) {
      const left = Math.max(this.end - this.at, 0);
      refuse(this.source, `${length} bytes are needed at byte ${this.at}, ${left} are left: truncated or damaged`);
    }
    let start = this.at - this.#pageAt;
    if (start < 0 || start + length > this.#page.length) {
      this.#page = this.source.read(this.at, Math.min(Math.max(PAGE, length), this.end - this.at));
      this.#pageAt = this.at;
      start = 0;
    }
    this.at += length;
    return start;
  }

  byte(): number {
    const start = this.#next(1);
    return this.#page[start];
  }

  /** A copy of its own. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const start = this.#next(length);
    return this.#page.slice(start, start + length);
  }

  view(length: number): DataView {
    const start = this.#next(length);
    return new DataView(this.#page.buffer, start, length);
  }

  uint16(): number {
    return this.view(2).getUint16(0, true);
  }
  uint32(): number {
    return this.view(4).getUint32(0, true);
  }
  int32(): number {
    return this.view(4).getInt32(0, true);
  }
  /** @throws {FormatError} for numbers past 2^53, which no size in a file can be */
  uint64(): number {
    const n = this.view(8).getBigUint64(0, true);
    if (n > Number.MAX_SAFE_INTEGER) refuse(this.source, `byte ${this.at - 8} announces a size of ${n}: damaged`);
    return Number(n);
  }

  /** Text up to the next line feed, which is passed over. */
  line(longest: number): string {
    let text = '';
    for (let c = this.byte(); c !== 0x0a; c = this.byte()) {
      if (text.length >= longest) refuse(this.source, `a name at byte ${this.at} is longer than ${longest} characters`);
      text += String.fromCharCode(c);
    }
    return text;
  }
}
