// VSR-DUF: Jo, Oh, Kang, Kim, "Deep Video Super-Resolution Network Using Dynamic Upsampling Filters Without Explicit Motion
// Compensation", CVPR 2018, with 52, 28 or 16 layers: one branch gives each pixel of the result its own filter over 5x5 pixels
// of the middle frame, the other what such filters cannot give, the residual.
//
// Names are those of BasicSR's port. Files of the authors (github.com/yhjo09/VSR-DUF, TensorFlow) are adopted: their filters have
// our order of channels, tap·r² + sub-pixel, their residual the order of depth_to_space, sub-pixel·3 + colour. Running variances
// take the biased estimate, as theirs do, but start from 1 without TensorFlow's correction of the first steps.
import { ShapeError } from '../engine/errors.ts';
import { heNormal } from '../engine/nn/init.ts';
import { Conv3d } from '../engine/nn/layers.ts';
import { type Build, chain, type HostTensor, Module, type StateDict } from '../engine/nn/module.ts';
import { BatchNorm } from '../engine/nn/norm.ts';
import { concat } from '../engine/ops/concat.ts';
import { dynamic_filter } from '../engine/ops/dynamic_filter.ts';
import { slice } from '../engine/ops/slice.ts';
import type { Tensor } from '../engine/tensor.ts';
import { clipOf, frameOf } from './frames.ts';
import { type Adopted, between, configure, Net, type NetEntry, whole } from './net.ts';

export interface DufConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: number;
  /** Convolutions on the way to the filters: 52, 28 or 16. */
  layers: number;
  /** Channels that a block adds: 16, and 32 with 16 layers. */
  growth: number;
  /** Channels of the first convolution. */
  width: number;
  /** Channels where the branches part. */
  head: number;
  /** Share of a batch in the running statistics. */
  momentum: number;
}

export const dufDefaults: DufConfig = {
  channels: 3,
  scale: 4,
  layers: 52,
  growth: 16,
  width: 64,
  head: 256,
  momentum: 1e-3,
};

export const duf28: DufConfig = { ...dufDefaults, layers: 28 };
export const duf16: DufConfig = { ...dufDefaults, layers: 16, growth: 32 };

const WINDOW = 7;
/** Blocks without padding in time: 7 frames become 5, 3, 1. */
const REDUCING = 3;
/** Layers beside those of the blocks. */
const OTHERS = 4;
/** Taps along each side of a dynamic filter. */
const KERNEL = 5;
const RELU = { negative_slope: 0 };

/** [x, C3D_3x3x3(ReLU(BN(C3D_1x1x1(ReLU(BN(x))))))]; the numbers are the places in BasicSR's sequence. */
class Block extends Module {
  readonly 0: BatchNorm;
  readonly 2: Conv3d;
  readonly 3: BatchNorm;
  readonly 5: Conv3d;
  readonly #reduces: boolean;

  constructor(build: Build, { growth, momentum }: DufConfig, width: number, reduces: boolean) {
    super();
    const norm = () => new BatchNorm(build, width, { eps: 1e-3, momentum, unbiased: false });
    this.#reduces = reduces;
    this[0] = norm();
    this[2] = new Conv3d(build, { in: width, out: width, kernel: [1, 1, 1], init: heNormal() });
    this[3] = norm();
    this[5] = new Conv3d(build, {
      ...{ in: width, out: growth, kernel: [3, 3, 3] },
      ...{ padding: [reduces ? 0 : 1, 1, 1], init: heNormal() },
    });
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this[0].fused(x, RELU);
    const mixed = this[2].forward(first);
    scope.release(first);
    const second = this[3].fused(mixed, RELU);
    scope.release(mixed);
    const grown = this[5].forward(second);
    scope.release(second);
    const kept = this.#reduces ? slice(x, { axis: 2, start: 1, end: -1 }) : x;
    return scope.keep(concat(kept, grown, { axis: 1 }));
  }
}

class DenseBlocks extends Module {
  readonly dense_blocks: Block[];
  constructor(build: Build, config: DufConfig, count: number) {
    super();
    const { width, growth } = config;
    this.dense_blocks = Array.from({ length: count }, (_, i) => new Block(build, config, width + i * growth, false));
  }
  get blocks(): readonly Block[] {
    return this.dense_blocks;
  }
  forward(x: Tensor): Tensor {
    return chain(x, this.blocks);
  }
}

