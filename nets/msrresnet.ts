// MSRResNet: SRResNet (Ledig et al., CVPR 2017) as BasicSR has it (github.com/XPixelGroup/BasicSR), from Wang et al., "ESRGAN",
// ECCV workshops 2018: no batch norm, 3x3 filters at both ends, and the bilinearly enlarged picture added to the result.
import { heNormal, type Init } from '../engine/nn/init.ts';
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface MsrresnetConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: 2 | 3 | 4;
  width: number;
  blocks: number;
}

export const msrresnetDefaults: MsrresnetConfig = { channels: 3, scale: 4, width: 64, blocks: 16 };

const LEAK = 0.1;
const init: Init = (shape, random) => heNormal()(shape, random).map((v) => 0.1 * v);

/** x + conv(ReLU(conv(x))). */
class Block extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;

  constructor(build: Build, width: number) {
    super();
    this.conv1 = new Conv2d(build, { in: width, out: width, kernel: [3, 3], init });
    this.conv2 = new Conv2d(build, { in: width, out: width, kernel: [3, 3], init });
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.conv2.fused(this.conv1.fused(x, { negative_slope: 0 }), { residual: x }));
  }
}

/**
 * conv_first - blocks - upconv1 (and 2, for x4) with pixel shuffles - conv_hr - conv_last, LeakyReLU 0.1 outside the blocks.
 * forward: (N, C, H, W) in 0..1 to (N, C, scale·H, scale·W).
 */
export class Msrresnet extends Net {
  readonly config: MsrresnetConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  readonly conv_first: Conv2d;
  readonly body: readonly Block[];
  readonly upconv1: Conv2d;
  readonly upconv2: Conv2d | undefined;
  readonly conv_hr: Conv2d;
  readonly conv_last: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<MsrresnetConfig> = {}) {
    super();
    this.config = configure('msrresnet', msrresnetDefaults, given, {
      channels: whole(),
      scale: oneOf(2, 3, 4),
      width: whole(),
      blocks: whole(0),
    });
    const { channels, scale, width, blocks } = this.config;
    const conv = (from: number, to: number) => new Conv2d(build, { in: from, out: to, kernel: [3, 3], init });
    const [factor, steps] = scale === 4 ? [2, 2] : [scale, 1];
    this.conv_first = conv(channels, width);
    this.body = Array.from({ length: blocks }, () => new Block(build, width));
    this.upconv1 = conv(width, factor ** 2 * width);
    this.upconv2 = steps > 1 ? conv(width, factor ** 2 * width) : undefined;
    this.conv_hr = conv(width, width);
    this.conv_last = conv(width, channels);
    this.spatialReach = 1 + 2 * blocks + 2; // first, blocks, all that follow
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const { scale } = this.config;
    const activated = { negative_slope: LEAK, shuffle: scale === 4 ? 2 : scale };
    const features = this.#extract(x);
    const wide = this.upconv1.fused(features, activated);
    scope.release(features);
    const wider = this.upconv2?.fused(wide, activated) ?? wide;
    if (wider !== wide) scope.release(wide);
    const fine = this.conv_hr.fused(wider, { negative_slope: LEAK });
    scope.release(wider);
    const residual = interpolate(x, { scale_factor: scale, mode: 'bilinear' });
    return scope.keep(this.conv_last.fused(fine, { residual }));
  }

  /** (N, width, H, W) before the enlargement. */
  #extract(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(chain(this.conv_first.fused(x, { negative_slope: LEAK }), this.body));
  }
}

/** Published files have our names; the settings are in their names and shapes. */
function adopt(tensors: StateDict): Adopted {
  const { width, channels } = msrresnetDefaults;
  const [ours = width, pictures = channels] = tensors.get('conv_first.weight')?.shape ?? [];
  const enlarged = (tensors.get('upconv1.weight')?.shape[0] ?? 4 * ours) / ours;
  return {
    config: {
      channels: pictures,
      scale: tensors.has('upconv2.weight') ? 4 : Math.sqrt(enlarged),
      width: ours,
      blocks: [...tensors.keys()].filter((name) => /^body\.\d+\.conv1\.weight$/.test(name)).length,
    },
    tensors,
  };
}

export const entry: NetEntry<Msrresnet> = {
  title: 'MSRResNet, SRResNet without batch norm',
  paper: 'Wang et al., ECCV workshops 2018',
  year: 2018,
  task: 'super-resolution',
  defaults: { ...msrresnetDefaults },
  inputs: ['x'],
  published: { parameters: 1_517_571, by: 'the public code of BasicSR' },
  weights: 'github.com/XPixelGroup/BasicSR, MSRResNet and MSRGAN',
  verified: 'PyTorch, float64: output and every gradient at x2, x3, x4',
  create: (build, config) => new Msrresnet(build, config as Partial<MsrresnetConfig>),
  adopt,
};
