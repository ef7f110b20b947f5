import type { ConvRow } from './conv.ts';
import { type Form, multiplies, type Part, type Pass, type Setting } from './conv-count.ts';
import { milliseconds, percent, times } from './format.ts';
import type { Peak } from './peak.ts';

/** Full k x k x k against 1 x k x k followed by k x 1 x 1, in one pass. */
export interface Comparison extends Setting {
  readonly pass: Pass;
  readonly fullMs: number;
  /** Both factors with the tensor between them in memory: the sum of their times; in training measured as a whole. */
  readonly unfusedMs: number;
  /** Null where there is no such pass. */
  readonly fusedMs: number | null;
  /** By arithmetic, k³ / (k² + k). */
  readonly promised: number;
  /** The same for the taps that fall inside the clip: a kernel may skip the others, of which the full filter has more. */
  readonly promisedInside: number;
  /** The same for the multiplications that the kernels do which ran: Winograd's do fewer. */
  readonly promisedByKernels: number;
  /** By fullMs over unfusedMs, and over fusedMs. */
  readonly obtained: number;
  readonly obtainedFused: number | null;
  readonly why: Why;
}

/**
 * Where unfusedMs comes from, in milliseconds that add up to it: promised + padding + algorithm + spatial +
 * temporal + middle + together.
 * A part may be negative: it then helped.
 */
export interface Why {
  /** fullMs / promised. */
  readonly promised: number;
  /** What taps in the padding cost the full filter less than its multiply-adds say: fullMs / promisedInside less the above. */
  readonly padding: number;
  /** What kernels that multiply less (Winograd) save the full filter more than the factors; 0 where none ran. */
  readonly algorithm: number;
  /** What each factor takes more than at the rate of the full filter, without the traffic of the middle tensor. */
  readonly spatial: number;
  readonly temporal: number;
  /** Writing and reading the tensor between the factors, at the measured rate of memory; at most what is to be explained. */
  readonly middle: number;
  /** What the measurement of the whole differs from the sum of its parts; 0 outside training. */
  readonly together: number;
  /** Of the multiply-adds that the kernels do, in GFLOP/s. */
  readonly rates: Readonly<Record<'full' | 'spatial' | 'temporal', number>>;
  /** Of the tensor between the factors, written and read. */
  readonly middleBytes: number;
}

const PARTS: readonly Pass[] = ['forward', 'dx', 'dw'];

/** @param rows of one setting */
export function compare(rows: readonly ConvRow[], pass: Pass, peak: Peak): Comparison {
  const row = (form: Form, pass: Pass) => rows.find((r) => r.form === form && r.pass === pass);
  const passes = pass === 'training' ? PARTS : [pass];
  const sum = (form: Part, value: (row: ConvRow) => number) =>
    passes.reduce((total, part) => total + value(row(form, part)!), 0);
  const ms = (form: Part) => sum(form, (r) => r.ms);
  const inside = (form: Part) => sum(form, (r) => r.macsInside);
  const done = (form: Part) => sum(form, (r) => multiplies(r, form, r.kernels));
  const full = row('full', pass)!;
  const { channels, size, k } = full;
  const unfusedMs = row('unfused', pass)?.ms ?? ms('spatial') + ms('temporal');
  const fusedMs = row('fused', pass)?.ms ?? null;
  const promised = k ** 3 / (k ** 2 + k);
  const promisedInside = inside('full') / (inside('spatial') + inside('temporal'));
  const promisedByKernels = done('full') / (done('spatial') + done('temporal'));

  const slower = (form: Part) => ms(form) - (full.ms * done(form)) / done('full');
  const [spatial, temporal] = [slower('spatial'), slower('temporal')];
  const clip = (row('spatial', 'forward')!.bytes - weightBytes(row('spatial', 'forward')!)) / 2;
  const middleBytes = 2 * clip * passes.length;
  const middle = Math.min(middleBytes / Math.max(peak.copyGbs, peak.readGbs) / 1e6, Math.max(spatial + temporal, 0));
  const rate = (form: Part, time = ms(form)) => (2 * done(form)) / time / 1e6;
  return {
    ...{ channels, size, k, pass, fullMs: full.ms, unfusedMs, fusedMs },
    ...{ promised, promisedInside, promisedByKernels },
    obtained: full.ms / unfusedMs,
    obtainedFused: fusedMs && full.ms / fusedMs,
    why: {
      promised: full.ms / promised,
      padding: full.ms / promisedInside - full.ms / promised,
      algorithm: full.ms / promisedByKernels - full.ms / promisedInside,
      spatial: spatial - middle / 2, // which writes the middle tensor
      temporal: temporal - middle / 2, // which reads it
      middle,
      together: unfusedMs - ms('spatial') - ms('temporal'),
      rates: { full: rate('full', full.ms), spatial: rate('spatial'), temporal: rate('temporal') },
      middleBytes,
    },
  };
}

