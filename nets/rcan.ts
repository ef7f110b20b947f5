// RCAN: Zhang, Li, Li, Wang, Zhong, Fu, "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", ECCV 2018.
//
// Names are those of BasicSR (github.com/XPixelGroup/BasicSR), which also takes pictures in 0..1 and works on 255 times their
// difference from DIV2K's mean; files of the authors (github.com/yulunzhang/RCAN) are adopted. BasicSR's own default is 16
// blocks a group; 20 are the paper's. Biases start at zero.
import { fanInUniform } from '../engine/nn/init.ts';
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { add, mul } from '../engine/ops/binary.ts';
import { global_avg_pool } from '../engine/ops/pool.ts';
import { sigmoid } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface RcanConfig {
  channels: 3;
  scale: 2 | 3 | 4 | 8;
  width: number;
  /** G, residual groups. */
  groups: number;
  /** B, blocks of a group. */
  blocks: number;
  /** r: the attention's squeeze has width / r channels. */
  reduction: number;
}

export const rcanDefaults: RcanConfig = { channels: 3, scale: 4, width: 64, groups: 10, blocks: 20, reduction: 16 };

/** Mean of DIV2K, RGB in 0..1. */
const MEAN = [0.4488, 0.4371, 0.404];
const RANGE = 255;
/** Pixels that matter in practice; in theory each attention sees the whole picture. */
const PRACTICAL_REACH = 32;

const conv = (build: Build, from: number, to: number, taps = 3): Conv2d =>
  new Conv2d(build, { in: from, out: to, kernel: [taps, taps], init: fanInUniform });

/** Channel attention, section 3.3: x · sigmoid(conv(ReLU(conv(mean of x over its picture)))). */
class ChannelAttention extends Module {
  readonly attention: Module[] = [];
  readonly #squeeze: Conv2d;
  readonly #excite: Conv2d;

