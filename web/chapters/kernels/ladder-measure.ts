import { type Engine, WORKGROUP } from '../../../engine/engine.ts';
import { Kernel } from '../../../engine/kernel.ts';
import peakWgsl from '../../../shaders/peak.wgsl';
import { apart } from '../../lab/apart.ts';
import { breathe, type Lab, Superseded } from '../../lab/device.ts';
import { timeTogether } from '../../lab/timing.ts';
import { forced } from '../../lab/variants.ts';
import { flopsOf, Layer, type LayerSize, type Rung, rungs } from './rungs.ts';

export interface Measured {
  readonly ms: number;
  readonly gflops: number;
  /** Largest difference from the naive kernel's result, of its largest value; none where it computes something else. */
  readonly error?: number;
  /** Shader files that ran. */
  readonly ran: readonly string[];
}

/** Undefined for what this adapter cannot run. */
export type Row = readonly [rung: Rung, measured: Measured | undefined];

export interface Ladder {
  readonly size: LayerSize;
  /** Of multiply-adds in registers. */
  readonly peak: number;
  readonly rows: readonly Row[];
}

const peakKernel = new Kernel('peak', peakWgsl);
const ROUNDS = 1024;
/** What the naive kernel may take: sizes follow from it. */
const NAIVE_MS = 40;

/**
 * The best rate of multiply-adds that kernels reach here, in GFLOP/s: more workgroups until a run is long enough. Of the
 * fastest run, as a busy machine has no lower peak.
 */
export async function peakOf(engine: Engine, signal: AbortSignal): Promise<number> {
  using x = engine.raw(64);
  engine.commands.write(x.block, new Float32Array(16).fill(0.5));
  using out = engine.raw(16 * WORKGROUP * 4096);
  for (let groups = 64; ; groups *= 4) {
    const work = () =>
      engine.run(peakKernel, 'multiply_add', { bind: { x, out }, constants: { ROUNDS }, grid: [groups] });
    const times = await timeTogether(engine, new Array(4).fill(work), { signal, samples: 1, sampleMs: 5 });
    const ms = Math.min(...times.map((time) => time.ms));
    if (ms > 5 || groups >= 4096) return (groups * WORKGROUP * ROUNDS * 4 * 4 * 2) / ms / 1e6;
  }
}

/** A layer like FSTRN's, as large as the naive kernel does in some hundredths of a second. */
export async function fittingSize({ engine, software }: Lab, signal: AbortSignal): Promise<LayerSize> {
  const small = { channels: software ? 16 : 64, frames: 3, edge: 12 };
  const [naive] = rungs;
  using _scope = engine.scope();
  const layer = new Layer(engine, small);
  const [{ ms }] = await timeTogether(engine, [recorded(engine, naive, layer)], { signal, samples: 2, sampleMs: 5 });
  const edge = 4 * Math.round(3 * Math.sqrt(NAIVE_MS / ms));
  return { ...small, edge: Math.min(Math.max(edge, 12), 128) };
}

/** One run of a rung, for clocks. */
export const recorded = (engine: Engine, rung: Rung, layer: Layer) => (): void => {
  using _scope = engine.scope();
  forced(rung.force, () => rung.work(layer));
};

/** Measures rung after rung, and tells of each as soon as it is known; then all of them again, in turn. */
export async function climb(lab: Lab, signal: AbortSignal, tell: (so: Ladder) => void): Promise<Ladder> {
  const { engine } = lab;
  const before = await peakOf(engine, signal);
  const size = await fittingSize(lab, signal);
  using _scope = engine.scope();
  const layer = new Layer(engine, size);
  const rows: Row[] = [];
  const rate = (rung: Rung, ms: number) => ({ ms, gflops: flopsOf(rung, size) / ms / 1e6 });
  let naive: Float32Array | undefined;
  for (const rung of rungs) {
    const record = recorded(engine, rung, layer);
    const ran = [...new Set(await engine.compile(record))];
    if (rung.file && !ran.includes(rung.file)) {
      rows.push([rung, undefined]);
      continue;
    }
    const [{ ms }] = await timeTogether(engine, [record], { signal, samples: 1 });
    let error: number | undefined;
    if (rung.force.conv) {
      const values = await resultOf(engine, rung, layer);
      naive ??= values;
      error = apart(values, naive);
    }
    rows.push([rung, { ...rate(rung, ms), error, ran }]);
    await breathe();
    if (signal.aborted) throw new Superseded();
    tell({ size, peak: before, rows: [...rows] });
  }
  const able = rows.filter(([, measured]) => measured);
  const works = able.map(([rung]) => recorded(engine, rung, layer));
  const times = await timeTogether(engine, works, { signal, samples: 3 });
  const peak = Math.max(before, await peakOf(engine, signal));
  const again = (row: Row): Row => {
    const [rung, measured] = row;
    return measured ? [rung, { ...measured, ...rate(rung, times[able.indexOf(row)].ms) }] : row;
  };
  return { size, peak, rows: rows.map(again) };
}

async function resultOf(engine: Engine, rung: Rung, layer: Layer): Promise<Float32Array> {
  using _scope = engine.scope();
  return forced(rung.force, () => rung.work(layer)).read();
}