const weightBytes = ({ channels, k }: Setting): number => 4 * Math.ceil(channels / 4) * 4 * channels * k ** 2;

const rateText = (gflops: number): string =>
  gflops >= 1000 ? `${(gflops / 1000).toFixed(2)} TFLOP/s` : `${gflops.toFixed(1)} GFLOP/s`;

/** What the parts of the difference are called, in the order in which they add up. */
export const reasonKeys = ['padding', 'algorithm', 'spatial', 'temporal', 'middle', 'together'] as const;
export const reasons: Readonly<Record<(typeof reasonKeys)[number], string>> = {
  padding: 'taps in the padding',
  algorithm: 'fewer multiplications (Winograd)',
  spatial: 'rate of 1×k×k',
  temporal: 'rate of k×1×1',
  middle: 'traffic of the middle tensor',
  together: 'all in one go',
};

/** Sentences that say why the speed-up obtained is not the one promised; every number in them is computed from this run. */
export function explain(c: Comparison): string[] {
  const { why, k } = c;
  const { full, spatial, temporal } = why.rates;
  const lines = [
    `Arithmetic promises ${times(c.promised)}; obtained ${times(c.obtained)}${c.obtainedFused ? `, fused ${times(c.obtainedFused)}` : ''}.`,
    `Taps in the padding need no arithmetic, and the full filter has more of them: inside the clip, ${times(c.promisedInside)} are left.`,
    ...(why.algorithm === 0
      ? []
      : [
          `Kernels that multiply less (Winograd) ran; by the multiplications done, ${times(c.promisedByKernels)} are promised.`,
        ]),
    `Rates of what they multiply: full ${rateText(full)}, 1×${k}×${k} ${rateText(spatial)} (${percent(spatial / full)} of it), ` +
      `${k}×1×1 ${rateText(temporal)} (${percent(temporal / full)}).`,
    `The tensor between the factors: ${(why.middleBytes / 1e6).toFixed(1)} MB to write and read, ` +
      (why.middle > 0
        ? `about ${milliseconds(why.middle)} of ${milliseconds(c.unfusedMs)} ms.`
        : 'which costs nothing that shows.'),
  ];
  if (c.fusedMs) {
    const gain = c.unfusedMs - c.fusedMs;
    lines.push(`Fused takes ${milliseconds(Math.abs(gain))} ms ${gain >= 0 ? 'less' : 'more'} than unfused.`);
  }
  lines.push(conclusion(c));
  return lines;
}

/** The part that counts most, for or against. */
function conclusion({ why, obtained, promised, unfusedMs, k }: Comparison): string {
  const name = (key: keyof typeof reasons) => reasons[key].replace('k×k', `${k}×${k}`).replace('k×1', `${k}×1`);
  const parts = reasonKeys.map((key) => ({ key, ms: why[key] }));
  if (obtained > promised) {
    const best = parts.reduce((a, b) => (b.ms < a.ms ? b : a));
    return `More than promised, mostly by: ${name(best.key)}, ${milliseconds(-best.ms)} ms less.`;
  }
  const worst = parts.reduce((a, b) => (b.ms > a.ms ? b : a));
  if (worst.ms < 0.02 * unfusedMs) return 'Nothing is lost that is worth naming.';
  return `What costs most: ${name(worst.key)}, ${milliseconds(worst.ms)} ms.`;
}
