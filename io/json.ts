const NOT_FINITE = ['Infinity', '-Infinity', 'NaN'];

/** JSON in which numbers that it has no word for stand as the strings "Infinity", "-Infinity", "NaN" instead of null. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v));

/** Reads what `toJson` wrote. @throws {SyntaxError} */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, v) => (typeof v === 'string' && NOT_FINITE.includes(v) ? Number(v) : v));
