// FlowNet 2.0: Ilg, Mayer, Saikia, Keuper, Dosovitskiy, Brox, "FlowNet 2.0: Evolution of Optical Flow Estimation with Deep
// Networks", CVPR 2017; its parts C and S are those of Dosovitskiy et al., "FlowNet", ICCV 2015.
//
// C finds a flow, two S in turn improve it on the second picture warped by it; beside them SD looks for small motion, and a
// fusion net chooses between the two. C, S and SD are also trained to do all by themselves (Flownet2Part). Names, constants and
// enlargements are those of the public PyTorch code (github.com/NVIDIA/flownet2-pytorch, no batch norm). Pictures are 0..1
// here; biases start at zero.
import type { Scope } from '../engine/engine.ts';
import { Conv2d, ConvTranspose2d } from '../engine/nn/layers.ts';
import { type Build, Module, type StateDict } from '../engine/nn/module.ts';
import { div, mul, sub } from '../engine/ops/binary.ts';
import { correlation } from '../engine/ops/correlation.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { mean, sum } from '../engine/ops/sum.ts';
import { clamp, leaky_relu, sqrt } from '../engine/ops/unary.ts';
import { warp } from '../engine/ops/warp.ts';
import type { Tensor } from '../engine/tensor.ts';
import { frameOf, joined } from './frames.ts';
import { cropped, padded } from './multiple.ts';
import { type Adopted, configure, type NetEntry, whole } from './net.ts';

export interface Flownet2Config {
  /** Channels of the first convolutions; all others go with it. */
  width: number;
  /** The largest displacement that FlowNetC compares, in pixels of an eighth of the size; every other one counts. */
  displacement: number;
}

export const flownet2Defaults: Flownet2Config = { width: 64, displacement: 20 };

const LEAK = { negative_slope: 0.1 };
/** A flow of the nets is this much smaller than one in pixels. */
const FLOW_SCALE = 20;
/** Of the deepest map. */
const MULTIPLE = 64;
/** Pixels between the displacements that FlowNetC compares. */
const STEP = 2;

/** A convolution: its name, output channels at width 64, kernel, stride; inputs, where they are not what the one before gives. */
type Row = readonly [name: string, channels: number, kernel: number, stride: number, inputs?: number];

/** A step up: its level (powers of two below full size), the map of that size on the way down, and the step's channels. */
type Step = readonly [level: number, skip: string, channels: number];

interface Plan {
  readonly inputs: number;
  readonly down: readonly Row[];
  readonly up: readonly Step[];
  /** A flow is predicted from one more convolution of the joined maps. */
  readonly inter: boolean;
  /** The flows' enlargements have biases. */
  readonly flowBias: boolean;
}

const stem: readonly Row[] = [
  ['conv1', 64, 7, 2],
  ['conv2', 128, 5, 2],
  ['conv3', 256, 5, 2],
];
const trunk: readonly Row[] = [
  ['conv3_1', 256, 3, 1],
  ['conv4', 512, 3, 2],
  ['conv4_1', 512, 3, 1],
  ['conv5', 512, 3, 2],
  ['conv5_1', 512, 3, 1],
  ['conv6', 1024, 3, 2],
  ['conv6_1', 1024, 3, 1],
];
const fine: readonly Row[] = [
  ['conv0', 64, 3, 1],
  ['conv1', 64, 3, 2],
  ['conv1_1', 128, 3, 1],
  ['conv2', 128, 3, 2],
  ['conv2_1', 128, 3, 1],
];
const toQuarter = (last: string): readonly Step[] => [
  [5, 'conv5_1', 512],
  [4, 'conv4_1', 256],
  [3, 'conv3_1', 128],
  [2, last, 64],
];

const planC = (inputs: number): Plan => ({
  inputs: 3,
  down: [...stem, ['conv3_1', 256, 3, 1, inputs], ...trunk.slice(1)],
  up: toQuarter('conv2'),
  inter: false,
  flowBias: true,
});
const planS: Plan = { inputs: 12, down: [...stem, ...trunk], up: toQuarter('conv2'), inter: false, flowBias: false };
const planSD: Plan = {
  inputs: 6,
  down: [...fine, ['conv3', 256, 3, 2], ...trunk],
  up: toQuarter('conv2_1'),
  inter: true,
  flowBias: true,
};
const planFusion: Plan = {
  inputs: 11,
  down: fine,
  up: [
    [1, 'conv1_1', 32],
    [0, 'conv0', 16],
  ],
  inter: true,
  flowBias: true,
};