class ReducingBlocks extends Module {
  readonly temporal_reduce1: Block;
  readonly temporal_reduce2: Block;
  readonly temporal_reduce3: Block;
  constructor(build: Build, config: DufConfig, width: number) {
    super();
    const block = (i: number) => new Block(build, config, width + i * config.growth, true);
    this.temporal_reduce1 = block(0);
    this.temporal_reduce2 = block(1);
    this.temporal_reduce3 = block(2);
  }
  get blocks(): readonly Block[] {
    return [this.temporal_reduce1, this.temporal_reduce2, this.temporal_reduce3];
  }
  forward(x: Tensor): Tensor {
    return chain(x, this.blocks);
  }
}

/** forward: (N, C, 7, H, W) in 0..1 to the middle frame, (N, C, 1, scale·H, scale·W). */
export class Duf extends Net {
  readonly form = 'centre';
  override readonly window = WINDOW;
  override readonly ends = 'black';
  readonly spatialReach: number;
  readonly config: DufConfig;
  readonly conv3d1: Conv3d;
  readonly dense_block1: DenseBlocks;
  readonly dense_block2: ReducingBlocks;
  readonly bn3d2: BatchNorm;
  readonly conv3d2: Conv3d;
  readonly conv3d_r1: Conv3d;
  readonly conv3d_r2: Conv3d;
  readonly conv3d_f1: Conv3d;
  readonly conv3d_f2: Conv3d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<DufConfig> = {}) {
    super();
    this.config = checked(config);
    const { channels, scale, layers, growth, width, head, momentum } = this.config;
    const dense = (layers - OTHERS) / 2 - REDUCING;
    const conv = (input: number, out: number, kernel: readonly number[]) =>
      new Conv3d(build, { in: input, out, kernel, init: heNormal() });
    const wide = width + dense * growth;
    const widest = wide + REDUCING * growth;
    this.spatialReach = 1 + dense + REDUCING + 1;
    this.conv3d1 = conv(channels, width, [1, 3, 3]);
    this.dense_block1 = new DenseBlocks(build, this.config, dense);
    this.dense_block2 = new ReducingBlocks(build, this.config, wide);
    this.bn3d2 = new BatchNorm(build, widest, { eps: 1e-3, momentum, unbiased: false });
    this.conv3d2 = conv(widest, head, [1, 3, 3]);
    this.conv3d_r1 = conv(head, head, [1, 1, 1]);
    this.conv3d_r2 = conv(head, channels * scale ** 2, [1, 1, 1]);
    this.conv3d_f1 = conv(head, 2 * head, [1, 1, 1]);
    this.conv3d_f2 = conv(2 * head, (KERNEL * scale) ** 2, [1, 1, 1]);
  }

  forward(x: Tensor): Tensor {
    if (x.shape[2] !== WINDOW) throw new ShapeError(`duf: expected ${WINDOW} frames, got ${x.shape[2]}`);
    using scope = x.engine.scope();
    const deep = this.#features(x);
    const residual = this.conv3d_r1.fused(deep, RELU); // (N, head, 1, H, W)
    const filtered = this.#filtered(x, deep);
    return scope.keep(this.conv3d_r2.fused(residual, { shuffle: this.config.scale, residual: filtered }));
  }

  /** (N, head, 1, H, W). */
  #features(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const { dense_block1: dense, dense_block2: reducing } = this;
    const joined = chain(x, [this.conv3d1, ...dense.blocks, ...reducing.blocks]);
    const y = this.bn3d2.fused(joined, RELU);
    scope.release(joined);
    return scope.keep(this.conv3d2.fused(y, RELU));
  }

  /** The middle frame under the filters that its pixels were given: (N, C, 1, scale·H, scale·W). */
  #filtered(x: Tensor, deep: Tensor): Tensor {
    using scope = x.engine.scope();
    const filters = this.conv3d_f2.forward(this.conv3d_f1.fused(deep, RELU));
    const { scale } = this.config;
    const middle = frameOf(x, (WINDOW - 1) / 2);
    return scope.keep(clipOf([dynamic_filter(middle, frameOf(filters, 0), { scale, kernel: KERNEL, softmax: true })]));
  }
}

const checked = (given: Partial<DufConfig>): DufConfig =>
  configure('duf', dufDefaults, given, {
    channels: whole(),
    scale: whole(),
    layers: {
      want: `an even number of at least ${OTHERS + 2 * REDUCING}`,
      holds: (n) => Number.isSafeInteger(n) && Number(n) % 2 === 0 && Number(n) >= OTHERS + 2 * REDUCING,
    },
    growth: whole(),
    width: whole(),
    head: whole(),
    momentum: between(0, 1),
  });

