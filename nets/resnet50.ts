// ResNet-50: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1, in the form of the authors'
// Caffe model, which the two-stream networks of Feichtenhofer et al. start from: a stage's stride stands on its first 1x1
// convolution, the max pool has no padding and rounds up. Parameters are named as in that model.
//
// Values are taken as they come. The authors' weights want frames as R, G, B in 0..255, and flow as u and v in turn in 0..255
// (20 pixels to the left or up are 0, to the right or down 255), both less the mean of each channel that is stored with them.
//
// `temporal`: in block b of each stage the two 1x1 convolutions look at three frames each (see st-resnet.ts).
import { heNormal } from '../engine/nn/init.ts';
import { Conv2d, Conv3d, Dropout } from '../engine/nn/layers.ts';
import { Linear } from '../engine/nn/linear.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { BatchNorm } from '../engine/nn/norm.ts';
import { add } from '../engine/ops/binary.ts';
import { batch_to_frames, frames_to_batch } from '../engine/ops/frames.ts';
import { global_avg_pool, max_pool2d } from '../engine/ops/pool.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, between, configure, type NetEntry, oneOf, whole } from './net.ts';

export interface Resnet50Config {
  /** 3 (a frame), or 20 (ten flow fields). */
  channels: number;
  classes: number;
  /** Channels of the first convolution; all others are multiples of it. */
  width: number;
  temporal: boolean;
  /** In training, before the classifier. */
  dropout: number;
}

export const resnet50Defaults: Resnet50Config = {
  channels: 3,
  classes: 101,
  width: 64,
  temporal: false,
  dropout: 0,
};

/** Blocks of stages 2 to 5. */
const BLOCKS = [3, 4, 6, 3];

/**
 * norm(conv(x)) of pictures, with ReLU where negative_slope is 0; a convolution over time takes them as clips of so many frames.
 */
class Normed {
  constructor(
    readonly conv: Conv2d | Conv3d,
    readonly norm: BatchNorm,
  ) {}
  forward(x: Tensor, frames = 1, negative_slope = 1): Tensor {
    using scope = x.engine.scope();
    const overTime = (clips: Tensor) => frames_to_batch(this.conv.forward(clips));
    const y = this.conv instanceof Conv3d ? overTime(batch_to_frames(x, { frames })) : this.conv.forward(x);
    return scope.keep(this.norm.fused(y, { negative_slope }));
  }
}

/** A bottleneck, figure 5 of the paper: 1x1, 3x3 and 1x1 convolutions beside a shortcut. */
export class Bottleneck {
  constructor(
    readonly branch: readonly [Normed, Normed, Normed],
    readonly projection?: Normed,
  ) {}

  /** The sum before its ReLU. @param inner what enters the convolutions where that is not x @param frames of a clip */
  forward(x: Tensor, inner = x, frames = 1): Tensor {
    using scope = x.engine.scope();
    const residual = this.branch.reduce((y, unit, i) => {
      const z = unit.forward(y, frames, i < 2 ? 0 : 1);
      scope.release(y);
      return z;
    }, inner);
    return scope.keep(add(this.projection ? this.projection.forward(x) : x, residual));
  }
}

/**
 * forward: pictures (N, channels, H, W) in 0..255 less their mean, or clips (N, channels, T, H, W) whose features are averaged, to scores (N, classes)
 * before softmax; any size.
 */
export class Resnet50 extends Module {
  readonly config: Resnet50Config;
  readonly dropout: Dropout;
  readonly prediction: Linear;
  /** Stages 2 to 5. */
  readonly #stages: readonly (readonly Bottleneck[])[];
  readonly #first: Normed;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<Resnet50Config> = {}) {
    super();
    this.config = configure('resnet50', resnet50Defaults, given, {
      channels: whole(),
      classes: whole(),
      width: whole(),
      temporal: oneOf(true, false),
      dropout: between(0, 0.99),
    });
    const { channels, classes, width, temporal, dropout } = this.config;

