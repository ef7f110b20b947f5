import wgsl from '../../../shaders/separable.subgroup.wgsl';
import { type Engine, fold } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { pickVariant } from '../../knobs.ts';
import { padded, type Shape, type Storage, type Tensor } from '../../tensor.ts';
import { slide } from './gather.ts';
import { volume, type Window } from './geometry.ts';
import { subgroupLanes } from './lanes.ts';
import { slopesOf } from './phase.ts';

const kernel = new Kernel('separable.subgroup', wgsl);

/** A 1 x k x k convolution and a k x 1 x 1 one after it, stride 1: y = wt ∗ (ws ∗ prelu(x) + biasS) + biasT + residual. */
export interface Separable {
  readonly x: Tensor;
  readonly ws: Tensor;
  readonly biasS?: Tensor;
  readonly wt: Tensor;
  readonly biasT?: Tensor;
  /** PReLU of x: a slope per channel, or one for all. */
  readonly slope?: Tensor;
  /** Of the shape of the result. */
  readonly residual?: Tensor;
  readonly out: Shape;
}

export interface SeparableResult {
  readonly y: Tensor;
  /** What lies between the two factors, where it was asked for. */
  readonly middle?: Tensor;
}

const window = (kernel: Window['kernel']): Window => ({
  kernel,
  stride: [1, 1, 1],
  padding: kernel.map((k) => (k - 1) / 2) as unknown as Window['padding'],
  dilation: [1, 1, 1],
  groups: 1,
});

/** The windows of the two factors, by the shape of one of their filters. */
export const spatialWindow = (ws: Shape): Window => window([1, ws[3], ws[4]]);
export const temporalWindow = (wt: Shape): Window => window([wt[2], 1, 1]);

/** Both factors in one kernel where there is one, else one after the other. @param keep the middle tensor is wanted too */
export function separable(engine: Engine, conv: Separable, keep: boolean): SeparableResult {
  const variants = { fused: () => planFused(engine, conv, keep), split: () => () => split(engine, conv, keep) };
  return pickVariant('separable', variants, engine.choices).plan();
}

/** The first factor alone: what lies between the two. */
export function spatial(engine: Engine, { x, ws, biasS, slope, out }: Separable): Tensor {
  const [co, ci] = ws.shape;
  const label = 'separable_conv3d.spatial';
  return slide(engine, { x, w: ws, bias: biasS, slope, out, window: spatialWindow(ws.shape), ci, co, label });
}

function split(engine: Engine, conv: Separable, keep: boolean): SeparableResult {
  const { wt, biasT, residual, out } = conv;
  const co = out[1];
  using scope = engine.scope();
  const middle = spatial(engine, conv);
  const label = 'separable_conv3d.temporal';
  const temporal = {
    x: middle,
    w: wt,
    bias: biasT,
    residual,
    out,
    window: temporalWindow(wt.shape),
    ci: co,
    co,
    label,
  };
  const y = scope.keep(slide(engine, temporal));
  return keep ? { y, middle: scope.keep(middle) } : { y };
}

/** Where subgroups have eight lanes, all output channels fit one of them, and k frames of them the registers. */
function planFused(engine: Engine, conv: Separable, keep: boolean): (() => SeparableResult) | undefined {
  const { x, ws, biasS, wt, biasT, slope, residual, out: shape } = conv;
  const [co, ci, , k] = ws.shape;
  const [ci4, co4] = [padded(ci) / 4, padded(co) / 4];
  const [smallest, largest] = engine.caps.subgroupSize;
  if (smallest !== 8 || largest !== 8 || co4 > 8 || k > 5) return undefined;
  const LC = subgroupLanes(co4);
  const REGS = (k > 3 ? 16 : 24) / LC; // more values in registers than about 80 per lane cost more than they save
  const [batch, [d, h, w]] = [x.shape[0], volume(shape)];
  const positions = batch * h * w;
  const constants = {
    REAL: Math.min(ci, 4),
    CI4: ci4,
    CO4: co4,
    LC,
    REGS,
    K: k,
    BIAS_S: biasS !== undefined,
    BIAS_T: biasT !== undefined,
    RESIDUAL: residual !== undefined,
    SLOPES: slopesOf(slope),
  };
  return () => {
    const y = engine.empty(shape);
    const middle = keep ? engine.empty(shape) : undefined;
    using nothing = engine.raw(16);
    using joined = biasS && biasT && join(engine, biasS, biasT, co4);
    const optional = { bias: joined ?? biasS ?? biasT ?? ws, slope: slope ?? x, residual: residual ?? x };
    engine.run(kernel, 'forward', {
      bind: { x, ws, wt, ...optional, out: y, middle: middle ?? nothing },
      constants,
      uniforms: { src: [d, h, w, batch], keep: keep ? 1 : 0, k },
      grid: fold(positions, 8 * REGS),
      flops: 2 * positions * d * co * (k * k * ci + k * co),
      label: 'separable_conv3d (fused)',
    });
    return middle ? { y, middle } : { y };
  };
}

/** Two vectors in one piece of memory: a kernel takes no more than eight. */
function join(engine: Engine, biasS: Tensor, biasT: Tensor, co4: number): Storage {
  const joined = engine.raw(2 * co4 * 16);
  const bind = { bias_s: biasS, bias_t: biasT, joined };
  engine.run(kernel, 'join', { bind, constants: { CO4: co4 }, threads: 2 * co4, label: 'separable_conv3d.biases' });
  return joined;
}
