// ESRGAN: Wang, Yu, Wu, Gu, Liu, Dong, Loy, Qiao, Change Loy, "ESRGAN: Enhanced Super-Resolution Generative Adversarial
// Networks", ECCV workshops 2018. The generator RRDBNet is SoSR's, too.
//
// Names are those of BasicSR (github.com/XPixelGroup/BasicSR); files of the authors' repository, whose names changed twice, are
// adopted. x2 and x1 fold the picture 2 or 4 times before the x4 body, as BasicSR does.
import { FormatError, UsageError } from '../engine/errors.ts';
import { fanInUniform, heNormal, type Init } from '../engine/nn/init.ts';
import { Conv2d, type ConvOptions } from '../engine/nn/layers.ts';
import { Linear } from '../engine/nn/linear.ts';
import { type Build, chain, type HostTensor, Module, type StateDict } from '../engine/nn/module.ts';
import { BatchNorm } from '../engine/nn/norm.ts';
import { add } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import { pixel_unshuffle } from '../engine/ops/pixel_shuffle.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { leaky_relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { cropped, padded } from './multiple.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface EsrganConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: 1 | 2 | 4;
  /** nf: channels between the blocks. */
  width: number;
  /** nb: blocks. */
  blocks: number;
  /** gc: channels that each convolution of a dense block adds. */
  growth: number;
}

export const esrganDefaults: EsrganConfig = { channels: 3, scale: 4, width: 64, blocks: 23, growth: 32 };

/** Share of what a block adds. */
const BETA = 0.2;
const LEAK = { negative_slope: 0.2 };
/** Pixels that matter in practice; in theory the reach of 23 blocks is hundreds. */
const PRACTICAL_REACH = 32;

const small: Init = (shape, random) => heNormal()(shape, random).map((v) => 0.1 * v);

/** Residual dense block, figure 4: x + 0.2·conv5(x, y1 .. y4), each y from x and all before it, oldest first. */
class DenseBlock extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly conv3: Conv2d;
  readonly conv4: Conv2d;
  readonly conv5: Conv2d;

  constructor(build: Build, width: number, growth: number) {
    super();
    const conv = (k: number, out: number) =>
      new Conv2d(build, { in: width + (k - 1) * growth, out, kernel: [3, 3], init: small });
    this.conv1 = conv(1, growth);
    this.conv2 = conv(2, growth);
    this.conv3 = conv(3, growth);
    this.conv4 = conv(4, growth);
    this.conv5 = conv(5, width);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const dense = [this.conv1, this.conv2, this.conv3, this.conv4].reduce((known, conv) => {
      const y = conv.fused(known, LEAK);
      const all = concat(known, y, { axis: 1 });
      for (const part of [known, y]) scope.release(part); // x is not this scope's and stays
      return all;
    }, x);
    return scope.keep(add(x, this.conv5.forward(dense), { alpha: BETA }));
  }
}

/** Residual in residual dense block: x + 0.2·RDB(RDB(RDB(x))). */
class Rrdb extends Module {
  readonly rdb1: DenseBlock;
  readonly rdb2: DenseBlock;
  readonly rdb3: DenseBlock;

  constructor(build: Build, width: number, growth: number) {
    super();
    this.rdb1 = new DenseBlock(build, width, growth);
    this.rdb2 = new DenseBlock(build, width, growth);
    this.rdb3 = new DenseBlock(build, width, growth);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(add(x, chain(x, [this.rdb1, this.rdb2, this.rdb3]), { alpha: BETA }));
  }
}

/**
 * RRDBNet. [unshuffle] - conv_first - blocks - conv_body + first - (nearest x2 - conv_up) twice - conv_hr - conv_last.
 * forward: (N, C, H, W) in 0..1 to (N, C, scale·H, scale·W).
 */
