import { execFileSync } from 'node:child_process';
import type { Node } from '../engine/autograd.ts';
import type { KernelTime } from '../engine/commands.ts';
import type { Engine } from '../engine/engine.ts';
import type { Tensor } from '../engine/tensor.ts';
import { projectFolder } from '../io/folders.ts';
import { type Statistics, sampleWall, statisticsOf } from './statistics.ts';

export interface Timing extends Statistics {
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
  const [timing] = await measureTogether(engine, [work], effort);
  return timing;
}

/** The same for works that are compared: they take turns, so that what else the machine does falls on all of them. */
export async function measureTogether(
  engine: Engine,
  works: readonly (() => void)[],
  effort: Effort = {},
): Promise<Timing[]> {
  const { warmup = 2, spend = 800, least = 3, most = 25 } = effort;
  for (let i = 0; i < warmup; i++) for (const work of works) work();
  await engine.finish();
  if (!engine.caps.timestamps) {
    const timings: Timing[] = [];
    for (const work of works) {
      const run = () => {
        work();
        return engine.finish();
      };
      timings.push({ ...(await sampleWall(run, { least, spend })), kernels: [] });
    }
    return timings;
  }
  const times: number[][] = works.map(() => []);
  const kernels: KernelTime[][] = [];
  const began = performance.now();
  for (let round = 0; round < least || (performance.now() - began < spend * works.length && round < most); round++) {
    for (const [i, work] of works.entries()) {
      kernels[i] = await engine.profile(work);
      times[i].push(kernels[i].reduce((sum, { us }) => sum + us, 0) / 1000);
    }
  }
  return works.map((_, i) => ({ ...statisticsOf(times[i]), kernels: kernels[i] }));
}

/** What a call leaves on a tape. Its gradients can then be run again and again: the caller's scope keeps what they read. */
export function recordNodes(engine: Engine, inputs: readonly Tensor[], call: () => Tensor): Node[] {
  const nodes: Node[] = [];
  using tape = engine.record();
  tape.add = (node) => {
    node.output.tracked = true;
    for (const x of node.saved) x.retain();
    nodes.push(node);
  };
  for (const x of inputs) x.track();
  call();
  return nodes.map((node) => {
    const held = node.saved.map((x) => engine.view(x, x.shape, x.layout)); // belongs to the caller's scope
    for (const x of node.saved) x.release();
    return { ...node, backward: (dy) => node.backward(dy, held) };
  });
}

/** The same of a call that is one node. Undefined for compositions, whose gradients need each other. */
export function recordOne(engine: Engine, inputs: readonly Tensor[], call: () => Tensor): Node | undefined {
  const nodes = recordNodes(engine, inputs, call);
  return nodes.length === 1 ? nodes[0] : undefined;
}

/**
 * Runs backwards through nodes of which each hands its result to the next alone, and computes what the gradients of some
 * leaves need.
 */
export function runBackward(nodes: readonly Node[], dy: Tensor, leaves: readonly Tensor[]): void {
  const needed = new Set<Tensor>(leaves);
  for (const { inputs, output } of nodes) {
    if (Object.values(inputs).some((x) => x && needed.has(x))) needed.add(output);
  }
  let gradient = dy;
  for (const { inputs, output, backward } of [...nodes].reverse()) {
    if (!needed.has(output)) return;
    const runs = backward(gradient);
    for (const [name, x] of Object.entries(inputs)) {
      if (!x || !needed.has(x)) continue;
      const dx = runs[name]!();
      if (!leaves.includes(x)) gradient = dx;
    }
  }
}

/** Values that are all different and neither large nor small. */
export const noise = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** The commit that is measured, with + for changes on top of it. SUBPIXEL_COMMIT names it where there is no clone. */
export function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: projectFolder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '-uno', '--', '.', ':!bench/results') ? '+' : '')
    );
  } catch {
    return process.env.SUBPIXEL_COMMIT || null;
  }
}