const wide = (channels: number, width: number): number => Math.ceil((channels * width) / 64);

/**
 * Convolutions down, deconvolutions up beside the maps of the same size, LeakyReLU 0.1, and a flow at each size of the way up.
 * forward: (N, C, H, W), multiples of the deepest stride, to the last flow (N, 2, H / 4, W / 4), of the fusion (N, 2, H, W).
 */
class Hourglass extends Module {
  readonly #plan: Plan;
  readonly #layers = new Map<string, Conv2d | ConvTranspose2d>();

  constructor(build: Build, plan: Plan, width: number) {
    super();
    this.#plan = plan;
    const conv = (from: number, to: number, kernel = 3, stride = 1) =>
      new Conv2d(build, { in: from, out: to, kernel: [kernel, kernel], stride });
    const deconv = (from: number, to: number, bias = true) =>
      new ConvTranspose2d(build, { in: from, out: to, kernel: [4, 4], stride: 2, padding: 1, bias });

    const given = new Map<string, number>();
    let maps = plan.inputs;
    for (const [name, channels, kernel, stride, inputs = maps] of plan.down) {
      maps = wide(channels, width);
      given.set(name, maps);
      this.#add(name, [conv(inputs, maps, kernel, stride)]);
    }
    this.#add(`predict_flow${plan.up[0][0] + 1}`, conv(maps, 2));
    for (const [level, skip, channels] of plan.up) {
      const opened = wide(channels, width);
      this.#add(`upsampled_flow${level + 1}_to_${level}`, deconv(2, 2, plan.flowBias));
      this.#add(`deconv${level}`, [deconv(maps, opened)]);
      maps = given.get(skip)! + opened + 2;
      if (plan.inter) this.#add(`inter_conv${level}`, [conv(maps, opened)]);
      this.#add(`predict_flow${level}`, conv(plan.inter ? opened : maps, 2));
    }
  }

  /** Layers with an activation are a Sequential in the public code. */
  #add(name: string, layer: Conv2d | ConvTranspose2d | [Conv2d | ConvTranspose2d]): void {
    Object.assign(this, { [name]: layer });
    this.#layers.set(name, [layer].flat()[0]);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.up(scope, this.down(scope, x, this.#plan.down)));
  }

  /** Convolutions one after the other: the maps that the way up needs, and the last one. */
  protected down(scope: Scope, x: Tensor, rows: readonly Row[]): Map<string, Tensor> {
    const skips = this.#plan.up.map(([, skip]) => skip);
    const kept = new Map<string, Tensor>();
    let y = x;
    for (const [i, [name]] of rows.entries()) {
      const before = y;
      y = (this.#layers.get(name) as Conv2d).fused(y, LEAK);
      if (i > 0 && !skips.includes(rows[i - 1][0])) scope.release(before);
      if (skips.includes(name) || i === rows.length - 1) kept.set(name, y);
    }
    return kept;
  }

  /** The last flow, from the deepest map and those of each size on the way. */
  protected up(scope: Scope, maps: ReadonlyMap<string, Tensor>): Tensor {
    const layer = (name: string) => this.#layers.get(name)!;
    let deepest = [...maps.values()].at(-1)!;
    let flow = layer(`predict_flow${this.#plan.up[0][0] + 1}`).forward(deepest);
    for (const [level, skip] of this.#plan.up) {
      const small = layer(`upsampled_flow${level + 1}_to_${level}`).forward(flow);
      const opened = leaky_relu(layer(`deconv${level}`).forward(deepest), LEAK);
      for (const done of [deepest, flow]) scope.release(done);
      const parts = [maps.get(skip)!, opened, small];
      deepest = joined(parts);
      for (const part of parts) scope.release(part);
      const seen = this.#plan.inter ? layer(`inter_conv${level}`).forward(deepest) : deepest;
      flow = layer(`predict_flow${level}`).forward(seen);
    }
    return flow;
  }
}

/** FlowNetC: features of both pictures are compared at every displacement. forward: two (N, 3, H, W) to (N, 2, H / 4, W / 4). */
class FlowNetC extends Hourglass {
  readonly conv_redir: readonly [Conv2d];
  readonly #displacement: number;