/** The authors' names to BasicSR's, where they are no blocks. */
const authors: Readonly<Record<string, string>> = {
  ...{ conv1: 'conv3d1', fbn1: 'bn3d2', conv2: 'conv3d2' },
  ...{ rconv1: 'conv3d_r1', rconv2: 'conv3d_r2', fconv1: 'conv3d_f1', fconv2: 'conv3d_f2' },
};
const kinds: Readonly<Record<string, string>> = {
  ...{ W: 'weight', b: 'bias', gamma: 'weight', beta: 'bias' },
  ...{ moving__mean: 'running_mean', moving__variance: 'running_var' },
};
/** G_Rconv12a_W:0, G_fbn1_moving__mean:0. */
const AUTHORS = /^G_(?:R(bn|conv)(\d+)([ab])|([a-z]+\d))_(W|b|gamma|beta|moving__mean|moving__variance):0$/;

/** Index of the value in a filter (kt, kh, kw, in, out) that stands at `i` of (out, in, kt, kh, kw). */
function torchFilter({ shape: [kt, kh, kw, input, out], data }: HostTensor): HostTensor {
  const taps = kt * kh * kw;
  const at = (i: number) => ((i % taps) * input + (Math.floor(i / taps) % input)) * out + Math.floor(i / taps / input);
  return { shape: [out, input, kt, kh, kw], data: data.map((_, i) => data[at(i)]) };
}

/** Output channels (or biases) from sub-pixel·C + colour to colour·r² + sub-pixel. */
function torchShuffle({ shape, data }: HostTensor, channels: number): HostTensor {
  const [square, each] = [shape[0] / channels, data.length / shape[0]];
  const at = (k: number) => (k % square) * channels + Math.floor(k / square);
  return { shape, data: data.map((_, i) => data[at(Math.floor(i / each)) * each + (i % each)]) };
}

function fromAuthors(published: StateDict): StateDict {
  const own: StateDict = new Map();
  const blocks = [...published.keys()].map((name) => Number(AUTHORS.exec(name)?.[2] ?? 0));
  const dense = Math.max(...blocks) - REDUCING;
  const colours = published.get('G_conv1_W:0')?.shape[3] ?? dufDefaults.channels;
  for (const [name, tensor] of published) {
    const [, kind, block, half, other, what] = AUTHORS.exec(name) ?? [];
    const place = (kind === 'bn' ? 0 : 2) + (half === 'b' ? 3 : 0);
    const r = Number(block);
    const path = block
      ? `${r <= dense ? `dense_block1.dense_blocks.${r - 1}` : `dense_block2.temporal_reduce${r - dense}`}.${place}`
      : authors[other];
    const torch = what === 'W' && tensor.shape.length === 5 ? torchFilter(tensor) : tensor;
    const ordered = path === 'conv3d_r2' ? torchShuffle(torch, colours) : torch;
    own.set(path ? `${path}.${kinds[what]}` : name, ordered);
  }
  return own;
}

function adopt(published: StateDict): Adopted {
  const given = [...published].filter(([name]) => !name.includes('filter_localexpand')); // a constant of the authors' graph
  const tensors = published.has('G_conv1_W:0') ? fromAuthors(new Map(given)) : published;
  const shape = (name: string) => tensors.get(`${name}.weight`)?.shape ?? [];
  const dense = [...tensors.keys()].filter((name) => /^dense_block1\.dense_blocks\.\d+\.5\.weight$/.test(name)).length;
  const [width = dufDefaults.width, channels = dufDefaults.channels] = shape('conv3d1');
  const [filters = (KERNEL * dufDefaults.scale) ** 2] = shape('conv3d_f2');
  const [growth = dufDefaults.growth] = shape('dense_block2.temporal_reduce1.5');
  const [head = dufDefaults.head] = shape('conv3d2');
  const scale = Math.sqrt(filters) / KERNEL;
  return { config: { channels, scale, layers: OTHERS + 2 * (dense + REDUCING), growth, width, head }, tensors };
}

const entryOf = (defaults: DufConfig, parameters: number): NetEntry<Duf> => ({
  title: `VSR-DUF with ${defaults.layers} layers, dynamic upsampling filters`,
  paper: 'Jo et al., CVPR 2018',
  year: 2018,
  task: 'super-resolution',
  defaults: { ...defaults },
  inputs: ['x'],
  published: { parameters, by: 'the public code of the authors, and BasicSR' },
  weights: 'github.com/yhjo09/VSR-DUF, github.com/XPixelGroup/BasicSR',
  verified: 'PyTorch, float64: output, every gradient, running statistics at x4; output and gradients at x3',
  create: (build, config) => new Duf(build, { ...defaults, ...config }),
  adopt,
});

export const entry = entryOf(dufDefaults, 5_821_952);
export const entry28 = entryOf(duf28, 2_118_432);
export const entry16 = entryOf(duf16, 1_900_640);