  constructor(build: Build, width: number, reduction: number) {
    super();
    this.#squeeze = this.attention[1] = conv(build, width, width / reduction, 1);
    this.#excite = this.attention[3] = conv(build, width / reduction, width, 1);
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const squeezed = this.#squeeze.fused(global_avg_pool(x), { negative_slope: 0 });
    return scope.keep(mul(x, sigmoid(this.#excite.forward(squeezed))));
  }
}

/** Residual channel attention block, eq. 6: x + CA(conv(ReLU(conv(x)))). */
class AttentionBlock extends Module {
  readonly rcab: Module[] = [];
  readonly #first: Conv2d;
  readonly #second: Conv2d;
  readonly #attention: ChannelAttention;

  constructor(build: Build, { width, reduction }: RcanConfig) {
    super();
    this.#first = this.rcab[0] = conv(build, width, width);
    this.#second = this.rcab[2] = conv(build, width, width);
    this.#attention = this.rcab[3] = new ChannelAttention(build, width, reduction);
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const y = this.#second.forward(this.#first.fused(x, { negative_slope: 0 }));
    return scope.keep(add(this.#attention.forward(y), x));
  }
}

/** Residual group, eq. 5: x + conv(blocks(x)). */
class Group extends Module {
  readonly residual_group: readonly AttentionBlock[];
  readonly conv: Conv2d;

  constructor(build: Build, config: RcanConfig) {
    super();
    this.residual_group = Array.from({ length: config.blocks }, () => new AttentionBlock(build, config));
    this.conv = conv(build, config.width, config.width);
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.conv.fused(chain(x, this.residual_group), { residual: x }));
  }
}

/** A convolution and its pixel shuffle. */
class Enlargement extends Conv2d {
  constructor(
    build: Build,
    width: number,
    readonly factor: number,
  ) {
    super(build, { in: width, out: width * factor ** 2, kernel: [3, 3], init: fanInUniform });
  }
  override forward(x: Tensor): Tensor {
    return this.fused(x, { shuffle: this.factor });
  }
}

/**
 * conv_first - groups - conv_after_body + first - enlargement by convolutions and pixel shuffles - conv_last.
 * forward: (N, 3, H, W) in 0..1 to (N, 3, scale·H, scale·W).
 */
export class Rcan extends Net {
  readonly config: RcanConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  override readonly exact = false;
  readonly conv_first: Conv2d;
  readonly body: readonly Group[];
  readonly conv_after_body: Conv2d;
  readonly upsample: Module[] = [];
  readonly conv_last: Conv2d;
  readonly #mean: Tensor;
  readonly #shift: Tensor;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<RcanConfig> = {}) {
    super();
    this.config = configure('rcan', rcanDefaults, given, {
      channels: oneOf(3),
      scale: oneOf(2, 3, 4, 8),
      width: whole(),
      groups: whole(),
      blocks: whole(),
      reduction: {
        want: 'a divisor of the width',
        holds: (r) => whole().holds(r) && ((given.width ?? rcanDefaults.width) / (r as number)) % 1 === 0,
      },
    });
    const { scale, width, groups, blocks } = this.config;
    this.spatialReach = Math.min(PRACTICAL_REACH, 1 + groups * (2 * blocks + 1) + 3);
    this.conv_first = conv(build, 3, width);
    this.body = Array.from({ length: groups }, () => new Group(build, this.config));
    this.conv_after_body = conv(build, width, width);
    const factors = scale === 3 ? [3] : Array<number>(Math.log2(scale)).fill(2);
    for (const [i, factor] of factors.entries()) this.upsample[2 * i] = new Enlargement(build, width, factor);
    this.conv_last = conv(build, width, 3);
    const { engine } = build;
    this.#mean = engine.lasting(() => engine.tensor([3], MEAN));
    this.#shift = engine.lasting(() =>
      engine.tensor(
        [3],
        MEAN.map((m) => -RANGE * m),
      ),
    );
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this.conv_first.forward(add(this.#shift, x, { alpha: RANGE })); // 255·(x - mean)
    const deep = this.conv_after_body.fused(chain(first, this.body), { residual: first });
    scope.release(first);
    const wide = chain(deep, Object.values(this.upsample));
    scope.release(deep);
    const y = this.conv_last.forward(wide);
    scope.release(wide);
    return scope.keep(add(this.#mean, y, { alpha: 1 / RANGE }));
  }

  override dispose(): void {
    super.dispose();
    for (const constant of [this.#mean, this.#shift]) constant.release();
  }
}

/** The authors' names, whose shifts by the mean are constants. Sequential's index tells a group's last convolution. */
const renamings: readonly [RegExp, string][] = [
  [/^head\.0\./, 'conv_first.'],
  [/^body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0\./, 'body.$1.residual_group.$2.rcab.3.attention.1.'],
  [/^body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2\./, 'body.$1.residual_group.$2.rcab.3.attention.3.'],
  [/^body\.(\d+)\.body\.(\d+)\.body\.([02])\./, 'body.$1.residual_group.$2.rcab.$3.'],
  [/^body\.(\d+)\.body\.\d+\.(?=\w+$)/, 'body.$1.conv.'],
  [/^body\.\d+\.(?=\w+$)/, 'conv_after_body.'],
  [/^tail\.0\./, 'upsample.'],
  [/^tail\.1\./, 'conv_last.'],
];

function adopt(published: StateDict): Adopted {
  const rename = (name: string) => renamings.reduce((now, [from, to]) => now.replace(from, to), name);
  const kept = [...published].filter(([name]) => !/^(sub|add)_mean\./.test(name));
  const tensors: StateDict = new Map(kept.map(([name, tensor]) => [rename(name), tensor]));
  const names = [...tensors.keys()];
  const count = (pattern: RegExp) => 1 + Math.max(-1, ...names.map((name) => Number(pattern.exec(name)?.[1] ?? -1)));
  const outputs = (name: string) => tensors.get(`${name}.weight`)?.shape[0];
  const width = outputs('conv_first') ?? rcanDefaults.width;
  const ups = names.filter((name) => /^upsample\.\d\.weight$/.test(name)).length;
  return {
    config: {
      channels: 3,
      scale: outputs('upsample.0') === 9 * width ? 3 : ups > 0 ? 2 ** ups : rcanDefaults.scale,
      width,
      groups: count(/^body\.(\d+)\./) || rcanDefaults.groups,
      blocks: count(/^body\.0\.residual_group\.(\d+)\./) || rcanDefaults.blocks,
      reduction: width / (outputs('body.0.residual_group.0.rcab.3.attention.1') ?? width / rcanDefaults.reduction),
    },
    tensors,
  };
}

export const entry: NetEntry<Rcan> = {
  title: 'RCAN, residual channel attention network',
  paper: 'Zhang et al., ECCV 2018',
  year: 2018,
  task: 'super-resolution',
  defaults: { ...rcanDefaults },
  inputs: ['x'],
  published: { parameters: 15_592_355, by: 'the public code of the authors and of BasicSR' },
  weights: 'github.com/yulunzhang/RCAN, RCAN_BIX{2,3,4,8}.pt',
  verified: 'PyTorch, float64: output and every gradient at x2, x3, x4, x8',
  create: (build, config) => new Rcan(build, config as Partial<RcanConfig>),
  adopt,
};
