import { size as count } from '../engine/tensor.ts';
import type { ConvBench, ConvRow } from './conv.ts';
import type { Pass, Setting } from './conv-count.ts';
import { margin, milliseconds, number, percent, times } from './format.ts';
import { quantile } from './statistics.ts';

export const passNames: Readonly<Record<Pass, string>> = {
  forward: 'forward',
  dx: 'd input',
  dw: 'd weight',
  training: 'fwd + bwd',
};

export const settingName = ({ channels, size, k }: Setting): string =>
  `${channels} channels, ${size.join('x')}, k = ${k}`;

export function formName({ form, k }: Pick<ConvRow, 'form' | 'k'>): string {
  const names = { full: [k, k, k], spatial: [1, k, k], temporal: [k, 1, 1] };
  if (form === 'unfused') return `1x${k}x${k}, ${k}x1x1`;
  return form === 'fused' ? `1x${k}x${k}, ${k}x1x1 fused` : names[form].join('x');
}

/** Does it pay off here? And may the times be trusted? */
export function headline({ comparisons, rows }: ConvBench): string {
  const training = comparisons.filter((c) => c.pass === 'training');
  const best = (c: (typeof training)[number]) => Math.max(c.obtained, c.obtainedFused ?? 0);
  const wins = training.filter((c) => best(c) > 1).length;
  const weight = ({ channels, size, k }: Setting) => channels ** 2 * count(size) * k ** 3;
  const largest = training.reduce((a, b) => (weight(a) > weight(b) ? a : b));
  const doubt = quantile(
    rows.map((row) => row.margin),
    0.5,
  );
  const busy =
    doubt > 0.1
      ? ` The machine was busy: half of these times are uncertain by ${margin(doubt)} or more; repeat it.`
      : '';
  return (
    `Separable is faster than full in ${wins} of ${training.length} settings, forward and backward. The heaviest, ` +
    `${settingName(largest)}: ${times(largest.obtained)} unfused, ${times(largest.obtainedFused)} fused, of ${times(largest.promised)} that arithmetic promises.${busy}`
  );
}

/** Its head first. */
export function rowTable({ rows }: ConvBench): string[][] {
  const head = ['convolution', 'pass', 'C', 'T x H x W', 'M MAC', 'MB', 'ms', '±', 'GFLOP/s', 'of peak', 'GB/s'];
  const lines = rows.map((row) => [
    ...[formName(row), passNames[row.pass], String(row.channels), row.size.join('x')],
    ...[(row.macs / 1e6).toFixed(0), (row.bytes / 1e6).toFixed(1), milliseconds(row.ms), margin(row.margin)],
    ...[number(row.gflops), percent(row.share), number(row.gbs)],
  ]);
  return [head, ...lines];
}

/** Its head first. The shares are of the unfused time; negative where the part helped. */
export function comparisonTable({ comparisons }: ConvBench): string[][] {
  const head = ['k³ against k² + k', 'pass', 'C', 'T x H x W', 'full ms', 'separable', 'fused'];
  head.push('promised', 'inside', 'by kernels', 'obtained', 'fused');
  head.push('padding', 'Winograd', 'rate 1xkxk', 'rate kx1x1', 'middle');
  const lines = comparisons.map((c) => [
    ...[`${c.k}x${c.k}x${c.k}`, passNames[c.pass], String(c.channels), c.size.join('x')],
    ...[milliseconds(c.fullMs), milliseconds(c.unfusedMs), c.fusedMs === null ? '-' : milliseconds(c.fusedMs)],
    ...[times(c.promised), times(c.promisedInside), times(c.promisedByKernels)],
    ...[times(c.obtained), times(c.obtainedFused)],
    ...[c.why.padding, c.why.algorithm, c.why.spatial, c.why.temporal, c.why.middle].map((part) =>
      percent(part / c.unfusedMs),
    ),
  ]);
  return [head, ...lines];
}
