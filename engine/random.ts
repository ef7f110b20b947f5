import { UsageError } from './errors.ts';

type Words4 = readonly [number, number, number, number];

/** High and low half of a 32 x 32 bit product. WGSL has no 64-bit integers either: its kernel splits in the same way. */
function multiplyWide(a: number, b: number): [high: number, low: number] {
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + ((al * bl) >>> 16); // below 2^32
  const carried = al * bh + (middle % 0x10000);
  return [ah * bh + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000), Math.imul(a, b) >>> 0];
}

/**
 * Philox4x32-10: ten rounds of multiply and xor that turn a 128-bit counter and a 64-bit key into 128 random bits.
 * Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", §4.3. No state, so any element of any
 * tensor can draw its own number, on the CPU and on the GPU alike. All words are uint32.
 */
export function philox4x32(counter: Words4, key: readonly [number, number]): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiplyWide(0xd2511f53, c0);
    const [high1, low1] = multiplyWide(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0; // golden ratio
    k1 = (k1 + 0xbb67ae85) >>> 0; // √3 - 1
  }
  return [c0, c1, c2, c3];
}

/** The top 24 bits of a word as a float in [0, 1): exact in float32, so CPU and GPU agree. */
export const unitFloat = (word: number): number => (word >>> 8) / 2 ** 24;

/** A 53-bit whole number as two uint32 words, low first. */
export const words = (n: number): [number, number] => [n >>> 0, Math.floor(n / 2 ** 32) >>> 0];

/** Everything that a generator is: plain numbers, fit for JSON. */
export interface RandomState {
  readonly seed: number;
  readonly stream: number;
  readonly position: number; // uint32 words drawn so far
}

/** A sequence of Philox words: key = seed, counter = (block, stream). Equal seeds and streams give equal sequences. */
export class Random {
  readonly seed: number;
  readonly stream: number;
  #position = 0;
  #block: number[] = [];

  constructor(seed: number, stream = 0) {
    for (const [name, n] of Object.entries({ seed, stream })) {
      if (!Number.isSafeInteger(n) || n < 0) {
        throw new UsageError(`random ${name}: expected a whole number from 0 to 2^53 - 1, got ${n}`);
      }
    }
    this.seed = seed;
    this.stream = stream;
  }

  static from(state: RandomState): Random {
    const random = new Random(state.seed, state.stream);
    if (!Number.isSafeInteger(state.position) || state.position < 0) {
      throw new UsageError(`random position: expected a whole number from 0 to 2^53 - 1, got ${state.position}`);
    }
    random.#position = state.position;
    if (state.position % 4) random.#refill();
    return random;
  }

  state(): RandomState {
    return { seed: this.seed, stream: this.stream, position: this.#position };
  }

  uint32(): number {
    if (this.#position % 4 === 0) this.#refill();
    return this.#block[this.#position++ % 4];
  }

  /** Uniform in [0, 1), 24 bits. */
  uniform(): number {
    return unitFloat(this.uint32());
  }

  /** Standard normal by Box and Muller 1958. Two words a call, so the position alone is the state. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())); // 1 - u is in (0, 1]
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform whole number in [0, n), unbiased by rejection. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new UsageError(`random int: expected a bound from 1 to 2^32, got ${n}`);
    }
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.uint32();
      if (word < limit) return word % n;
    }
  }

  /** Fisher and Yates, in place. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  #refill(): void {
    const [b0, b1] = words(Math.floor(this.#position / 4));
    const [s0, s1] = words(this.stream);
    const [k0, k1] = words(this.seed);
    this.#block = philox4x32([b0, b1, s0, s1], [k0, k1]);
  }
}
