// BN-Inception as TSN has it: Wang et al., "Temporal Segment Networks: Towards Good Practices for Deep Action Recognition",
// ECCV 2016. The backbone: Ioffe, Szegedy, "Batch Normalization", 2015, in the form of the authors' Caffe model: every
// convolution has a bias, too, and is followed by batch norm and ReLU; max pools round up.
//
// Two streams are two of these: one sees a frame, the other five flow fields. Their scores are added in the proportion 1 : 1.5.
// The weights want frames as B, G, R in 0..255 less a mean, which differs between the public codes, and flow as x1, y1, ... y5
// in 0..255 less 128; `normalisation` makes that of pictures in 0..1. Other snippets, such as TSN's differences of frames (15
// channels), have no mean that is known: they are taken as they are. Parameters are named as in the public PyTorch files.
import type { Engine } from '../engine/engine.ts';
import { heNormal, type Init } from '../engine/nn/init.ts';
import { Conv2d, Dropout } from '../engine/nn/layers.ts';
import { Linear } from '../engine/nn/linear.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { BatchNorm } from '../engine/nn/norm.ts';
import { conv2d } from '../engine/ops/conv.ts';
import { frames_to_batch } from '../engine/ops/frames.ts';
import { avg_pool2d, global_avg_pool, max_pool2d } from '../engine/ops/pool.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { mean } from '../engine/ops/sum.ts';
import { size, type Tensor } from '../engine/tensor.ts';
import { joined } from './frames.ts';
import { padded } from './multiple.ts';
import { type Adopted, between, configure, type NetEntry, oneOf, type Rule, whole } from './net.ts';

export interface BnInceptionConfig {
  /** What a snippet has: 3 (one frame, R, G, B), 10 (five flow fields, x and y in turn), or others. */
  channels: number;
  classes: number;
  /** Channels of the first convolution, even; all others in proportion. */
  width: number;
  /** In training, before the classifier: 0.8 for RGB, 0.7 for flow. */
  dropout: number;
  /**
   * What is done to pictures in 0..1: what the weights of the PyTorch or the Caffe code want, or nothing, as it must be with
   * other channels than 3 and 10. A flow of zero is 128/255, one of 20 pixels 1.
   */
  normalisation: 'pytorch' | 'caffe' | 'none';
}

export const bnInceptionDefaults: BnInceptionConfig = {
  channels: 3,
  classes: 101,
  width: 64,
  dropout: 0.8,
  normalisation: 'pytorch',
};

/** B, G, R of 0..255, and flow. */
const MEANS = { pytorch: [104, 117, 128], caffe: [104, 117, 123] };
const FLOW_MEAN = 128;
/** Channels of snippets whose mean is known. */
const KNOWN: readonly number[] = [3, 10];

/** 255·x - mean, frames in the order B, G, R, as filter and bias of a 1x1 convolution: one pass over memory. */
function input(engine: Engine, channels: number, normalisation: keyof typeof MEANS): Tensor[] {
  const means = channels === 3 ? MEANS[normalisation] : Array<number>(channels).fill(FLOW_MEAN);
  const filter = new Float32Array(channels ** 2);
  for (let c = 0; c < channels; c++) filter[c * channels + (channels === 3 ? 2 - c : c)] = 255;
  const shift = means.map((mean) => -mean);
  return engine.lasting(() => [
    engine.tensor([channels, channels, 1, 1], filter, 'filter'),
    engine.tensor([channels], shift),
  ]);
}

/** Channels of a block's convolutions at width 64; no `one` and no `pool`: a block of stride 2. */
interface Sizes {
  readonly one?: number;
  readonly three: readonly [reduce: number, out: number];
  readonly double: readonly [reduce: number, out: number];
  /** Behind the pool, and which one. */
  readonly pool?: readonly [out: number, pool: 'mean' | 'max'];
}

const BLOCKS: Readonly<Record<string, Sizes>> = {
  '3a': { one: 64, three: [64, 64], double: [64, 96], pool: [32, 'mean'] },
  '3b': { one: 64, three: [64, 96], double: [64, 96], pool: [64, 'mean'] },
  '3c': { three: [128, 160], double: [64, 96] },
  '4a': { one: 224, three: [64, 96], double: [96, 128], pool: [128, 'mean'] },
  '4b': { one: 192, three: [96, 128], double: [96, 128], pool: [128, 'mean'] },
  '4c': { one: 160, three: [128, 160], double: [128, 160], pool: [128, 'mean'] },
  '4d': { one: 96, three: [128, 192], double: [160, 192], pool: [128, 'mean'] },
  '4e': { three: [128, 192], double: [192, 256] },
  '5a': { one: 352, three: [192, 320], double: [160, 224], pool: [128, 'mean'] },
  '5b': { one: 352, three: [192, 320], double: [192, 224], pool: [128, 'max'] },
};