  constructor(build: Build, { width, displacement }: Flownet2Config) {
    const [features, redirected] = [wide(256, width), wide(32, width)];
    const compared = (2 * Math.floor(displacement / STEP) + 1) ** 2;
    super(build, planC(redirected + compared), width);
    this.conv_redir = [new Conv2d(build, { in: features, out: redirected, kernel: [1, 1] })];
    this.#displacement = displacement;
  }

  override forward(...pictures: Tensor[]): Tensor {
    using scope = pictures[0].engine.scope();
    const [first, second] = pictures.map((x) => this.down(scope, x, stem));
    const [a, b] = [first, second].map((maps) => maps.get('conv3')!);
    const displaced = correlation(a, b, { max_displacement: this.#displacement, stride2: STEP });
    const both = joined([this.conv_redir[0].fused(a, LEAK), leaky_relu(displaced, LEAK)]);
    for (const done of [displaced, ...second.values()]) scope.release(done);
    return scope.keep(this.up(scope, new Map([...first, ...this.down(scope, both, trunk)])));
  }
}

/**
 * forward: pairs of pictures (N, 3, 2, H, W) in 0..1, of any size, to the flow (N, 2, H, W) from the first to the second, in
 * pixels, x right, y down.
 */
export class Flownet2 extends Module {
  readonly config: Flownet2Config;
  readonly flownetc: FlowNetC;
  readonly flownets_1: Hourglass;
  readonly flownets_2: Hourglass;
  readonly flownets_d: Hourglass;
  readonly flownetfusion: Hourglass;
  readonly #scale: Tensor;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<Flownet2Config> = {}) {
    super();
    this.config = checked('flownet2', given);
    const { width } = this.config;
    this.flownetc = new FlowNetC(build, this.config);
    this.flownets_1 = new Hourglass(build, planS, width);
    this.flownets_2 = new Hourglass(build, planS, width);
    this.flownets_d = new Hourglass(build, planSD, width);
    this.flownetfusion = new Hourglass(build, planFusion, width);
    this.#scale = build.engine.lasting(() => build.engine.tensor([1], [FLOW_SCALE]));
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const [h, w] = x.shape.slice(3);
    const [x1, x2] = pictures(x);
    const coarse = enlarged(this.flownetc.forward(x1, x2), 'bilinear');
    const better = enlarged(this.flownets_1.forward(this.#evidence(x1, x2, coarse)), 'bilinear');
    scope.release(coarse);
    const large = enlarged(this.flownets_2.forward(this.#evidence(x1, x2, better)), 'nearest');
    scope.release(better);
    const small = enlarged(this.flownets_d.forward(joined([x1, x2])), 'nearest');

    const flows = [div(small, this.#scale), mul(large, this.#scale)];
    const errors = flows.map((flow) => length(sub(x1, warp(x2, flow, { padding_mode: 'border' }))));
    const choice = joined([x1, ...flows, ...flows.map(length), ...errors]);
    for (const done of [x1, x2, large, small, ...flows, ...errors]) scope.release(done);
    return scope.keep(cropped(this.flownetfusion.forward(choice), h, w));
  }

  /** What FlowNetS sees: both pictures, the second warped by the flow, the flow, and how far the warped one is off. */
  #evidence(x1: Tensor, x2: Tensor, flow: Tensor): Tensor {
    using scope = x1.engine.scope();
    const warped = warp(x2, mul(flow, this.#scale), { padding_mode: 'border' });
    return scope.keep(joined([x1, x2, warped, flow, length(sub(x1, warped))]));
  }

  override dispose(): void {
    super.dispose();
    this.#scale.release();
  }
}

export type Part = 'c' | 's' | 'sd';

/** One of the nets alone, on both pictures as they are. forward: as Flownet2. */
export class Flownet2Part extends Module {
  readonly config: Flownet2Config;
  readonly #net: Module;
  readonly #scale: Tensor;

  /** @param given displacement: of C alone @throws {UsageError} when the configuration makes no network */
  constructor(
    build: Build,
    readonly part: Part,
    given: Partial<Flownet2Config> = {},
  ) {
    super();
    this.config = checked(`flownet2-${part}`, given);
    const plan = part === 's' ? { ...planS, inputs: 6 } : planSD;
    this.#net = part === 'c' ? new FlowNetC(build, this.config) : new Hourglass(build, plan, this.config.width);
    Object.assign(this, this.#net); // layers have no prefix in its files
    this.#scale = build.engine.lasting(() => build.engine.tensor([1], [FLOW_SCALE]));
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const [h, w] = x.shape.slice(3);
    const pair = pictures(x);
    const flow = this.part === 'c' ? this.#net.forward(...pair) : this.#net.forward(joined(pair));
    return scope.keep(cropped(enlarged(mul(flow, this.#scale), 'bilinear'), h, w));
  }

  override dispose(): void {
    super.dispose();
    this.#scale.release();
  }
}

const checked = (name: string, given: Partial<Flownet2Config>): Flownet2Config =>
  configure(name, flownet2Defaults, given, { width: whole(), displacement: whole(0) });

/** Both pictures of pairs (N, 3, 2, H, W), less the mean of each colour over the two, and padded. */
function pictures(x: Tensor): [first: Tensor, second: Tensor] {
  using scope = x.engine.scope();
  const [n, colours] = x.shape;
  const level = reshape(mean(x, { axes: [2, 3, 4] }), { shape: [n, colours, 1, 1, 1] });
  const pair = padded(sub(x, level), MULTIPLE);
  return [scope.keep(frameOf(pair, 0)), scope.keep(frameOf(pair, 1))];
}

/** A flow of a quarter of the size at full size; its values stay. */
function enlarged(flow: Tensor, mode: 'bilinear' | 'nearest'): Tensor {
  return interpolate(flow, { scale_factor: 4, mode });
}

/** The length of each position's vector, (N, C, H, W) to (N, 1, H, W); at 0 its gradient is 0. */
function length(x: Tensor): Tensor {
  using scope = x.engine.scope();
  const [n, , h, w] = x.shape;
  const squares = reshape(sum(mul(x, x), { axes: [1] }), { shape: [n, 1, h, w] });
  return scope.keep(sqrt(clamp(squares, { min: 1e-18 })));
}

/** Published files have our names; the settings are in their shapes. @param prefix of C's names */
function adopt(tensors: StateDict, prefix: string): Adopted {
  const shape = (name: string) => tensors.get(`${prefix}${name}.0.weight`)?.shape ?? [];
  const [width = flownet2Defaults.width] = shape('conv1');
  const [redirected] = shape('conv_redir');
  if (redirected === undefined) return { config: { width }, tensors };
  const [, inputs = Number.NaN] = shape('conv3_1');
  const reach = (Math.sqrt(inputs - redirected) - 1) / 2;
  return { config: { width, displacement: STEP * reach || flownet2Defaults.displacement }, tensors };
}

export const entry: NetEntry<Flownet2> = {
  title: 'FlowNet 2.0',
  paper: 'Ilg et al., CVPR 2017',
  year: 2017,
  task: 'flow',
  defaults: { ...flownet2Defaults },
  inputs: ['x'],
  usual: [[1, 3, 2, 256, 448]],
  published: { parameters: 162_518_834, by: 'the public PyTorch code' },
  weights: 'github.com/NVIDIA/flownet2-pytorch, FlowNet2',
  verified: 'PyTorch, float64: output and every gradient of a narrow one',
  create: (build, config) => new Flownet2(build, config as Partial<Flownet2Config>),
  adopt: (tensors) => adopt(tensors, 'flownetc.'),
};

const partEntry = (part: Part, parameters: number, by: string): NetEntry<Flownet2Part> => ({
  title: `FlowNet2-${part.toUpperCase()}, a part of FlowNet 2.0 by itself`,
  paper: entry.paper,
  year: entry.year,
  task: 'flow',
  defaults: part === 'c' ? { ...flownet2Defaults } : { width: flownet2Defaults.width },
  inputs: entry.inputs,
  usual: entry.usual,
  published: { parameters, by },
  weights: `github.com/NVIDIA/flownet2-pytorch, FlowNet2-${part.toUpperCase()}`,
  verified: entry.verified,
  create: (build, config) => new Flownet2Part(build, part, config as Partial<Flownet2Config>),
  adopt: (tensors) => adopt(tensors, ''),
});

export const entryC = partEntry('c', 39_175_298, 'the public PyTorch code');
export const entryS = partEntry('s', 38_676_506, 'our count of the public PyTorch code (its comment says 38,676,504)');
export const entrySD = partEntry('sd', 45_371_666, 'the public PyTorch code');
