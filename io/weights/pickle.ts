// Python's pickle, read and never run. A pickle is a program for a stack machine that may name and call any function; this
// reader knows the instructions that PyTorch's files use and calls nothing: names and calls become records that lie there
// until someone who knows a name gives it a meaning (torch.ts).
import { type Cursor, refuse } from './byte-file.ts';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Name
  | Call
  | Persistent
  | Value[]
  | Map<Value, Value>;

/** A class or function by its name. */
export class Name {
  constructor(readonly text: string) {}
}

/** What would have been a call, or an object: nothing was called. */
export class Call {
  /** What BUILD would have given to the object. */
  state: Value = null;
  /** What would have been put into it, where it is a kind of dictionary or list. */
  readonly entries = new Map<Value, Value>();
  constructor(
    readonly callee: Value,
    readonly args: readonly Value[],
  ) {}
}

/** Something that stands outside the pickle, by what the file calls it: for PyTorch, a tensor's numbers. */
export class Persistent {
  constructor(readonly id: Value) {}
}

export interface PickleHooks {
  /** What stands for a persistent id. */
  readonly persistent: (id: Value) => Value;
}

// What the largest checkpoints need many times over, and what keeps a file of bombs below some 100 MB.
const MOST_STEPS = 2_000_000;
const MOST_OBJECTS = 200_000;
const LONGEST_NAME = 1000;
const LONGEST_NUMBER = 16; // bytes of an integer
const LONGEST_TEXT = 2 ** 24; // bytes

const utf8 = new TextDecoder();
const latin = new TextDecoder('latin1');

/**
 * Reads one pickle, protocols 2 to 5, from where the cursor stands to behind its STOP.
 * @throws {FormatError} for an instruction outside the subset, a damaged or truncated program, or one beyond the limits
 */
export function readPickle(cursor: Cursor, hooks: PickleHooks): Value {
  return new Machine(cursor, hooks).run();
}

class Machine {
  readonly #stack: Value[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, Value>();
  #objects = 0;

  constructor(
    readonly cursor: Cursor,
    readonly hooks: PickleHooks,
  ) {}

  run(): Value {
    for (let step = 0; step < MOST_STEPS; step++) {
      const code = this.cursor.byte();
      if (code === STOP) return this.pop();
      const instruction = INSTRUCTIONS.get(code);
      if (!instruction) this.refuse(`instruction 0x${code.toString(16).padStart(2, '0')} is none that weights need`);
      instruction(this, this.cursor);
    }
    return this.refuse(`more than ${MOST_STEPS} instructions`);
  }

  refuse(why: string): never {
    refuse(this.cursor.source, `the pickle is refused at byte ${this.cursor.at}: ${why}`);
  }

  push(value: Value): void {
    this.#stack.push(value);
  }

  /** For what takes memory of its own: that is counted. */
  make(value: Value): void {
    this.#count(1);
    this.#stack.push(value);
  }

  #count(objects: number): void {
    this.#objects += objects;
    if (this.#objects > MOST_OBJECTS) this.refuse(`more than ${MOST_OBJECTS} objects`);
  }

  pop(): Value {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) this.refuse('it takes a value that is not there');
    return this.#stack.pop() as Value;
  }

  popMany(count: number): Value[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  popToMark(): Value[] {
    const mark = this.#marks.pop();
    if (mark === undefined) this.refuse('it goes back to a mark that is not there');
    return this.#stack.splice(mark);
  }

  /** POP takes a mark where nothing stands above it. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  #top(): Value {
    const value = this.pop();
    this.push(value);
    return value;
  }

  remember(key = this.#memo.size): void {
    if (this.#memo.size >= MOST_OBJECTS) this.refuse(`more than ${MOST_OBJECTS} memories`);
    this.#memo.set(key, this.#top());
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) this.refuse(`it recalls ${key}, which it never remembered`);
    this.push(value);
  }

  append(items: readonly Value[]): void {
    const list = this.#top();
    if (Array.isArray(list)) for (const item of items) list.push(item);
    else if (!(list instanceof Call)) this.refuse('it appends to what is no list');
  }

  set(pairs: readonly Value[]): void {
    const target = this.#top();
    const entries = target instanceof Call ? target.entries : target;
    if (!(entries instanceof Map) || pairs.length % 2) this.refuse('it sets items of what is no dictionary');
    for (let i = 0; i < pairs.length; i += 2) entries.set(pairs[i], pairs[i + 1]);
  }

  /** A dictionary may be told something besides, such as _metadata: of no use here. */
  build(state: Value): void {
    const target = this.#top();
    if (target instanceof Call) target.state = state;
  }

  /** One name has a meaning here, as the next instructions put items into it: collections.OrderedDict([(key, value)...]). */
  call([callee, args]: readonly Value[]): void {
    if (!Array.isArray(args)) this.refuse('it calls something with what are no arguments');
    if (!(callee instanceof Name && callee.text === 'collections.OrderedDict')) {
      this.make(new Call(callee, args));
      return;
    }
    const pairs = args[0] ?? [];
    if (!isPairs(pairs)) this.refuse('an ordered dictionary is made of something else than pairs');
    this.#count(pairs.length); // one list may fill many dictionaries
    this.make(new Map(pairs));
  }

  name([module, name]: readonly Value[]): void {
    if (typeof module !== 'string' || typeof name !== 'string') this.refuse('a name that is no text');
    if (module.length + name.length > 2 * LONGEST_NAME) this.refuse('a name without end');
    this.make(new Name(`${module}.${name}`));
  }

  bytes(length: number): Uint8Array {
    if (length > LONGEST_TEXT) this.refuse(`a text of ${length} bytes`);
    return this.cursor.bytes(length);
  }

  /** Little-endian, in two's complement. */
  long(bytes: Uint8Array): void {
    if (bytes.length > LONGEST_NUMBER) this.refuse(`an integer of ${bytes.length} bytes`);
    let n = 0n;
    for (const byte of bytes.toReversed()) n = (n << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(8 * bytes.length, n);
    const small = Number(signed);
    if (Number.isSafeInteger(small)) this.push(small);
    else this.make(signed);
  }
}

const isPairs = (value: Value): value is [Value, Value][] =>
  Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2);