/** Five times the size is halved. */
const GRID = 32;

/** Of the new classifier: N(0, 0.001²). */
const small: Init = (shape, random) => Float32Array.from({ length: size(shape) }, () => random.normal() * 0.001);

/** relu(norm(conv(x))). */
class Unit extends Module {
  constructor(
    readonly conv: Conv2d,
    readonly norm: BatchNorm,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.norm.fused(this.conv.forward(x), { negative_slope: 0 }));
  }
}

class Pool extends Module {
  constructor(readonly pool: (x: Tensor) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.pool(x);
  }
}

const halved = new Pool((x) => max_pool2d(x, { kernel_size: 3, stride: 2, ceil_mode: true }));
const meanAround = new Pool((x) => avg_pool2d(x, { kernel_size: 3, stride: 1, padding: 1 }));
const mostAround = new Pool((x) => max_pool2d(x, { kernel_size: 3, stride: 1, padding: 1 }));

/** Branches side by side, each a chain of its own, their channels one after the other. */
class Block extends Module {
  constructor(readonly branches: readonly (readonly Module[])[]) {
    super();
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(joined(this.branches.map((branch) => chain(x, branch))));
  }
}

/**
 * forward: snippets (N, channels, H, W), or K of a video (N, channels, K, H, W) whose scores are averaged (segmental
 * consensus), to scores (N, classes) before softmax. 224 x 224 pixels in training; sizes that are no multiples of 32, where
 * the branches of a halving block would differ, are padded by their last rows and columns.
 */
