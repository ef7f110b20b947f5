import type { Engine } from '../engine/engine.ts';
import type { AnyOp } from '../engine/op.ts';
import { ops } from '../engine/ops/index.ts';
import { type Shape, size, type Tensor } from '../engine/tensor.ts';
import { measure, noise, recordOne } from './measure.ts';
import type { Peak } from './peak.ts';

/** One op of the table at a size as networks have it. */
interface Case {
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly attrs?: Readonly<Record<string, unknown>>;
}

export interface OpRow {
  readonly op: string;
  /** forward, or the gradient with respect to the input named. */
  readonly pass: string;
  readonly shape: Shape;
  readonly ms: number;
  readonly quartiles: readonly [number, number];
  /** Half the 95 % confidence interval of the mean, as a share of it. */
  readonly margin: number;
  readonly gflops: number;
  /** Of all that its kernels bind. */
  readonly gbs: number;
  /** Of the measured peak: of arithmetic or of memory, whichever the op is nearer to. */
  readonly share: number;
}

const video: Shape = [1, 64, 5, 48, 48];
const frames: Shape = [5, 64, 48, 48];
const filter2: Shape = [64, 64, 3, 3];
const filter3: Shape = [64, 64, 3, 3, 3];
const bias: Shape = [64];
const unary = { shapes: { input: video } };
const binary = { shapes: { a: video, b: video } };
const loss = { shapes: { input: video, target: video } };

export const cases: Readonly<Record<string, Case>> = {
  conv2d: { shapes: { input: frames, weight: filter2, bias }, attrs: { padding: 1 } },
  conv3d: { shapes: { input: video, weight: filter3, bias }, attrs: { padding: 1 } },
  conv_transpose2d: { shapes: { input: frames, weight: [64, 16, 4, 4], bias: [16] }, attrs: { stride: 4 } },
  conv_transpose3d: { shapes: { input: video, weight: [64, 16, 1, 4, 4], bias: [16] }, attrs: { stride: [1, 4, 4] } },
  separable_conv3d: {
    shapes: { input: video, weight_s: [64, 64, 1, 3, 3], bias_s: bias, weight_t: [64, 64, 3, 1, 1], bias_t: bias },
  },
  fused_conv2d: {
    shapes: { input: frames, weight: filter2, bias, slope: bias, residual: frames },
    attrs: { padding: 1 },
  },
  fused_conv3d: {
    shapes: { input: video, weight: filter3, bias, slope: bias, residual: video },
    attrs: { padding: 1 },
  },
  pixel_shuffle: { shapes: { input: video }, attrs: { factor: 4 } },
  pixel_unshuffle: { shapes: { input: [1, 4, 5, 192, 192] }, attrs: { factor: 4 } },
  warp: { shapes: { image: [1, 16, 192, 192], flow: [1, 2, 192, 192] } },
  splat: { shapes: { image: [1, 1, 128, 128], flow: [1, 2, 128, 128] }, attrs: { scale: 4 } },
  dynamic_filter: {
    shapes: { image: [1, 3, 64, 64], filters: [1, 400, 64, 64] },
    attrs: { scale: 4, kernel: 5, softmax: true },
  },
  correlation: { shapes: { a: [1, 256, 32, 48], b: [1, 256, 32, 48] } },
  grid_sample: { shapes: { image: [1, 16, 192, 192], grid: [1, 2, 192, 192] } },
  affine_grid: { shapes: { theta: [4, 2, 3] }, attrs: { size: [192, 192] } },
  resize_tf1: { shapes: { input: [5, 3, 96, 96] }, attrs: { factor: 4, mode: 'bicubic' } },
  imresize: { shapes: { input: [5, 3, 96, 96] }, attrs: { scale: 4 } },
  interpolate: { shapes: { input: [5, 3, 96, 96] }, attrs: { scale_factor: 4, mode: 'bilinear' } },
  prelu: { shapes: { input: video, weight: bias } },
  clamp: { shapes: { input: video }, attrs: { min: 0, max: 1 } },
  ...Object.fromEntries(
    ['relu', 'leaky_relu', 'sigmoid', 'tanh', 'abs', 'sqrt', 'exp', 'log'].map((op) => [op, unary]),
  ),
  ...Object.fromEntries(['add', 'sub', 'mul', 'div'].map((op) => [op, binary])),
  max_pool2d: { shapes: { input: frames }, attrs: { kernel_size: 2 } },
  max_pool3d: { shapes: { input: video }, attrs: { kernel_size: [5, 1, 1], stride: [2, 1, 1] } },
  avg_pool2d: { shapes: { input: frames }, attrs: { kernel_size: 3, stride: 1, padding: 1 } },
  global_avg_pool: { shapes: { input: frames } },
  batch_norm: { shapes: { input: frames, weight: bias, bias }, attrs: { training: true } },
  instance_norm: { shapes: { input: frames, weight: bias, bias } },
  linear: { shapes: { input: [32, 1024], weight: [101, 1024], bias: [101] } },
  lstm_cell: { shapes: { gates: [1, 256, 96, 96], cell: [1, 64, 96, 96] } },
  softmax: { shapes: { input: frames } },
  log_sum_exp: { shapes: { input: frames }, attrs: { axes: [1] } },
  bce_with_logits: loss,
  cross_entropy: { shapes: { input: [128, 101], target: [128, 101] } },
  reshape: { shapes: { input: frames }, attrs: { shape: [5, 64 * 48 * 48] } },
  frames_to_batch: { shapes: { input: video } },
  batch_to_frames: { shapes: { input: frames }, attrs: { frames: 5 } },
  concat: { shapes: binary.shapes, attrs: { axis: 1 } },
  slice: { shapes: { input: video }, attrs: { axis: 2, start: 1, end: 4 } },
  pad: { shapes: { input: frames }, attrs: { pad: [2, 2, 2, 2], mode: 'reflect' } },
  sum: { shapes: { input: video } },
  mean: { shapes: { input: video }, attrs: { axes: [2, 3, 4] } },
  ...Object.fromEntries(['l1_loss', 'mse_loss', 'charbonnier_loss', 'huber_loss'].map((op) => [op, loss])),
};

