import type { Engine } from '../engine/engine.ts';
import { add } from '../engine/ops/binary.ts';
import { conv3d } from '../engine/ops/conv.ts';
import { relu } from '../engine/ops/unary.ts';
import { Replay } from '../engine/replay.ts';
import type { Tensor } from '../engine/tensor.ts';
import { noise, quantile } from './measure.ts';

/** What a dispatch costs beside its arithmetic: tensors so small that there is none. */
export interface OverheadRow {
  readonly what: string;
  readonly dispatches: number;
  /** Microseconds a dispatch: JavaScript until all is recorded, and until the device has done it. */
  readonly recordUs: number;
  readonly totalUs: number;
}

export async function benchOverhead(engine: Engine, dispatches = 2000): Promise<OverheadRow[]> {
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
      for (let i = 0; i < dispatches; i++) {
        using _inner = engine.scope();
        work();
      }
    };
    repeat();
    await engine.finish();
    rows.push(await timed(engine, what, dispatches, repeat));
    const captured = Replay.capture(engine, () => {
      repeat();
      return work();
    });
    rows.push(await timed(engine, `${what}, replayed`, dispatches, () => captured.run()));
    captured.dispose();
  }
  return rows;
}

async function timed(engine: Engine, what: string, dispatches: number, repeat: () => void): Promise<OverheadRow> {
  const record: number[] = [];
  const total: number[] = [];
  for (let run = 0; run < 5; run++) {
    const start = performance.now();
    repeat();
    record.push(performance.now() - start);
    await engine.finish();
    total.push(performance.now() - start);
  }
  const us = (times: number[]) => (1000 * quantile(times, 0.5)) / dispatches;
  return { what, dispatches, recordUs: us(record), totalUs: us(total) };
}