export class BnInception extends Module {
  readonly config: BnInceptionConfig;
  readonly dropout: Dropout;
  readonly new_fc: Linear;
  readonly #stages: Module[] = [];
  readonly #norms: BatchNorm[] = [];
  /** Filter and bias of the convolution that makes of pictures in 0..1 what the weights want, if any. */
  readonly #input: readonly Tensor[] = [];

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<BnInceptionConfig> = {}) {
    super();
    this.config = configure('bn-inception', bnInceptionDefaults, given, {
      channels: whole(),
      classes: whole(),
      width: even,
      dropout: between(0, 0.99),
      normalisation: KNOWN.includes(given.channels ?? 3) ? oneOf('pytorch', 'caffe', 'none') : oneOf('none'),
    });
    const { channels, classes, width, dropout, normalisation } = this.config;
    if (normalisation !== 'none') this.#input = input(build.engine, channels, normalisation);
    const scaled = (n: number) => (n * width) / 64;

    /** A convolution and its norm, under their public names; `to` at width 64. */
    const unit = (name: string, from: number, to: number, k: number, stride = 1): Unit => {
      const conv = new Conv2d(build, { in: from, out: scaled(to), kernel: [k, k], stride, init: heNormal() });
      const norm = new BatchNorm(build, scaled(to));
      Object.assign(this, { [name]: conv, [`${name}_bn`]: norm });
      this.#norms.push(norm);
      return new Unit(conv, norm);
    };
    const block = (name: string, from: number, { one, three, double, pool }: Sizes): Block => {
      const layer = (part: string, before: number, to: number, k: number, stride?: number) =>
        unit(`inception_${name}_${part}`, before, to, k, stride);
      const stride = pool ? 1 : 2;
      const branches: Module[][] = [
        [layer('3x3_reduce', from, three[0], 1), layer('3x3', scaled(three[0]), three[1], 3, stride)],
        [
          layer('double_3x3_reduce', from, double[0], 1),
          layer('double_3x3_1', scaled(double[0]), double[1], 3),
          layer('double_3x3_2', scaled(double[1]), double[1], 3, stride),
        ],
      ];
      if (one) branches.unshift([layer('1x1', from, one, 1)]);
      if (!pool) branches.push([halved]);
      else branches.push([pool[1] === 'max' ? mostAround : meanAround, layer('pool_proj', from, pool[0], 1)]);
      return new Block(branches);
    };

    this.#stages.push(unit('conv1_7x7_s2', channels, 64, 7, 2), halved);
    this.#stages.push(unit('conv2_3x3_reduce', width, 64, 1), unit('conv2_3x3', width, 192, 3), halved);
    let from = 192;
    for (const [name, sizes] of Object.entries(BLOCKS)) {
      this.#stages.push(block(name, scaled(from), sizes));
      const { one = 0, three, double, pool } = sizes;
      from = one + three[1] + double[1] + (pool ? pool[0] : from);
    }
    this.dropout = new Dropout(build, dropout);
    this.new_fc = new Linear(build, { in: scaled(from), out: classes, init: small });
  }

  /** Partial batch norm, section 3.3: all norms but the first keep their statistics, weights and biases. */
  freezeNorms(): this {
    for (const norm of this.#norms.slice(1)) norm.freeze().frozen = true;
    return this;
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const clips = x.shape.length === 5;
    const pictures = this.#normalised(clips ? frames_to_batch(x) : x);
    const features = chain(padded(pictures, GRID), this.#stages);
    const pooled = global_avg_pool(features);
    scope.release(features);
    const scores = chain(reshape(pooled, { shape: pooled.shape.slice(0, 2) }), [this.dropout, this.new_fc]);
    if (!clips) return scope.keep(scores);
    return scope.keep(mean(reshape(scores, { shape: [-1, x.shape[2], this.config.classes] }), { axes: 1 }));
  }

  #normalised(x: Tensor): Tensor {
    const [scale, shift] = this.#input;
    return scale ? conv2d(x, scale, shift) : x;
  }

  override dispose(): void {
    super.dispose();
    for (const constant of this.#input) constant.release();
  }
}

const even: Rule = {
  want: 'an even number of at least 2',
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= 2 && (value as number) % 2 === 0,
};

const FIRST = 'conv1_7x7_s2.weight';

/**
 * Files of tsn-pytorch (base_model., new_fc), of its model zoo (fc) and of Cadene (last_linear; some norms stored as (1, C)).
 * Neither dropout nor normalisation leave a trace in them, but that some snippets have none.
 */
function adopt(published: StateDict): Adopted {
  const tensors: StateDict = new Map();
  for (const [key, tensor] of published) {
    const name = key.replace(/^base_model\./, '').replace(/^(fc|last_linear)\./, 'new_fc.');
    const flat = /_bn\.\w+$/.test(name) && tensor.shape.length === 2 && tensor.shape[0] === 1;
    tensors.set(name, flat ? { ...tensor, shape: tensor.shape.slice(1) } : tensor);
  }
  const { width, channels, classes } = bnInceptionDefaults;
  const [ours = width, seen = channels] = tensors.get(FIRST)?.shape ?? [];
  const [told = classes] = tensors.get('new_fc.weight')?.shape ?? [];
  const config = { channels: seen, classes: told, width: ours };
  return { config: KNOWN.includes(seen) ? config : { ...config, normalisation: 'none' }, tensors };
}

/**
 * Cross-modality pre-training, section 3.3: weights for snippets of other channels, the first convolution's filters averaged
 * over their inputs and repeated.
 */
export function forChannels(tensors: StateDict, channels: number): StateDict {
  const first = tensors.get(FIRST);
  if (!first) return tensors;
  const [outputs, inputs, ...taps] = first.shape;
  const each = size(taps);
  const average = (o: number, tap: number) => {
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += first.data[(o * inputs + i) * each + tap];
    return sum / inputs;
  };
  const shape = [outputs, channels, ...taps];
  const data = Float32Array.from({ length: size(shape) }, (_, at) =>
    average(Math.floor(at / (channels * each)), at % each),
  );
  return new Map([...tensors, [FIRST, { shape, data }]]);
}

export const entry: NetEntry<BnInception> = {
  title: 'BN-Inception, a stream of TSN',
  paper: 'Wang et al., ECCV 2016',
  year: 2016,
  task: 'recognition',
  defaults: { ...bnInceptionDefaults },
  inputs: ['x'],
  usual: [[1, 3, 224, 224]],
  published: { parameters: 10_373_765, by: 'the public definition, for 101 classes of RGB frames' },
  weights: 'github.com/yjxiong/tsn-pytorch: ImageNet for the backbone; its trained models',
  verified: 'PyTorch, float64: output, every gradient and running statistics, at a 32nd of the width',
  create: (build, config) => new BnInception(build, config as Partial<BnInceptionConfig>),
  adopt,
};
