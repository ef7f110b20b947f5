import { execFileSync } from 'node:child_process';
import type { Node } from '../engine/autograd.ts';
import type { KernelTime } from '../engine/commands.ts';
import type { Engine } from '../engine/engine.ts';
import type { Tensor } from '../engine/tensor.ts';
import { projectFolder } from '../io/folders.ts';

/** Median of some runs, and the quartiles around it, in milliseconds. */
export interface Timing {
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  readonly runs: number;
  /** The kernels of the last run; empty where the adapter has no timestamps. */
  readonly kernels: readonly KernelTime[];
}

export interface Effort {
  /** Runs before the first that counts: pipelines compile, clocks rise. */
  readonly warmup?: number;
  /** Runs go on until so many milliseconds are spent. */
  readonly spend?: number;
  readonly least?: number;
  readonly most?: number;
}

/**
 * Times work that records dispatches: the sum of its kernels on the device's own clock, or where there is none from
 * recording to the end on ours.
 */
export async function measure(engine: Engine, work: () => void, effort: Effort = {}): Promise<Timing> {
  const { warmup = 2, spend = 800, least = 3, most = 25 } = effort;
  for (let i = 0; i < warmup; i++) work();
  await engine.finish();
  const times: number[] = [];
  let kernels: readonly KernelTime[] = [];
  const began = performance.now();
  while (times.length < least || (performance.now() - began < spend && times.length < most)) {
    const start = performance.now();
    if (engine.caps.timestamps) {
      kernels = await engine.profile(work);
      times.push(kernels.reduce((sum, { us }) => sum + us, 0) / 1000);
    } else {
      work();
      await engine.finish();
      times.push(performance.now() - start);
    }
  }
  return {
    ms: quantile(times, 0.5),
    quartiles: [quantile(times, 0.25), quantile(times, 0.75)],
    runs: times.length,
    kernels,
  };
}

/**
 * What a call leaves on a tape: its gradients can then be run one by one. The caller's scope keeps what they read.
 * Undefined for compositions, whose gradients need each other.
 */
export function recordOne(engine: Engine, inputs: readonly Tensor[], call: () => Tensor): Node | undefined {
  const nodes: Node[] = [];
  using tape = engine.record();
  tape.add = (node) => {
    node.output.tracked = true;
    nodes.push(node);
  };
  for (const x of inputs) x.track();
  call();
  return nodes.length === 1 ? nodes[0] : undefined;
}

/** Values that are all different and neither large nor small. */
export const noise = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** Linear between neighbours. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (at - Math.floor(at)) * (high - low);
}

/** The commit that is measured, with + for changes on top of it; null outside a clone. */
export function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: projectFolder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') ? '+' : '');
  } catch {
    return null;
  }
}
