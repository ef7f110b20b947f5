// SRResNet and SRGAN: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
// CVPR 2017.
//
// One generator, two sets of defaults. `srresnet` is the paper's: 16 blocks, batch norm before the long skip, output as it is.
// `srgan` is what public weights exist for (github.com/leftthomas/SRGAN as it comes with iSeeBetter): 5 blocks, a PReLU in the
// place of that batch norm, (tanh + 1) / 2 at the end. Names are those of that code, counted on for more blocks. Pictures are
// 0..1 at both ends (the paper's large ones are -1..1).
import { UsageError } from '../engine/errors.ts';
import { fanInUniform } from '../engine/nn/init.ts';
import { Conv2d, PReLU } from '../engine/nn/layers.ts';
import { Linear } from '../engine/nn/linear.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { BatchNorm } from '../engine/nn/norm.ts';
import { add } from '../engine/ops/binary.ts';
import { global_avg_pool } from '../engine/ops/pool.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { leaky_relu, sigmoid } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface SrganConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: 2 | 4 | 8;
  width: number;
  /** B, the number of residual blocks. */
  blocks: number;
  /** PReLU slopes: one for all channels of a layer, or one each. */
  slopes: 'shared' | 'channel';
  /** What follows the convolution at the end of the long skip: batch norm (the paper, later public code) or PReLU. */
  joint: 'norm' | 'prelu';
  /** The last convolution's result as it is, or (tanh + 1) / 2 of it. */
  output: 'linear' | 'tanh';
}

export const srresnetDefaults: SrganConfig = {
  channels: 3,
  scale: 4,
  width: 64,
  blocks: 16,
  slopes: 'shared',
  joint: 'norm',
  output: 'linear',
};

export const srganDefaults: SrganConfig = { ...srresnetDefaults, blocks: 5, joint: 'prelu', output: 'tanh' };

const START = 0.25; // of all slopes
const init = fanInUniform;

/** x + BN(conv(PReLU(BN(conv(x))))); the PReLU stands in the second convolution's load. */
class Block extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly prelu: PReLU;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm;

  constructor(build: Build, width: number, slopes: number) {
    super();
    const conv = () => new Conv2d(build, { in: width, out: width, kernel: [3, 3], init });
    this.conv1 = conv();
    this.bn1 = new BatchNorm(build, width);
    this.prelu = new PReLU(build, slopes, START);
    this.conv2 = conv();
    this.bn2 = new BatchNorm(build, width);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const middle = chain(x, [this.conv1, this.bn1]);
    const last = this.conv2.fused(middle, { slope: this.prelu.weight });
    scope.release(middle);
    return scope.keep(add(x, this.bn2.forward(last)));
  }
}

/** PReLU(pixel_shuffle(conv(x))), twice as large. Its PReLU stands in the load of what follows. */
class Enlargement extends Module {
  readonly conv: Conv2d;
  readonly prelu: PReLU;

  constructor(build: Build, width: number, slopes: number) {
    super();
    this.conv = new Conv2d(build, { in: width, out: 4 * width, kernel: [3, 3], init });
    this.prelu = new PReLU(build, slopes, START);
  }

  /** @param slope of the PReLU that x has yet to pass */
  forward(x: Tensor, slope?: Tensor): Tensor {
    return this.conv.fused(x, { slope, shuffle: 2 });
  }
}

/**
 * The generator, figure 4. block1 9x9 and PReLU - blocks - 3x3, batch norm or PReLU - long skip - enlargements - 9x9.
 * forward: (N, C, H, W) in 0..1 to (N, C, scale·H, scale·W).
 */
