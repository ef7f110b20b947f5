// FSTRN: Li, He, Du, Zhang, Xu, Tao, "Fast Spatio-Temporal Residual Network for Video Super-Resolution", CVPR 2019.
//
// Where we differ by default from the public TensorFlow code, and why:
// - no activation after the first and the last convolution (the paper has none; the code puts LeakyReLU 0.2 there);
// - dropout drops 30 % (the code's keep = 0.3 drops 70 %);
// - the enlargement is a transposed convolution with kernel = stride = (1, 4, 4), written as 1x1x1 convolution and pixel
//   shuffle. The code's kernel 3 at stride 4 leaves every fourth row and column empty (`upsampler: 'holes'` mimics it);
// - the input reaches the output by half-pixel interpolation (the code's is shifted by 1.5 pixels).
import { icnr, truncatedNormal, xavierUniform } from '../engine/nn/init.ts';
import { Conv3d, ConvTranspose3d, Dropout, PReLU } from '../engine/nn/layers.ts';
import { type Build, chain, Module } from '../engine/nn/module.ts';
import { add } from '../engine/ops/binary.ts';
import { imresize } from '../engine/ops/imresize.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import { separable_conv3d } from '../engine/ops/separable_conv3d.ts';
import { leaky_relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { between, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface FstrnConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  /** Feature channels, a multiple of 4. */
  width: number;
  /** D, the number of residual blocks. */
  blocks: number;
  /** k, odd: taps of the blocks along each axis. */
  kernel: number;
  scale: number;
  /** `separable`: the paper's FRB; `full`: EDSR's block inflated to 3D, for the ablation. */
  block: 'separable' | 'full';
  /** One PReLU slope per channel (TensorFlow code) or one for all (PyTorch port). */
  slopes: 'channel' | 'shared';
  /** See above; `holes` and `wide` are the TensorFlow code's (variant A) and the PyTorch port's (variant B). */
  upsampler: 'shuffle' | 'holes' | 'wide';
  /** LRL: the first features are added to the last block's. */
  localResidual: boolean;
  /** CRL: the enlarged input is added to the output. */
  crossResidual: 'bilinear' | 'bicubic' | 'none';
  dropout: number;
  /** Slope of a LeakyReLU after the first and the last convolution; 1 means none. */
  leaky: number;
}

export const fstrnDefaults: FstrnConfig = {
  channels: 1,
  width: 64,
  blocks: 5,
  kernel: 3,
  scale: 4,
  block: 'separable',
  slopes: 'channel',
  upsampler: 'shuffle',
  localResidual: true,
  crossResidual: 'bilinear',
  dropout: 0.3,
  leaky: 1,
};

/** What `lsmale/FSTRN` does (802,241 parameters). */
export const variantA: Partial<FstrnConfig> = { upsampler: 'holes', leaky: 0.2 };
/** What the PyTorch port does (433,097 parameters in RGB). */
export const variantB: Partial<FstrnConfig> = { channels: 3, slopes: 'shared', upsampler: 'wide' };

const activate = (x: Tensor, leaky: number): Tensor => (leaky === 1 ? x : leaky_relu(x, { negative_slope: leaky }));

/** FRB, §3.2: x + C3D_{k,1,1}(C3D_{1,k,k}(PReLU(x))): one activation, none between the two factors. */
class SeparableBlock extends Module {
  readonly prelu: PReLU;
  readonly spatial: Conv3d;
  readonly temporal: Conv3d;

  constructor(build: Build, width: number, k: number, slopes: number) {
    super();
    this.prelu = new PReLU(build, slopes);
    this.spatial = new Conv3d(build, { in: width, out: width, kernel: [1, k, k] });
    this.temporal = new Conv3d(build, { in: width, out: width, kernel: [k, 1, 1] });
  }

  forward(x: Tensor): Tensor {
    const { spatial, temporal, prelu } = this;
    return separable_conv3d(x, spatial.weight, spatial.bias, temporal.weight, temporal.bias, prelu.weight, x);
  }
}

/** EDSR's residual block with its two filters inflated to k x k x k (the paper's figure 1b): x + C3D(ReLU(C3D(x))). */
class FullBlock extends Module {
  readonly conv1: Conv3d;
  readonly conv2: Conv3d;

  constructor(build: Build, width: number, k: number) {
    super();
    this.conv1 = new Conv3d(build, { in: width, out: width, kernel: [k, k, k] });
    this.conv2 = new Conv3d(build, { in: width, out: width, kernel: [k, k, k] });
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.conv2.fused(this.conv1.fused(x, { negative_slope: 0 }), { residual: x }));
  }
}

/**
 * LFENet - D residual blocks - LRL - LSRNet, and CRL around them (the paper's figure 2).
 * forward: (N, C, T, H, W) in 0..1 to (N, C, T, scale·H, scale·W), any T, H, W.
 */
