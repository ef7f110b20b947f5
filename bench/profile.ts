import type { KernelTime } from '../engine/commands.ts';
import { kernelTotals } from '../engine/debug.ts';
import type { Engine } from '../engine/engine.ts';
import { LimitError } from '../engine/errors.ts';
import { Adam } from '../engine/optim/adam.ts';
import type { Net } from '../nets/index.ts';
import type { Recipe } from '../train/recipes.ts';
import { syntheticBatch } from '../train/synthetic.ts';
import { buildNet, lossOf } from '../train/trainer.ts';

export type Phase = 'forward' | 'backward' | 'update';
export const PHASES: readonly Phase[] = ['forward', 'backward', 'update'];

/** All dispatches of one kernel in one phase. */
export interface KernelRow {
  readonly phase: Phase;
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number;
  /** Of the whole step. */
  readonly share: number;
  readonly gflops: number;
  readonly gbs: number;
}

export interface StepProfile {
  readonly shape: readonly number[];
  readonly parameters: number;
  /** Milliseconds on the device. */
  readonly ms: Readonly<Record<Phase | 'step', number>>;
  readonly peakBytes: number;
  readonly rows: readonly KernelRow[];
  readonly times: Readonly<Record<Phase, readonly KernelTime[]>>;
}

/**
 * One pass of a recipe's training step, kernel by kernel: network and loss, gradients, Adam. Each dispatch is timed in a pass
 * of its own, so that the sum is a little more than the step takes in training.
 * @throws {LimitError} when the adapter has no timestamps
 */
export async function profileStep(engine: Engine, recipe: Recipe, batch: number): Promise<StepProfile> {
  if (!engine.caps.timestamps) throw new LimitError('profile: this adapter has no timestamp queries');
  const net = buildNet(engine, recipe);
  const optimizer = new Adam(net, recipe.optimizer);
  try {
    await profileOnce(engine, recipe, net, optimizer, batch); // compiles the pipelines
    engine.memory.resetPeak();
    const times = await profileOnce(engine, recipe, net, optimizer, batch);
    const sum = (phase: Phase) => times[phase].reduce((total, { us }) => total + us, 0) / 1000;
    const [forward, backward, update] = PHASES.map(sum);
    const step = forward + backward + update;
    return {
      shape: syntheticBatch(recipe, batch).lrShape,
      parameters: net.parameterCount(),
      ms: { forward, backward, update, step },
      peakBytes: engine.memory.stats().peak,
      rows: PHASES.flatMap((phase) => kernelRows(phase, times[phase], step)).sort((a, b) => b.ms - a.ms),
      times,
    };
  } finally {
    optimizer.dispose();
    net.dispose();
  }
}

async function profileOnce(engine: Engine, recipe: Recipe, net: Net, optimizer: Adam, batch: number) {
  const { lr, hr, lrShape, hrShape } = syntheticBatch(recipe, batch);
  using _scope = engine.scope();
  using tape = engine.record();
  const x = engine.tensor(lrShape, lr);
  const target = engine.tensor(hrShape, hr);
  let loss = target;
  const forward = await engine.profile(() => {
    loss = lossOf(recipe, net.forward(x), target);
  });
  const backward = await engine.profile(() => tape.backward(loss));
  const update = await engine.profile(() => optimizer.step());
  return { forward, backward, update };
}

function kernelRows(phase: Phase, times: readonly KernelTime[], stepMs: number): KernelRow[] {
  return kernelTotals(times).map(({ label, calls, us, flops, bytes }) => {
    const ms = us / 1000;
    return { phase, kernel: label, calls, ms, share: ms / stepMs, gflops: flops / ms / 1e6, gbs: bytes / ms / 1e6 };
  });
}

/** For chrome://tracing and ui.perfetto.dev: one row a phase, the phases one after the other. */
export function chromeTrace({ times }: StepProfile): object {
  let begin = 0;
  const events = PHASES.flatMap((phase, tid) => {
    const start = begin;
    begin += Math.max(0, ...times[phase].map(({ start, us }) => start + us));
    return times[phase].map(({ label, start: at, us, flops, bytes }) => {
      return { name: label, cat: phase, ph: 'X', ts: start + at, dur: us, pid: 1, tid, args: { flops, bytes } };
    });
  });
  const names = PHASES.map((name, tid) => ({ name: 'thread_name', ph: 'M', pid: 1, tid, args: { name } }));
  return { displayTimeUnit: 'ms', traceEvents: [...names, ...events] };
}