export class Esrgan extends Net {
  readonly config: EsrganConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  override readonly exact: boolean;
  override readonly grid: number;
  readonly conv_first: Conv2d;
  readonly body: readonly Rrdb[];
  readonly conv_body: Conv2d;
  readonly conv_up1: Conv2d;
  readonly conv_up2: Conv2d;
  readonly conv_hr: Conv2d;
  readonly conv_last: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<EsrganConfig> = {}) {
    super();
    this.config = configure('esrgan', esrganDefaults, given, {
      channels: whole(),
      scale: oneOf(1, 2, 4),
      width: whole(),
      blocks: whole(),
      growth: whole(),
    });
    const { channels, scale, width, blocks, growth } = this.config;
    this.grid = 4 / scale;
    const reach = 1 + 15 * blocks + 1 + 2; // first, blocks, body, and all that follow, on larger pictures
    const most = this.grid * (reach + 1) - 1; // where the picture is folded
    this.spatialReach = Math.min(most, PRACTICAL_REACH);
    this.exact = most <= PRACTICAL_REACH;
    const conv = (from: number, to: number) =>
      new Conv2d(build, { in: from, out: to, kernel: [3, 3], init: fanInUniform });
    this.conv_first = conv(channels * this.grid ** 2, width);
    this.body = Array.from({ length: blocks }, () => new Rrdb(build, width, growth));
    this.conv_body = conv(width, width);
    this.conv_up1 = conv(width, width);
    this.conv_up2 = conv(width, width);
    this.conv_hr = conv(width, width);
    this.conv_last = conv(width, channels);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const [h, w] = x.shape.slice(-2);
    const folded = this.grid === 1 ? x : pixel_unshuffle(padded(x, this.grid), { factor: this.grid });
    const deep = this.#features(folded);
    const wide = doubled(deep, this.conv_up1);
    scope.release(deep);
    const wider = doubled(wide, this.conv_up2);
    scope.release(wide);
    const fine = this.conv_hr.fused(wider, LEAK);
    scope.release(wider);
    const { scale } = this.config;
    return scope.keep(cropped(this.conv_last.forward(fine), h * scale, w * scale));
  }

  /** (N, width, H', W') before the enlargement. */
  #features(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this.conv_first.forward(x);
    return scope.keep(this.conv_body.fused(chain(first, this.body), { residual: first }));
  }
}

/** Nearest neighbours twice as large, and a convolution. */
function doubled(x: Tensor, conv: Conv2d): Tensor {
  using scope = x.engine.scope();
  return scope.keep(conv.fused(interpolate(x, { scale_factor: 2, mode: 'nearest' }), LEAK));
}

export interface EsrganDiscriminatorConfig {
  channels: number;
  width: number;
  /** Height and width of what it judges, a multiple of 32. */
  size: number;
}

export const esrganDiscriminatorDefaults: EsrganDiscriminatorConfig = { channels: 3, width: 64, size: 128 };

/** Five stages of a 3x3 and a halving 4x4 convolution; the channels of a stage, in widths. */
const STAGES = [1, 2, 4, 8, 8];

/**
 * VGG-style discriminator of BasicSR: each convolution but the first with batch norm and no bias, LeakyReLU 0.2; two linear
 * layers at the end. forward: (N, C, size, size) in 0..1 to logits (N, 1).
 */
export class EsrganDiscriminator extends Module {
  readonly config: EsrganDiscriminatorConfig;
  readonly conv0_0: Conv2d;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly #layers: { readonly conv: Conv2d; readonly norm: BatchNorm }[] = [];

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<EsrganDiscriminatorConfig> = {}) {
    super();
    this.config = configure('esrgan-discriminator', esrganDiscriminatorDefaults, given, {
      channels: whole(),
      width: whole(),
      size: { want: 'a multiple of 32', holds: (n) => whole().holds(n) && (n as number) % 32 === 0 },
    });
    const { channels, width, size } = this.config;
    const init = fanInUniform;
    this.conv0_0 = new Conv2d(build, { in: channels, out: width, kernel: [3, 3], init });
    for (const [i, wide] of STAGES.entries()) {
      const [before, out] = [width * (STAGES[i - 1] ?? 1), width * wide];
      if (i > 0) this.#add(build, `${i}_0`, { in: before, out, kernel: [3, 3], init });
      this.#add(build, `${i}_1`, { in: out, out, kernel: [4, 4], stride: 2, padding: 1, init });
    }
    this.linear1 = new Linear(build, { in: 8 * width * (size / 32) ** 2, out: 100, init });
    this.linear2 = new Linear(build, { in: 100, out: 1, init });
  }

  #add(build: Build, name: string, options: ConvOptions): void {
    const conv = new Conv2d(build, { ...options, bias: false });
    const norm = new BatchNorm(build, options.out);
    this.#layers.push({ conv, norm });
    Object.assign(this, { [`conv${name}`]: conv, [`bn${name}`]: norm });
  }

  /** @throws {UsageError} for pictures of another size */
  forward(x: Tensor): Tensor {
    const { size } = this.config;
    if (x.shape[2] !== size || x.shape[3] !== size) {
      throw new UsageError(
        `esrgan-discriminator: expected ${size} x ${size} pixels, got ${x.shape.slice(2).join(' x ')}`,
      );
    }
    using scope = x.engine.scope();
    const deep = this.#layers.reduce((y, { conv, norm }) => normed(y, conv, norm), this.conv0_0.fused(x, LEAK));
    const flat = reshape(deep, { shape: [x.shape[0], -1] });
    return scope.keep(this.linear2.forward(leaky_relu(this.linear1.forward(flat), LEAK)));
  }
}

