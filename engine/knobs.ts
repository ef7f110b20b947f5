/** What may be turned from outside: environment variables in Node, the URL's query in a page. One sentence each. */
export interface Knobs {
  /** DEBUG=1 device and memory, 2 time and rate of each kernel, 3 its shapes and constants, 4 its WGSL. */
  debug: number;
  /** VALIDATE=1 checks every op against its float64 reference at the next synchronisation. */
  validate: boolean;
  /** KERNEL=conv:direct,conv_dw:subgroup picks a variant per kernel family. */
  kernel: Record<string, string>;
}

export const knobs: Knobs = { debug: 0, validate: false, kernel: {} };

export function readKnobs(source: Record<string, string | undefined>): void {
  knobs.debug = Number(source.DEBUG ?? 0) || 0;
  knobs.validate = source.VALIDATE === '1';
  const pairs = (source.KERNEL ?? '').split(',').filter(Boolean);
  knobs.kernel = Object.fromEntries(pairs.map((pair) => pair.split(':') as [string, string]));
}
