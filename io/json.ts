const NOT_FINITE = ['Infinity', '-Infinity', 'NaN'];

/** JSON in which numbers that it has no word for stand as the strings "Infinity", "-Infinity", "NaN" instead of null. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v));

/** Reads what `toJson` wrote. @throws {SyntaxError} */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, v) => (typeof v === 'string' && NOT_FINITE.includes(v) ? Number(v) : v));

const MOST_LISTS = 1_000_000;

/**
 * JSON of a file from elsewhere. A million brackets are far more than any description of weights has, and what keeps one that
 * is nothing but brackets from taking fifty times its size.
 * @throws {SyntaxError} for no JSON, no UTF-8 and too many brackets
 */
export function parseForeign(bytes: Uint8Array): unknown {
  let lists = 0;
  for (const byte of bytes) if (byte === 0x5b || byte === 0x7b) lists++;
  if (lists > MOST_LISTS) throw new SyntaxError(`${lists} lists and objects`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new SyntaxError((error as Error).message, { cause: error });
  }
}