export class Fstrn extends Net {
  readonly form = 'clip';
  override readonly window = 5;
  readonly spatialReach: number;
  readonly lfe: Conv3d;
  readonly blocks: Module[];
  readonly prelu: PReLU;
  readonly fusion: Conv3d;
  readonly up: Conv3d | ConvTranspose3d;
  readonly out: Conv3d;
  readonly dropout: Dropout;
  readonly config: FstrnConfig;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<FstrnConfig> = {}) {
    super();
    this.config = checked(config);
    const { channels, width, blocks, kernel, scale, block, upsampler, dropout } = this.config;
    const slopes = this.config.slopes === 'channel' ? width : 1;
    const perBlock = Math.floor(kernel / 2) * (block === 'full' ? 2 : 1);
    this.spatialReach = 1 + blocks * perBlock + 1 + 1 + 1; // first, blocks, fusion, enlargement, last
    const cube = [3, 3, 3];
    const narrow = width / 4;

    this.lfe = new Conv3d(build, { in: channels, out: width, kernel: cube });
    this.blocks = Array.from({ length: blocks }, () =>
      block === 'full' ? new FullBlock(build, width, kernel) : new SeparableBlock(build, width, kernel, slopes),
    );
    this.prelu = new PReLU(build, slopes);
    this.dropout = new Dropout(build, dropout);
    this.fusion = new Conv3d(build, { in: width, out: upsampler === 'holes' ? 4 * width : width, kernel: cube });
    if (upsampler === 'holes') {
      // TensorFlow's SAME: rows 4i, 4i + 1, 4i + 2 come from row i, rows 4i + 3 from none
      this.up = new ConvTranspose3d(build, {
        ...{ in: 4 * width, out: narrow, kernel: cube, init: truncatedNormal(0.02) },
        ...{ stride: [1, scale, scale], padding: [1, 0, 0], outputPadding: [0, scale - 3, scale - 3] },
      });
    } else if (upsampler === 'wide') {
      this.up = new ConvTranspose3d(build, {
        in: width,
        out: width,
        kernel: [1, scale, scale],
        stride: [1, scale, scale],
      });
    } else {
      this.up = new Conv3d(build, {
        in: width,
        out: narrow * scale ** 2,
        kernel: [1, 1, 1],
        init: icnr(scale, xavierUniform),
      });
    }
    this.out = new Conv3d(build, { in: upsampler === 'wide' ? width : narrow, out: channels, kernel: cube });
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const features = this.#extract(x);
    const enlarged = this.#enlarge(x);
    return scope.keep(this.#reconstruct(features, enlarged));
  }

  /** LFENet, the blocks, LRL: (N, width, T, H, W). */
  #extract(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = activate(this.lfe.forward(x), this.config.leaky);
    const last = chain(first, this.blocks);
    const features = this.config.localResidual ? add(last, first) : last; // LRL, eq. 5
    return scope.keep(chain(features, [this.prelu, this.dropout]));
  }

  /** LSRNet, and CRL (eq. 6): (N, C, T, scale·H, scale·W). */
  #reconstruct(features: Tensor, enlarged: Tensor | undefined): Tensor {
    const { leaky, scale } = this.config;
    using scope = features.engine.scope();
    const deep = this.fusion.forward(features);
    const wide = this.up instanceof Conv3d ? this.up.fused(deep, { shuffle: scale }) : this.up.forward(deep);
    scope.release(deep);
    if (leaky === 1) return scope.keep(this.out.fused(wide, { residual: enlarged }));
    const residual = activate(this.out.forward(wide), leaky);
    return scope.keep(enlarged ? add(residual, enlarged) : residual);
  }

  /** SRmap: the cheap mapping that carries the input to the output's size. */
  #enlarge(x: Tensor): Tensor | undefined {
    const { crossResidual, scale } = this.config;
    if (crossResidual === 'none') return undefined;
    if (crossResidual === 'bicubic') return imresize(x, { scale });
    return interpolate(x, { scale_factor: [1, scale, scale], mode: 'trilinear' });
  }
}

const checked = (given: Partial<FstrnConfig>): FstrnConfig =>
  configure('fstrn', fstrnDefaults, given, {
    channels: whole(),
    width: { want: 'a multiple of 4', holds: (n) => Number.isSafeInteger(n) && Number(n) > 0 && Number(n) % 4 === 0 },
    blocks: whole(0),
    kernel: { want: 'an odd number', holds: (n) => Number.isSafeInteger(n) && Number(n) % 2 === 1 && Number(n) > 0 },
    scale: whole(given.upsampler === 'holes' ? 3 : 1),
    block: oneOf('separable', 'full'),
    slopes: oneOf('channel', 'shared'),
    upsampler: oneOf('shuffle', 'holes', 'wide'),
    localResidual: oneOf(true, false),
    crossResidual: oneOf('bilinear', 'bicubic', 'none'),
    dropout: { want: 'a share in [0, 1)', holds: (p) => typeof p === 'number' && p >= 0 && p < 1 },
    leaky: between(0, 1),
  });

export const entry: NetEntry<Fstrn> = {
  title: 'FSTRN, fast spatio-temporal residual network',
  paper: 'Li et al., CVPR 2019',
  year: 2019,
  task: 'super-resolution',
  defaults: { ...fstrnDefaults },
  inputs: ['x'],
  weights: 'subpixel train fstrn',
  verified: 'PyTorch, float64: output, loss, every gradient; three variants',
  create: (build, config) => new Fstrn(build, config as Partial<FstrnConfig>),
};
