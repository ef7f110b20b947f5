// B123+T: Liu, Wang, Fan, Liu, Wang, Chang, Huang, "Robust Video Super-Resolution with Learned Temporal Dynamics", ICCV 2017, on
// luminance. Three nets look at one, three and five frames; a fourth says for every pixel how much each of them is to be
// believed.
//
// The layers are those of PFNL's code (RVSR-LTD), where a flow net stands in the place of the paper's spatial transformer and
// frames are moved forward (splat); the paper gives no numbers for most of them. The temporal net alone sees the frames where
// they were. Shuffles have PyTorch's order of channels; trained weights are not public.
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, Module, pass } from '../engine/nn/module.ts';
import { add, mul } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import { max_pool2d } from '../engine/ops/pool.ts';
import { resize_tf1 } from '../engine/ops/resize_tf1.ts';
import { slice } from '../engine/ops/slice.ts';
import { softmax } from '../engine/ops/softmax.ts';
import { splat } from '../engine/ops/splat.ts';
import { tanh } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { clipOf, frameOf, joined } from './frames.ts';
import { cropped, padded } from './multiple.ts';
import { configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface B123tConfig {
  /** Luminance alone. */
  channels: 1;
  scale: number;
  /** Odd; a branch for each odd number up to it. */
  frames: number;
  /** Feature channels of the branches. */
  width: number;
  /** Feature channels of the flow net and of the temporal one's first layer; its second has half as many. */
  narrow: number;
}

export const b123tDefaults: B123tConfig = { channels: 1, scale: 4, frames: 5, width: 64, narrow: 32 };

const RELU = { negative_slope: 0 };
/** Two max-pools. */
const GRID = 4;

const square = (build: Build, from: number, to: number, k: number): Conv2d =>
  new Conv2d(build, { in: from, out: to, kernel: [k, k] });

/** Each layer on the result of the one before, which is then given up. */
function through(x: Tensor, layers: readonly ((x: Tensor) => Tensor)[]): Tensor {
  using scope = x.engine.scope();
  return scope.keep(
    layers.reduce((y, layer) => {
      const next = layer(y);
      scope.release(y);
      return next;
    }, x),
  );
}

/** Flow from one picture to another, less than a pixel: (N, 2, H, W) in all, x right, y down. */
class FlowNet extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly conv3: Conv2d;

  constructor(build: Build, width: number) {
    super();
    this.conv1 = square(build, 2, width, 9);
    this.conv2 = square(build, width, width, 9);
    this.conv3 = square(build, width, 2, 3);
  }

  forward(source: Tensor, reference: Tensor): Tensor {
    using scope = source.engine.scope();
    const [h, w] = source.shape.slice(2);
    const pair = padded(concat(reference, source, { axis: 1 }), GRID);
    const flow = through(pair, [
      (x) => this.conv1.fused(x, RELU),
      (x) => max_pool2d(x, { kernel_size: 2 }),
      (x) => this.conv2.fused(x, RELU),
      (x) => max_pool2d(x, { kernel_size: 2 }),
      (x) => resize_tf1(x, { factor: GRID }),
      (x) => tanh(this.conv3.forward(x)),
    ]);
    return scope.keep(cropped(flow, h, w));
  }
}

/** Frames (N, n, H, W) to an estimate (N, 1, scale·H, scale·W), as ESPCN does it. */
class Branch extends Module {
  readonly convs: Conv2d[];

  constructor(
    build: Build,
    frames: number,
    width: number,
    readonly scale: number,
  ) {
    super();
    this.convs = [
      square(build, frames, width, 5),
      square(build, width, width, 3),
      square(build, width, width, 3),
      square(build, width, scale ** 2, 3),
    ];
  }

  forward(x: Tensor): Tensor {
    const last = this.convs.length - 1;
    return through(
      x,
      this.convs.map((conv, i) => (y: Tensor) => conv.fused(y, i < last ? RELU : { shuffle: this.scale })),
    );
  }
}

/** Frames (N, T, H, W) to the weights of the branches, (N, branches, scale·H, scale·W), of sum 1 at every pixel. */
class TemporalNet extends Module {
  readonly convs: Conv2d[];

  constructor(
    build: Build,
    { frames, narrow }: B123tConfig,
    branches: number,
    readonly scale: number,
  ) {
    super();
    const half = Math.ceil(narrow / 2);
    this.convs = [square(build, frames, narrow, 5), square(build, narrow, half, 5), square(build, half, branches, 5)];
  }

  forward(x: Tensor): Tensor {
    const last = this.convs.length - 1;
    return through(x, [
      (y) => resize_tf1(y, { factor: this.scale }),
      ...this.convs.map((conv, i) => (y: Tensor) => conv.fused(y, i < last ? RELU : {})),
      (y) => softmax(y, { dim: 1 }),
    ]);
  }
}

/** forward: (N, 1, T, H, W) in 0..1 to the middle frame, (N, 1, 1, scale·H, scale·W). */
export class B123t extends Net {
  readonly form = 'centre';
  override readonly window: number;
  override readonly grid = GRID;
  /** 20 of the flow net, 1 of the splat, 5 of a branch. */
  readonly spatialReach = 26;
  readonly config: B123tConfig;
  readonly flow: FlowNet;
  readonly branches: Branch[];
  readonly temporal: TemporalNet;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<B123tConfig> = {}) {
    super();
    this.config = configure('b123t', b123tDefaults, config, {
      channels: oneOf(1),
      scale: whole(),
      frames: { want: 'an odd number', holds: (n) => Number.isSafeInteger(n) && Number(n) > 0 && Number(n) % 2 === 1 },
      width: whole(),
      narrow: whole(),
    });
    const { scale, frames, width, narrow } = this.config;
    const branches = (frames + 1) / 2;
    this.window = frames;
    this.flow = new FlowNet(build, narrow);
    this.branches = Array.from({ length: branches }, (_, k) => new Branch(build, 2 * k + 1, width, scale));
    this.temporal = new TemporalNet(build, this.config, branches, scale);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const frames = Array.from({ length: x.shape[2] }, (_, t) => frameOf(x, t));
    const middle = (frames.length - 1) / 2;
    const weights = pass(this.temporal, joined(frames));
    const moved = this.#moved(frames, frames[middle]);
    const parts = this.branches.map((branch, k) => {
      using inner = x.engine.scope();
      const seen = slice(moved, { axis: 1, start: middle - k, end: middle + k + 1 });
      return inner.keep(mul(pass(branch, seen), slice(weights, { axis: 1, start: k, end: k + 1 })));
    });
    return scope.keep(clipOf([parts.reduce((sum, part) => add(sum, part))]));
  }

  /** Every frame, the reference too, where the flow to the reference puts it: (N, T, H, W). */
  #moved(frames: readonly Tensor[], reference: Tensor): Tensor {
    using scope = reference.engine.scope();
    return scope.keep(joined(frames.map((frame) => splat(frame, pass(this.flow, frame, reference)))));
  }
}

export const entry: NetEntry<B123t> = {
  title: 'B123+T, branches for three temporal scales, weighed at every pixel',
  paper: 'Liu et al., ICCV 2017',
  year: 2017,
  task: 'super-resolution',
  defaults: { ...b123tDefaults },
  inputs: ['x'],
  published: { parameters: 370_677, by: 'counted in the public code of PFNL' },
  weights: 'none are public',
  verified: 'PyTorch, float64: output and every gradient',
  create: (build, config) => new B123t(build, config as Partial<B123tConfig>),
};
