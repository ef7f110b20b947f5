// VESPCN: Caballero, Ledig, Aitken, Acosta, Totz, Wang, Shi, "Real-Time Video Super-Resolution with Spatio-Temporal Networks
// and Motion Compensation", CVPR 2017, on luminance: nine layers with early fusion of three frames, 9L-E3.
//
// `version: 'pfnl'` is what the public code of PFNL trains under this name: eleven layers with PReLU, the first of 5x5, an
// enlargement in two steps, the middle frame's bicubic enlargement added, and frames, the middle one too, that are moved (splat)
// instead of gathered. Its shuffles have TensorFlow's order of channels, ours PyTorch's; trained weights of it are not public.
import { Conv2d, PReLU } from '../engine/nn/layers.ts';
import { type Build, pass } from '../engine/nn/module.ts';
import { pixel_shuffle } from '../engine/ops/pixel_shuffle.ts';
import { prelu } from '../engine/ops/prelu.ts';
import { resize_tf1 } from '../engine/ops/resize_tf1.ts';
import { splat } from '../engine/ops/splat.ts';
import { warp } from '../engine/ops/warp.ts';
import type { Tensor } from '../engine/tensor.ts';
import { EasyFlow } from './easyflow.ts';
import { clipOf, frameOf, joined } from './frames.ts';
import { configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface VespcnConfig {
  /** Luminance alone. */
  channels: 1;
  scale: number;
  /** See above; `pfnl` is for x4. */
  version: 'paper' | 'pfnl';
  /** Convolutions on small pictures, the first and the last among them. */
  layers: number;
  /** Feature channels of the enlarging net. */
  width: number;
  /** Feature channels of the motion net. */
  flowWidth: number;
}

export const vespcnDefaults: VespcnConfig = {
  channels: 1,
  scale: 4,
  version: 'paper',
  layers: 9,
  width: 24,
  flowWidth: 24,
};

/** PFNL's version (52,316 parameters, 256 slopes and the motion net). */
export const pfnlVersion: Partial<VespcnConfig> = { version: 'pfnl', layers: 11 };

/** Of the motion net, and of a neighbour that it moves by up to two pixels. */
const ALIGNED_REACH = { paper: 30, pfnl: 33 };

/**
 * Frames brought into line with the middle frame - convolutions on all three - pixel shuffle.
 * forward: (N, 1, 3, H, W) in 0..1 to (N, 1, 1, scale·H, scale·W).
 */
export class Vespcn extends Net {
  readonly form = 'centre';
  override readonly window = 3;
  override readonly grid = 4;
  readonly spatialReach: number;
  readonly config: VespcnConfig;
  readonly flow: EasyFlow;
  readonly convs: Conv2d[];
  /** Of PFNL's version: a slope for each channel that the convolutions give. */
  readonly prelus: PReLU[];
  /** Of PFNL's version, between its two steps of enlargement. */
  readonly out: Conv2d | undefined;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<VespcnConfig> = {}) {
    super();
    this.config = checked(config);
    const { layers, width, flowWidth, scale, version } = this.config;
    const pfnl = version === 'pfnl';
    this.spatialReach = ALIGNED_REACH[version] + layers + (pfnl ? 2 : 0);
    this.flow = new EasyFlow(build, { width: flowWidth });
    this.convs = Array.from({ length: layers }, (_, i) => {
      const [input, out] = [i === 0 ? this.window : width, i === layers - 1 ? scale ** 2 : width];
      return new Conv2d(build, { in: input, out, kernel: pfnl && i === 0 ? [5, 5] : [3, 3] });
    });
    this.prelus = pfnl ? this.convs.map(({ weight }) => new PReLU(build, weight.shape[0])) : [];
    this.out = pfnl ? new Conv2d(build, { in: scale, out: scale, kernel: [3, 3] }) : undefined;
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const clip = [0, 1, 2].map((t) => frameOf(x, t));
    const current = clip[1];
    const frames = joined(clip.map((frame) => this.#aligned(frame, current)));
    const y = this.out ? this.#inTwoSteps(frames, current, this.out) : this.#inOneStep(frames);
    return scope.keep(clipOf([y]));
  }

  /** A frame as it looks where the middle one has its pixels, section 2.2. */
  #aligned(frame: Tensor, current: Tensor): Tensor {
    using scope = current.engine.scope();
    if (this.config.version === 'pfnl') return scope.keep(splat(frame, pass(this.flow, frame, current)));
    if (frame === current) return frame;
    return scope.keep(warp(frame, pass(this.flow, current, frame), { padding_mode: 'border' }));
  }

  #inOneStep(frames: Tensor): Tensor {
    using scope = frames.engine.scope();
    const last = this.convs.at(-1)!;
    const features = this.convs.slice(0, -1).reduce((y, conv) => {
      const next = conv.fused(y, { negative_slope: 0 });
      scope.release(y);
      return next;
    }, frames);
    return scope.keep(last.fused(features, { shuffle: this.config.scale }));
  }

  /** The slope of a layer stands in the load of the next. */
  #inTwoSteps(frames: Tensor, current: Tensor, out: Conv2d): Tensor {
    using scope = frames.engine.scope();
    const small = this.convs.reduce((y, conv, i) => {
      const next = conv.fused(y, { slope: this.prelus[i - 1]?.weight });
      scope.release(y);
      return next;
    }, frames);
    const half = pixel_shuffle(prelu(small, this.prelus.at(-1)!.weight), { factor: 2 });
    const residual = resize_tf1(current, { factor: 4, mode: 'bicubic' });
    return scope.keep(out.fused(half, { shuffle: 2, residual }));
  }
}

const checked = (given: Partial<VespcnConfig>): VespcnConfig =>
  configure('vespcn', vespcnDefaults, given, {
    channels: oneOf(1),
    scale: given.version === 'pfnl' ? oneOf(4) : whole(),
    version: oneOf('paper', 'pfnl'),
    layers: whole(2),
    width: whole(),
    flowWidth: whole(),
  });

export const entry: NetEntry<Vespcn> = {
  title: 'VESPCN, sub-pixel convolution of three aligned frames',
  paper: 'Caballero et al., CVPR 2017',
  year: 2017,
  task: 'super-resolution',
  defaults: { ...vespcnDefaults },
  inputs: ['x'],
  published: { parameters: 93_992, by: '40,600 counted from the paper, and its motion net of 53,392' },
  weights: 'none are public',
  verified: 'PyTorch, float64: output and every gradient, of both versions',
  create: (build, config) => new Vespcn(build, config as Partial<VespcnConfig>),
};