interface Options {
  readonly only?: readonly string[];
  readonly quick?: boolean;
  readonly onProgress?: (share: number) => void;
}

/** Forward and every gradient of every op, or of those named. */
export async function benchOps(engine: Engine, peak: Peak, options: Options = {}): Promise<OpRow[]> {
  const { only = Object.keys(cases), quick = false, onProgress } = options;
  const rows: OpRow[] = [];
  for (const [i, name] of only.entries()) {
    rows.push(...(await benchOp(engine, name, ops[name], cases[name], peak, quick)));
    onProgress?.((i + 1) / only.length);
  }
  return rows;
}

async function benchOp(engine: Engine, name: string, op: AnyOp, { shapes, attrs }: Case, peak: Peak, quick: boolean) {
  using _scope = engine.scope();
  const names: string[] = op.spec.inputs.map((input: string) => input.replace('?', ''));
  const inputs = names.map((input) => shapes[input] && make(engine, op, input, shapes[input]));
  const node = recordOne(
    engine,
    inputs.filter((x) => x !== undefined),
    () => op(...inputs, attrs),
  );
  const { shape } = node?.output ?? op(...inputs, attrs);
  const dy = make(engine, op, 'dy', shape);
  const effort = quick ? { warmup: 1, spend: 50 } : { spend: 300 };
  const rows: OpRow[] = [];
  for (const pass of ['forward', ...names.filter((input) => shapes[input])]) {
    // Asked anew each time: what several gradients share is computed once for each backward pass.
    const run = pass === 'forward' ? () => op(...inputs, attrs) : () => node!.backward(dy)[pass]!();
    if (pass !== 'forward' && !node?.backward(dy)[pass]) continue;
    const timing = await measure(
      engine,
      () => {
        using _inner = engine.scope();
        run();
      },
      effort,
    );
    if (engine.caps.timestamps && timing.kernels.length === 0) continue; // passes dy on as it is
    const total = (key: 'flops' | 'bytes') => timing.kernels.reduce((sum, kernel) => sum + kernel[key], 0);
    const gflops = total('flops') / timing.ms / 1e6;
    const gbs = total('bytes') / timing.ms / 1e6;
    const share = Math.max(gflops / peak.gflops, gbs / Math.max(peak.copyGbs, peak.readGbs));
    const { ms, quartiles, margin } = timing;
    rows.push({ op: name, pass, shape, ms, quartiles, margin, gflops, gbs, share });
  }
  return rows;
}

function make(engine: Engine, op: AnyOp, name: string, shape: Shape): Tensor {
  const filters: readonly string[] = op.spec.filters ?? [];
  return engine.tensor(shape, noise(size(shape)), filters.includes(name) ? 'filter' : 'image');
}
