import type { Engine } from '../engine/engine.ts';
import type { AnyOp } from '../engine/op.ts';
import { conv2d, conv3d } from '../engine/ops/conv.ts';
import { padded, type Shape, size, type Tensor } from '../engine/tensor.ts';
import { measure, noise, recordOne, type Timing } from './measure.ts';

export type Pass = 'forward' | 'dx' | 'dw';
export const PASSES: readonly Pass[] = ['forward', 'dx', 'dw'];

/** One pass of one convolution, C channels to C, stride 1, size kept. */
export interface ConvRow {
  readonly op: string;
  readonly pass: Pass;
  readonly channels: number;
  /** Frames, height, width. */
  readonly size: readonly [number, number, number];
  readonly kernel: readonly number[];
  /** Multiply-adds; two operations each. */
  readonly macs: number;
  /** What must be read and written at least once. */
  readonly bytes: number;
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  readonly gflops: number;
  readonly gbs: number;
  /** Of the adapter's measured peak. */
  readonly share: number;
  /** Kernels that ran, as the profile names them. */
  readonly kernels: readonly string[];
}

/** Full k x k x k against 1 x k x k followed by k x 1 x 1. */
export interface SpeedUp {
  readonly pass: Pass;
  readonly channels: number;
  readonly size: readonly [number, number, number];
  readonly k: number;
  readonly fullMs: number;
  readonly separableMs: number;
  /** By arithmetic, k³ / (k² + k). */
  readonly promised: number;
  /** The same for the taps that fall inside the clip: the kernels skip the others, of which the full filter has more. */
  readonly promisedInside: number;
  readonly obtained: number;
}

export interface ConvBench {
  readonly rows: readonly ConvRow[];
  readonly speedUps: readonly SpeedUp[];
}

export interface ConvPlan {
  readonly channels: readonly number[];
  readonly sizes: readonly (readonly [number, number, number])[];
  readonly taps: readonly number[];
}

/** A software adapter gets sizes that it finishes within a minute or two. */
export function convPlan(software: boolean, quick: boolean): ConvPlan {
  if (quick) return { channels: [64], sizes: [[5, 32, 32]], taps: [3] };
  const sizes = software
    ? ([
        [5, 36, 36],
        [5, 48, 48],
      ] as const)
    : ([
        [5, 48, 48],
        [5, 180, 320],
      ] as const);
  return { channels: [16, 64], sizes, taps: [3, 5] };
}

/** Every shape of the plan: full, its two factors, and the 2D convolution that the spatial factor is. */
export async function benchConv(
  engine: Engine,
  plan: ConvPlan,
  peakGflops: number,
  onRow: (row: ConvRow) => void = () => {},
): Promise<ConvBench> {
  const rows: ConvRow[] = [];
  const speedUps: SpeedUp[] = [];
  for (const channels of plan.channels) {
    for (const size of plan.sizes) {
      for (const k of plan.taps) {
        for (const pass of PASSES) {
          const row = async (op: string, kernel: readonly number[]) => {
            const done = await benchOne(engine, { op, pass, channels, size, kernel }, peakGflops);
            rows.push(done);
            onRow(done);
            return done.ms;
          };
          const fullMs = await row('conv3d', [k, k, k]);
          const separableMs = (await row('conv3d', [1, k, k])) + (await row('conv3d', [k, 1, 1]));
          await row('conv2d', [k, k]);
          const promised = k ** 3 / (k ** 2 + k);
          const [d, h, w] = size.map((n) => tapsInside(n, k));
          const promisedInside = (d * h * w) / (h * w + d);
          const obtained = fullMs / separableMs;
          speedUps.push({ pass, channels, size, k, fullMs, separableMs, promised, promisedInside, obtained });
        }
      }
    }
  }
  return { rows, speedUps };
}

/** How many of k taps, on average over n positions, do not fall into the padding. */
export function tapsInside(n: number, k: number): number {
  const reach = (k - 1) / 2;
  let inside = 0;
  for (let i = 0; i < n; i++) inside += Math.min(n - 1, i + reach) - Math.max(0, i - reach) + 1;
  return inside / n;
}

type Case = Pick<ConvRow, 'op' | 'pass' | 'channels' | 'size' | 'kernel'>;

async function benchOne(engine: Engine, what: Case, peakGflops: number): Promise<ConvRow> {
  const {
    op,
    pass,
    channels,
    size: [frames, height, width],
    kernel,
  } = what;
  // A 2D convolution takes the frames as a batch, so that both have the same work.
  const shape: Shape = op === 'conv2d' ? [frames, channels, height, width] : [1, channels, frames, height, width];
  using _scope = engine.scope();
  const x = engine.tensor(shape, noise(size(shape)));
  const filter = [channels, channels, ...kernel];
  const w = engine.tensor(filter, noise(size(filter)), 'filter');
  const dy = engine.tensor(shape, noise(size(shape)));
  const convolution: AnyOp = op === 'conv2d' ? conv2d : conv3d;
  const attrs = { padding: kernel.map((k) => (k - 1) / 2) };
  const timing = await measurePass(engine, pass, convolution, [x, w, dy], attrs);
  const macs = frames * height * width * channels ** 2 * size(kernel);
  const bytes = 4 * padded(channels) * (2 * frames * height * width + channels * size(kernel));
  const gflops = (2 * macs) / timing.ms / 1e6;
  return {
    ...what,
    macs,
    bytes,
    ms: timing.ms,
    quartiles: timing.quartiles,
    gflops,
    gbs: bytes / timing.ms / 1e6,
    share: gflops / peakGflops,
    kernels: [...new Set(timing.kernels.map(({ label }) => label))],
  };
}

/** The forward pass, or the backward pass to one input alone. */
function measurePass(engine: Engine, pass: Pass, op: AnyOp, [x, w, dy]: Tensor[], attrs: object): Promise<Timing> {
  const call = () => op(x, w, undefined, attrs);
  const node = pass === 'forward' ? undefined : recordOne(engine, [x, w], call);
  const work = () => {
    using _scope = engine.scope();
    if (node) node.backward(dy)[pass === 'dx' ? 'input' : 'weight']!();
    else call();
  };
  return measure(engine, work, { warmup: 1 });
}