function normed(x: Tensor, conv: Conv2d, norm: BatchNorm): Tensor {
  using scope = x.engine.scope();
  return scope.keep(norm.fused(conv.forward(x), LEAK));
}

/**
 * Network interpolation, section 3.4: (1 - alpha)·one + alpha·other, tensor by tensor. Of a network trained for PSNR and the one
 * that went on from it with a discriminator, alpha 0.8 is the paper's compromise. Interpolated pictures are not the same.
 * @throws {FormatError} when the two do not hold the same tensors
 */
export function interpolateStates(one: StateDict, other: StateDict, alpha: number): StateDict {
  const strange = [...one.keys(), ...other.keys()].find(
    (name) => one.get(name)?.shape.join() !== other.get(name)?.shape.join(),
  );
  if (strange) throw new FormatError(`these networks cannot be mixed: ${strange} differs or is missing in one of them`);
  const mix = ([name, { shape, data }]: [string, HostTensor]): [string, HostTensor] => {
    const to = other.get(name)!.data;
    return [name, { shape, data: data.map((v, i) => (1 - alpha) * v + alpha * to[i]) }];
  };
  return new Map([...one].map(mix));
}

/** Names of the authors' repository, the second generation and the first (2018), and ours. */
const renamings: readonly [RegExp, string][] = [
  [/^(?:RRDB_trunk|model\.1\.sub)\.(\d+)\.RDB(\d)\.conv(\d)(?:\.0)?\./, 'body.$1.rdb$2.conv$3.'],
  [/^(?:trunk_conv|model\.1\.sub\.\d+)\.(?=\w+$)/, 'conv_body.'],
  [/^model\.0\./, 'conv_first.'],
  [/^(?:upconv1|model\.3)\./, 'conv_up1.'],
  [/^(?:upconv2|model\.6)\./, 'conv_up2.'],
  [/^(?:HRconv|model\.8)\./, 'conv_hr.'],
  [/^model\.10\./, 'conv_last.'],
];

function adopt(published: StateDict): Adopted {
  const rename = (name: string) => renamings.reduce((now, [from, to]) => now.replace(from, to), name);
  const tensors: StateDict = new Map([...published].map(([name, tensor]) => [rename(name), tensor]));
  const shape = (name: string) => tensors.get(`${name}.weight`)?.shape ?? [];
  const { width, growth, channels, blocks } = esrganDefaults;
  const pictures = shape('conv_last')[0] ?? channels;
  const fold = Math.sqrt((shape('conv_first')[1] ?? pictures) / pictures);
  const indices = [...tensors.keys()].map((name) => Number(/^body\.(\d+)\./.exec(name)?.[1] ?? -1));
  return {
    config: {
      channels: pictures,
      scale: 4 / fold,
      width: shape('conv_first')[0] ?? width,
      blocks: Math.max(-1, ...indices) + 1 || blocks,
      growth: shape('body.0.rdb1.conv1')[0] ?? growth,
    },
    tensors,
  };
}

/** Published files have our names; the settings are in their shapes. */
function adoptDiscriminator(tensors: StateDict): Adopted {
  const { width, channels, size } = esrganDiscriminatorDefaults;
  const [ours = width, pictures = channels] = tensors.get('conv0_0.weight')?.shape ?? [];
  const flat = tensors.get('linear1.weight')?.shape[1];
  return {
    config: { channels: pictures, width: ours, size: flat ? 32 * Math.sqrt(flat / (8 * ours)) : size },
    tensors,
  };
}

const about = {
  paper: 'Wang et al., ECCV workshops 2018',
  year: 2018,
  weights: 'github.com/xinntao/ESRGAN, github.com/XPixelGroup/BasicSR',
};

export const entry: NetEntry<Esrgan> = {
  ...about,
  title: 'ESRGAN generator, residual in residual dense blocks (RRDB)',
  task: 'super-resolution',
  defaults: { ...esrganDefaults },
  inputs: ['x'],
  published: { parameters: 16_697_987, by: 'the public code of BasicSR' },
  verified: 'PyTorch, float64: output and every gradient at x4, x2, x1',
  create: (build, config) => new Esrgan(build, config as Partial<EsrganConfig>),
  adopt,
};

export const discriminatorEntry: NetEntry<EsrganDiscriminator> = {
  ...about,
  title: 'ESRGAN discriminator, VGG style',
  task: 'discriminator',
  defaults: { ...esrganDiscriminatorDefaults },
  inputs: ['x'],
  usual: [[1, 3, 128, 128]],
  published: { parameters: 14_499_401, by: 'the public code of BasicSR' },
  verified: 'PyTorch, float64: output, every gradient, running statistics; in evaluation',
  create: (build, config) => new EsrganDiscriminator(build, config as Partial<EsrganDiscriminatorConfig>),
  adopt: adoptDiscriminator,
};