export class Srgan extends Net {
  readonly config: SrganConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  readonly #first: readonly [Conv2d, PReLU];
  readonly #blocks: readonly Block[];
  readonly #joint: readonly [Conv2d, Module];
  readonly #enlarge: readonly Enlargement[];
  readonly #last: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<SrganConfig> = {}, defaults = srganDefaults) {
    super();
    this.config = configure('srgan', defaults, given, {
      channels: whole(),
      scale: oneOf(2, 4, 8),
      width: whole(),
      blocks: whole(0),
      slopes: oneOf('shared', 'channel'),
      joint: oneOf('norm', 'prelu'),
      output: oneOf('linear', 'tanh'),
    });
    const { channels, scale, width, blocks, joint } = this.config;
    const slopes = this.config.slopes === 'shared' ? 1 : width;
    const steps = Math.log2(scale);
    const prelu = () => new PReLU(build, slopes, START);
    const wide = (from: number, to: number) => new Conv2d(build, { in: from, out: to, kernel: [9, 9], init });
    this.#first = [wide(channels, width), prelu()];
    this.#blocks = Array.from({ length: blocks }, () => new Block(build, width, slopes));
    this.#joint = [
      new Conv2d(build, { in: width, out: width, kernel: [3, 3], init }),
      joint === 'norm' ? new BatchNorm(build, width) : prelu(),
    ];
    this.#enlarge = Array.from({ length: steps }, () => new Enlargement(build, width, slopes));
    this.#last = wide(width, channels);
    const parts = [this.#first, ...this.#blocks, this.#joint, [...this.#enlarge, this.#last]];
    for (const [i, part] of parts.entries()) Object.assign(this, { [`block${i + 1}`]: part });
    const large = 2 - 2 / scale + 4 / scale; // 3x3 at 1, 2, ... times the size, and 9x9 at the last
    this.spatialReach = 4 + 2 * blocks + 1 + Math.ceil(large);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const features = this.#extract(x);
    const { x: wide, slope } = this.#enlarge.reduce<{ x: Tensor; slope?: Tensor }>(
      (small, step) => {
        const large = step.forward(small.x, small.slope);
        scope.release(small.x);
        return { x: large, slope: step.prelu.weight };
      },
      { x: features },
    );
    const y = this.#last.fused(wide, { slope });
    scope.release(wide);
    return scope.keep(this.config.output === 'tanh' ? sigmoid(add(y, y)) : y); // (tanh(y) + 1) / 2 = σ(2y)
  }

  /** (N, width, H, W) before the enlargement. */
  #extract(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = chain(x, this.#first);
    return scope.keep(add(first, chain(first, [...this.#blocks, ...this.#joint])));
  }
}

export interface SrganDiscriminatorConfig {
  channels: number;
  width: number;
  /** `pool`: of any size, by the mean of all positions (public code); `dense`: of one size, as in the paper. */
  head: 'pool' | 'dense';
  /** Height and width of what a dense head takes. */
  size: number;
}

export const srganDiscriminatorDefaults: SrganDiscriminatorConfig = { channels: 3, width: 64, head: 'pool', size: 96 };

const LEAK = { negative_slope: 0.2 };
/** Of the seven convolutions behind the first: channels in widths, and stride. */
const STAGES = [
  [1, 2],
  [2, 1],
  [2, 2],
  [4, 1],
  [4, 2],
  [8, 1],
  [8, 2],
] as const;

/**
 * The discriminator, figure 4. Eight 3x3 convolutions, batch norm on all but the first, LeakyReLU 0.2; two dense layers.
 * `net` has the indices of the public Sequential. forward: (N, C, H, W) in 0..1 to the probability (N, 1) of being real.
 */
export class SrganDiscriminator extends Module {
  readonly config: SrganDiscriminatorConfig;
  readonly net: (Conv2d | BatchNorm | Linear)[] = [];

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<SrganDiscriminatorConfig> = {}) {
    super();
    this.config = configure('srgan-discriminator', srganDiscriminatorDefaults, given, {
      channels: whole(),
      width: whole(),
      head: oneOf('pool', 'dense'),
      size: whole(),
    });
    const { channels, width, head, size } = this.config;
    const { net } = this;
    net[0] = new Conv2d(build, { in: channels, out: width, kernel: [3, 3], init });
    for (const [i, [times, stride]] of STAGES.entries()) {
      const from = width * (STAGES[i - 1]?.[0] ?? 1);
      net[3 * i + 2] = new Conv2d(build, { in: from, out: width * times, kernel: [3, 3], stride, init });
      net[3 * i + 3] = new BatchNorm(build, width * times);
    }
    const ends = [8 * width, 16 * width, 1];
    if (head === 'dense') ends[0] *= Math.ceil(size / 16) ** 2;
    for (const i of [0, 1]) {
      const [from, to] = [ends[i], ends[i + 1]];
      net[24 + 2 * i] =
        head === 'dense'
          ? new Linear(build, { in: from, out: to, init })
          : new Conv2d(build, { in: from, out: to, kernel: [1, 1], init });
    }
  }

  /** @throws {UsageError} for pictures that a dense head cannot take */
  forward(x: Tensor): Tensor {
    const { head, size } = this.config;
    const [n, , h, w] = x.shape;
    if (head === 'dense' && (h !== size || w !== size)) {
      throw new UsageError(`srgan-discriminator: expected ${size} x ${size} pixels, got ${h} x ${w}`);
    }
    using scope = x.engine.scope();
    const first = (this.net[0] as Conv2d).fused(x, LEAK);
    const deep = STAGES.reduce((y, _, i) => {
      const z = activated(y, this.net[3 * i + 2] as Conv2d, this.net[3 * i + 3] as BatchNorm);
      scope.release(y);
      return z;
    }, first);
    const flat = head === 'dense' ? reshape(deep, { shape: [n, -1] }) : global_avg_pool(deep);
    const judged = this.net[26].forward(leaky_relu(this.net[24].forward(flat), LEAK));
    return scope.keep(sigmoid(reshape(judged, { shape: [n, 1] })));
  }
}

/** LeakyReLU(norm(conv(x))). */
function activated(x: Tensor, conv: Conv2d, norm: BatchNorm): Tensor {
  using scope = x.engine.scope();
  return scope.keep(norm.fused(conv.forward(x), LEAK));
}

/** Published files have our names; the settings are in their names and shapes, but for the output, which leaves no trace. */
function adopt(tensors: StateDict): Adopted {
  const { width, channels } = srganDefaults;
  const [ours = width, pictures = channels] = tensors.get('block1.0.weight')?.shape ?? [];
  const blocks = [...tensors.keys()].filter((name) => /^block\d+\.conv1\.weight$/.test(name)).length;
  const steps = [...tensors.keys()].filter((name) => /^block\d+\.\d+\.conv\.weight$/.test(name)).length;
  return {
    config: {
      channels: pictures,
      scale: 2 ** steps,
      width: ours,
      blocks,
      slopes: (tensors.get('block1.1.weight')?.shape[0] ?? 1) === 1 ? 'shared' : 'channel',
      joint: tensors.has(`block${blocks + 2}.1.running_mean`) ? 'norm' : 'prelu',
    },
    tensors,
  };
}

function adoptDiscriminator(tensors: StateDict): Adopted {
  const { width, channels, size } = srganDiscriminatorDefaults;
  const [ours = width, pictures = channels] = tensors.get('net.0.weight')?.shape ?? [];
  const end = tensors.get('net.24.weight')?.shape ?? [];
  const dense = end.length === 2;
  const edge = dense ? 16 * Math.sqrt(end[1] / (8 * ours)) : size;
  return { config: { channels: pictures, width: ours, head: dense ? 'dense' : 'pool', size: edge }, tensors };
}

const about = { paper: 'Ledig et al., CVPR 2017', year: 2017, inputs: ['x'] };

export const srresnetEntry: NetEntry<Srgan> = {
  ...about,
  title: 'SRResNet, the generator of SRGAN in full',
  task: 'super-resolution',
  defaults: { ...srresnetDefaults },
  published: { parameters: 1_549_462, by: 'our count of the paper' },
  weights: 'none known',
  verified: 'PyTorch, float64: output, every gradient, running statistics',
  create: (build, config) => new Srgan(build, config as Partial<SrganConfig>, srresnetDefaults),
  adopt,
};

export const entry: NetEntry<Srgan> = {
  ...about,
  title: 'SRGAN generator with five blocks',
  task: 'super-resolution',
  defaults: { ...srganDefaults },
  published: { parameters: 734_092, by: 'the public files for x4' },
  weights: 'github.com/amanchadha/iSeeBetter, SRGAN',
  verified: 'PyTorch, float64: output and every gradient with both joints; names and counts of the public files',
  create: (build, config) => new Srgan(build, config as Partial<SrganConfig>),
  adopt,
};

export const discriminatorEntry: NetEntry<SrganDiscriminator> = {
  ...about,
  title: 'SRGAN discriminator',
  task: 'discriminator',
  defaults: { ...srganDiscriminatorDefaults },
  usual: [[1, 3, 96, 96]],
  published: { parameters: 5_215_425, by: 'the public code of iSeeBetter' },
  weights: 'none known',
  verified: 'PyTorch, float64: output, every gradient, running statistics, with both heads; one in evaluation',
  create: (build, config) => new SrganDiscriminator(build, config as Partial<SrganDiscriminatorConfig>),
  adopt: adoptDiscriminator,
};
