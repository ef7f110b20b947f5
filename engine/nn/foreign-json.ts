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
