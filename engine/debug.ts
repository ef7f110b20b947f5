import type { KernelTime } from './commands.ts';
import { type MemoryStats, mebibytes } from './memory.ts';

/** DEBUG=1: one line whenever the peak of live memory has risen. */
export function memoryLine({ live, liveBlocks, peak, pooled }: MemoryStats): string {
  return `memory: ${mebibytes(live)} live in ${liveBlocks} blocks, peak ${mebibytes(peak)}, ${mebibytes(pooled)} pooled`;
}

/** DEBUG=2: a line per kernel, slowest first: calls, milliseconds, GFLOP/s, GB/s. */
export function kernelTable(times: readonly KernelTime[]): string {
  const rows = new Map<string, { calls: number; us: number; flops: number; bytes: number }>();
  for (const { label, us, flops, bytes } of times) {
    const row = rows.get(label) ?? { calls: 0, us: 0, flops: 0, bytes: 0 };
    rows.set(label, { calls: row.calls + 1, us: row.us + us, flops: row.flops + flops, bytes: row.bytes + bytes });
  }
  const line = ([label, { calls, us, flops, bytes }]: [
    string,
    { calls: number; us: number; flops: number; bytes: number },
  ]) =>
    `${label.padEnd(36)} ${String(calls).padStart(5)} ${(us / 1e3).toFixed(3).padStart(10)} ms ` +
    `${(flops / us / 1e3).toFixed(1).padStart(8)} GFLOP/s ${(bytes / us / 1e3).toFixed(1).padStart(7)} GB/s`;
  return [...rows]
    .sort((a, b) => b[1].us - a[1].us)
    .map(line)
    .join('\n');
}
