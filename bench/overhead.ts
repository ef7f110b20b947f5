import type { Engine } from '../engine/engine.ts';
import { add } from '../engine/ops/binary.ts';
import { conv3d } from '../engine/ops/conv.ts';
import { relu } from '../engine/ops/unary.ts';
import { Replay } from '../engine/replay.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noise } from './measure.ts';
import { type Sampling, sampleWall, statisticsOf } from './statistics.ts';

/** What a dispatch costs beside its arithmetic: tensors so small that there is none. */
export interface OverheadRow {
  readonly what: string;
  readonly dispatches: number;
  /** Microseconds a dispatch: JavaScript until all is recorded and submitted; margins are shares, as in Statistics. */
  readonly recordUs: number;
  readonly recordMargin: number;
  /** The same until the device has done it. */
  readonly totalUs: number;
  readonly totalMargin: number;
}

interface Options {
  readonly dispatches?: number;
  readonly sampling?: Sampling;
  readonly onProgress?: (share: number) => void;
}

export async function benchOverhead(engine: Engine, options: Options = {}): Promise<OverheadRow[]> {
  const { dispatches = 1000, sampling = { least: 10, spend: 600 }, onProgress } = options;
  using _scope = engine.scope();
  const x = engine.tensor([1, 4, 1, 1, 1], noise(4));
  const w = engine.tensor([4, 4, 1, 1, 1], noise(16), 'filter').track();
  const works: Record<string, () => Tensor> = {
    relu: () => relu(x),
    add: () => add(x, x),
    'conv3d 1x1x1': () => conv3d(x, w),
  };
  const rows: OverheadRow[] = [];
  for (const [what, work] of Object.entries(works)) {
    const repeat = () => {
      for (let i = 1; i < dispatches; i++) {
        using _inner = engine.scope();
        work();
      }
      return work();
    };
    const eager = () => {
      using _inner = engine.scope();
      repeat();
      engine.commands.submit();
    };
    eager();
    await engine.finish();
    rows.push(await timed(engine, what, dispatches, eager, sampling));
    const captured = Replay.capture(engine, repeat);
    rows.push(await timed(engine, `${what}, replayed`, captured.dispatches, () => captured.run(), sampling));
    captured.dispose();
    onProgress?.(rows.length / Object.keys(works).length / 2);
  }
  return rows;
}

async function timed(
  engine: Engine,
  what: string,
  dispatches: number,
  repeat: () => void,
  sampling: Sampling,
): Promise<OverheadRow> {
  const recording: number[] = [];
  const total = await sampleWall(async () => {
    const start = performance.now();
    repeat();
    recording.push(performance.now() - start);
    await engine.finish();
  }, sampling);
  const record = statisticsOf(recording);
  const us = (ms: number) => (1000 * ms) / dispatches;
  return {
    ...{ what, dispatches },
    ...{ recordUs: us(record.ms), recordMargin: record.margin },
    ...{ totalUs: us(total.ms), totalMargin: total.margin },
  };
}