const STOP = 0x2e;
const INSTRUCTIONS: ReadonlyMap<number, (machine: Machine, from: Cursor) => void> = new Map([
  [0x80, (m, from) => from.byte() > 5 && m.refuse('a protocol later than 5')], // PROTO
  [0x95, (_, from) => from.uint64()], // FRAME: how far the next instructions reach
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => m.drop()], // POP
  [0x31, (m) => m.popToMark()], // POP_MARK
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m, from) => m.push(from.int32())], // BININT
  [0x4b, (m, from) => m.push(from.byte())], // BININT1
  [0x4d, (m, from) => m.push(from.uint16())], // BININT2
  [0x8a, (m, from) => m.long(m.bytes(from.byte()))], // LONG1
  [0x47, (m, from) => m.push(from.view(8).getFloat64(0, false))], // BINFLOAT, the one number with its high byte first
  [0x55, (m, from) => m.push(latin.decode(m.bytes(from.byte())))], // SHORT_BINSTRING, of Python 2
  [0x54, (m, from) => m.push(latin.decode(m.bytes(from.uint32())))], // BINSTRING
  [0x8c, (m, from) => m.push(utf8.decode(m.bytes(from.byte())))], // SHORT_BINUNICODE
  [0x58, (m, from) => m.push(utf8.decode(m.bytes(from.uint32())))], // BINUNICODE
  [0x43, (m, from) => m.make(m.bytes(from.byte()))], // SHORT_BINBYTES, in numpy's numbers
  [0x42, (m, from) => m.make(m.bytes(from.uint32()))], // BINBYTES
  [0x29, (m) => m.make([])], // EMPTY_TUPLE
  [0x74, (m) => m.make(m.popToMark())], // TUPLE
  [0x85, (m) => m.make(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.make(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.make(m.popMany(3))], // TUPLE3
  [0x5d, (m) => m.make([])], // EMPTY_LIST
  [0x61, (m) => m.append(m.popMany(1))], // APPEND
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x7d, (m) => m.make(new Map())], // EMPTY_DICT
  [0x73, (m) => m.set(m.popMany(2))], // SETITEM
  [0x75, (m) => m.set(m.popToMark())], // SETITEMS
  [0x71, (m, from) => m.remember(from.byte())], // BINPUT
  [0x72, (m, from) => m.remember(from.uint32())], // LONG_BINPUT
  [0x94, (m) => m.remember()], // MEMOIZE
  [0x68, (m, from) => m.recall(from.byte())], // BINGET
  [0x6a, (m, from) => m.recall(from.uint32())], // LONG_BINGET
  [0x63, (m, from) => m.name([from.line(LONGEST_NAME), from.line(LONGEST_NAME)])], // GLOBAL
  [0x93, (m) => m.name(m.popMany(2))], // STACK_GLOBAL
  [0x52, (m) => m.call(m.popMany(2))], // REDUCE
  [0x81, (m) => m.call(m.popMany(2))], // NEWOBJ
  [0x62, (m) => m.build(m.pop())], // BUILD
  [0x51, (m) => m.make(m.hooks.persistent(m.pop()))], // BINPERSID
]);
