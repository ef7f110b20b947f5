import { UsageError } from './errors.ts';

/** What may be turned from outside: environment variables in Node, the URL's query in a page. One sentence each. */
export interface Knobs {
  /** DEBUG=1 device and memory, 2 time and rate of each kernel, 3 its shapes and constants, 4 its WGSL. */
  debug: number;
  /** VALIDATE=1 checks every op against its float64 reference at the next synchronisation. */
  validate: boolean;
  /** KERNEL=conv:tiled,conv_dw:direct picks a variant per kernel family, where it can do the work. */
  kernel: Record<string, string>;
  /** PRECISION=f16 lets convolutions round their inputs to f16 where that is faster: about three digits instead of seven. */
  precision: 'f32' | 'f16';
}

const FAMILIES = ['conv', 'conv_dw', 'separable', 'pixel_shuffle'];

export const knobs: Knobs = { debug: 0, validate: false, kernel: {}, precision: 'f32' };

/** @throws {UsageError} for a level, a precision or a kernel family that does not exist */
export function readKnobs(source: Record<string, string | undefined>): void {
  const precision = source.PRECISION ?? 'f32';
  if (precision !== 'f32' && precision !== 'f16') {
    throw new UsageError(`PRECISION=${precision}: expected f32 or f16`);
  }
  knobs.precision = precision;
  knobs.debug = Number(source.DEBUG || 0);
  if (![0, 1, 2, 3, 4].includes(knobs.debug))
    throw new UsageError(`DEBUG=${source.DEBUG}: expected a number from 0 to 4`);
  knobs.validate = source.VALIDATE === '1';
  const pairs = (source.KERNEL ?? '').split(',').filter(Boolean);
  knobs.kernel = Object.fromEntries(
    pairs.map((pair) => {
      const [family, variant] = pair.split(':');
      if (!FAMILIES.includes(family) || !variant) {
        throw new UsageError(`KERNEL=${pair}: expected family:variant, the family one of ${FAMILIES.join(', ')}`);
      }
      return [family, variant];
    }),
  );
}

/** The knobs that decide which numbers come out, as they are typed before a command; empty where none is set. */
export function knobsText(): string {
  const kernels = Object.entries(knobs.kernel).map((pair) => pair.join(':'));
  return (
    (kernels.length > 0 ? `KERNEL=${kernels.join(',')} ` : '') + (knobs.precision === 'f16' ? 'PRECISION=f16 ' : '')
  );
}

/** Kernel variants in the order of preference, by family: what the tuner measured on an adapter. */
export type Choices = Readonly<Record<string, readonly string[]>>;

/** Families whose forced variant ran at least once. */
const obeyed = new Set<string>();

/** What KERNEL asked for and nothing did, as a remark for the user; undefined where all was done. */
export function unheeded(): string | undefined {
  const idle = Object.entries(knobs.kernel).filter(([family]) => !obeyed.has(family));
  if (idle.length === 0) return undefined;
  return `KERNEL=${idle.map((pair) => pair.join(':')).join(',')} had no effect: nothing ran that this variant can do`;
}

/**
 * The first variant in the order of preference that can do the work, or the one that KERNEL=family:variant asks for where it
 * can. Without a measured order, that of `variants` counts.
 * @param variants by name; each gives its plan, or something falsy if it cannot
 * @throws {UsageError} when the family has no variant of the name asked for
 */
export function pickVariant<T>(
  family: string,
  variants: Readonly<Record<string, () => T | undefined | false>>,
  choices: Choices = {},
): { name: string; plan: T } {
  const forced = knobs.kernel[family];
  if (forced && !(forced in variants)) {
    throw new UsageError(`KERNEL=${family}:${forced}: expected one of ${Object.keys(variants).join(', ')}`);
  }
  for (const name of [...(forced ? [forced] : []), ...(choices[family] ?? []), ...Object.keys(variants)]) {
    const plan = variants[name]?.();
    if (plan && name === forced) obeyed.add(family);
    if (plan) return { name, plan };
  }
  throw new UsageError(`no variant of ${family} can do this`);
}