    const named = (conv: string, norm: string, layer: Conv2d | Conv3d, out: number): Normed => {
      const unit = new Normed(layer, new BatchNorm(build, out));
      Object.assign(this, { [conv]: unit.conv, [norm]: unit.norm });
      return unit;
    };
    const shared = { bias: false, init: heNormal() };
    const conv = (from: number, out: number, k: number, stride = 1) =>
      new Conv2d(build, { ...shared, in: from, out, kernel: [k, k], stride });
    const overTime = (from: number, out: number) => new Conv3d(build, { ...shared, in: from, out, kernel: [3, 1, 1] });
    const bottleneck = (name: string, from: number, inner: number, stride: number): Bottleneck => {
      const out = 4 * inner;
      const unit = (branch: string, layer: Conv2d | Conv3d, outputs: number) =>
        named(`res${name}_${branch}`, `bn${name}_${branch}`, layer, outputs);
      const overFrames = temporal && name.endsWith('b');
      const projection = name.endsWith('a') ? unit('branch1', conv(from, out, 1, stride), out) : undefined;
      const branch: Bottleneck['branch'] = [
        unit('branch2a', overFrames ? overTime(from, inner) : conv(from, inner, 1, stride), inner),
        unit('branch2b', conv(inner, inner, 3), inner),
        unit('branch2c', overFrames ? overTime(inner, out) : conv(inner, out, 1), out),
      ];
      return new Bottleneck(branch, projection);
    };

    this.#first = named('conv1', 'bn_conv1', conv(channels, width, 7, 2), width);
    let from = width;
    this.#stages = BLOCKS.map((count, stage) =>
      Array.from({ length: count }, (_, i) => {
        const inner = width * 2 ** stage;
        const block = bottleneck(`${stage + 2}${'abcdef'[i]}`, from, inner, i === 0 && stage > 0 ? 2 : 1);
        from = 4 * inner;
        return block;
      }),
    );
    this.dropout = new Dropout(build, dropout);
    this.prediction = new Linear(build, { in: from, out: classes });
  }

  /** Bottlenecks of stages 2 to 5, each a list. */
  get stages(): readonly (readonly Bottleneck[])[] {
    return this.#stages;
  }

  /** Pictures to the input of stage 2, a quarter of their size. */
  stem(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(max_pool2d(this.#first.forward(x, 1, 0), { kernel_size: 3, stride: 2, ceil_mode: true }));
  }

  /** Features of pictures or clips, averaged over all positions, to scores. */
  scores(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const flat = reshape(global_avg_pool(x), { shape: x.shape.slice(0, 2) });
    return scope.keep(chain(flat, [this.dropout, this.prediction]));
  }

  /** What the scores are made of: (N, 32·width, T, h, w), T = 1 for pictures. */
  features(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const clips = x.shape.length === 5;
    const frames = clips ? x.shape[2] : 1;
    const last = this.stages.flat().reduce(
      (y, block) => {
        const z = relu(block.forward(y, y, frames));
        scope.release(y);
        return z;
      },
      this.stem(clips ? frames_to_batch(x) : x),
    );
    return scope.keep(batch_to_frames(last, { frames }));
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.scores(this.features(x)));
  }
}

/** The settings are in the names' shapes, but for the dropout. `prefix` stands before all names of this stream. */
export function settingsOf(tensors: StateDict, prefix = ''): Partial<Resnet50Config> {
  const shape = (name: string) => tensors.get(prefix + name)?.shape ?? [];
  const [width, channels] = shape('conv1.weight');
  const [classes] = shape('prediction.weight');
  return { width, channels, classes, temporal: shape('res2b_branch2a.weight').length === 5 };
}

const known = (settings: Partial<Resnet50Config>) =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));

const adopt = (tensors: StateDict): Adopted => ({ config: known(settingsOf(tensors)), tensors });

export const entry: NetEntry<Resnet50> = {
  title: 'ResNet-50, a base stream of ST-ResNet',
  paper: 'He et al., CVPR 2016; Feichtenhofer et al., NIPS 2016',
  year: 2016,
  task: 'recognition',
  defaults: { ...resnet50Defaults },
  inputs: ['x'],
  usual: [[1, 3, 224, 224]],
  published: { parameters: 23_714_981, by: 'our count of the public definition, for 101 classes of RGB frames' },
  weights: 'github.com/feichtenhofer/st-resnet, for MATLAB alone',
  verified: 'PyTorch, float64: output, every gradient and running statistics, at a 32nd of the width',
  create: (build, config) => new Resnet50(build, config as Partial<Resnet50Config>),
  adopt,
};
