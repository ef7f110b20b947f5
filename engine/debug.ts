import type { KernelTime } from './commands.ts';
import { type MemoryStats, mebibytes } from './memory.ts';

/** DEBUG=1: one line whenever the peak of live memory has risen. */
export function memoryLine({ live, liveBlocks, peak, pooled }: MemoryStats): string {
  return `memory: ${mebibytes(live)} live in ${liveBlocks} blocks, peak ${mebibytes(peak)}, ${mebibytes(pooled)} pooled`;
}

/** All calls of one kernel together. */
export interface KernelTotal {
  readonly label: string;
  readonly calls: number;
  readonly us: number;
  readonly flops: number;
  readonly bytes: number;
}

/** What each kernel took in all, in the order of their first calls. */
export function kernelTotals(times: readonly KernelTime[]): KernelTotal[] {
  const totals = new Map<string, KernelTotal>();
  for (const { label, us, flops, bytes } of times) {
    const t = totals.get(label) ?? { label, calls: 0, us: 0, flops: 0, bytes: 0 };
    totals.set(label, { label, calls: t.calls + 1, us: t.us + us, flops: t.flops + flops, bytes: t.bytes + bytes });
  }
  return [...totals.values()];
}

/** DEBUG=2: a line per kernel, slowest first: calls, milliseconds, GFLOP/s, GB/s. */
export function kernelTable(times: readonly KernelTime[]): string {
  const line = ({ label, calls, us, flops, bytes }: KernelTotal) =>
    `${label.padEnd(36)} ${String(calls).padStart(5)} ${(us / 1e3).toFixed(3).padStart(10)} ms ` +
    `${(flops / us / 1e3).toFixed(1).padStart(8)} GFLOP/s ${(bytes / us / 1e3).toFixed(1).padStart(7)} GB/s`;
  return kernelTotals(times)
    .sort((a, b) => b.us - a.us)
    .map(line)
    .join('\n');
}
