import { type Engine, fold } from '../engine/engine.ts';
import { Kernel } from '../engine/kernel.ts';
import wgsl from '../shaders/peak.wgsl';
import { type Effort, measure } from './measure.ts';

export interface Peak {
  /** Fused multiply-adds in registers, two operations each. */
  readonly gflops: number;
  /** Reading alone, and reading and writing, of arrays larger than caches. */
  readonly readGbs: number;
  readonly copyGbs: number;
}

const kernel = new Kernel('peak', wgsl);
const ROUNDS = 1024;
const RUN = 16;
const WORKGROUP = 64;

/** The best that kernels reach on this adapter: of the fastest run, as a busy machine has no higher peak. */
export async function measurePeak(engine: Engine, effort: Effort = {}): Promise<Peak> {
  const { bindingBytes, bufferBytes } = engine.caps.limits;
  const large = engine.caps.fallback ? 2 ** 26 : 2 ** 28; // caches of GPUs hold tens of megabytes
  const bytes = Math.min(large, bindingBytes, bufferBytes);
  const from = engine.raw(bytes);
  const to = engine.raw(bytes);
  try {
    engine.commands.write(from.block, new Float32Array(bytes / 4).fill(0.5));
    const bind = { x: from, out: to };
    const flops = await arithmetic(engine, bind, effort);
    const copy = await measure(engine, () => engine.run(kernel, 'copy', { bind, threads: bytes / 16 }), effort);
    const grid = fold(bytes / 16 / RUN, WORKGROUP);
    const read = await measure(engine, () => engine.run(kernel, 'read_all', { bind, grid }), effort);
    return {
      gflops: flops / 1e9,
      readGbs: rate(bytes * (1 + 1 / RUN), read.fastest),
      copyGbs: rate(2 * bytes, copy.fastest),
    };
  } finally {
    from.release();
    to.release();
  }
}

/** Microseconds that a dispatch of one workgroup takes on the device's clock, in a pass of its own as profiles time them. */
export async function measureLaunch(engine: Engine): Promise<number> {
  using x = engine.raw(16);
  using out = engine.raw(16);
  const launch = () => engine.run(kernel, 'copy', { bind: { x, out }, threads: 1 });
  const work = () => {
    for (let i = 0; i < 32; i++) launch();
  };
  const { kernels } = await measure(engine, work, { spend: 0 });
  return kernels.map(({ us }) => us).sort((a, b) => a - b)[kernels.length / 2];
}

const rate = (bytes: number, ms: number): number => bytes / ms / 1e6;

/** Operations a second: more workgroups until a run is long enough that its start does not count. */
async function arithmetic(engine: Engine, bind: Parameters<Engine['run']>[2]['bind'], effort: Effort): Promise<number> {
  const constants = { ROUNDS };
  for (let groups = 64; ; groups *= 4) {
    const work = () => engine.run(kernel, 'multiply_add', { bind, constants, grid: [groups] });
    const { fastest: ms } = await measure(engine, work, effort);
    const flops = groups * WORKGROUP * ROUNDS * 4 * 4 * 2;
    if (ms > 5 || groups >= 16_384) return flops / (ms / 1000);
  }
}
