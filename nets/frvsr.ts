// FRVSR: Sajjadi, Vemulapalli, Brown, "Frame-Recurrent Video Super-Resolution", CVPR 2018. The result of the frame before is
// moved along the estimated motion, laid beside the new frame, and enlarged with it. Default: the paper's SRNet 10-128.
//
// There is no code of the authors. `version` names what the public ones do where the paper is silent:
// - 'paper': as TecoGAN's TensorFlow code builds it (github.com/thunil/TecoGAN, run case 4), but with the paper's SRNet that
//   adds no bicubic enlargement;
// - 'bd', 'bi': the PyTorch port for Gaussian and for bicubic input (github.com/skycrapers/TecoGAN-PyTorch, width 64), whose
//   weights are public. Pictures whose size eight does not divide are padded here, while the port drops rows and columns.
// Names are the port's. Flow is x right, y down, from the new frame to the one before: before(p + flow(p)) is like current(p);
// TecoGAN's own is (y, x) and its negative. Space to depth has TensorFlow's order of channels in all of them.

import { ShapeError } from '../engine/errors.ts';
import { Conv2d, ConvTranspose2d } from '../engine/nn/layers.ts';
import { type Build, chain, Module, pass, type StateDict } from '../engine/nn/module.ts';
import { add } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import { pad } from '../engine/ops/pad.ts';
import { pixel_unshuffle } from '../engine/ops/pixel_shuffle.ts';
import { max_pool2d } from '../engine/ops/pool.ts';
import { resize_tf1 } from '../engine/ops/resize_tf1.ts';
import { relu, tanh } from '../engine/ops/unary.ts';
import { warp } from '../engine/ops/warp.ts';
import type { Tensor } from '../engine/tensor.ts';
import { clipOf, frameOf } from './frames.ts';
import { cropped, padded } from './multiple.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

type Version = 'paper' | 'bd' | 'bi';

export interface FrvsrConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  /** A power of two: each doubling is a transposed convolution. */
  scale: 2 | 4 | 8;
  /** Feature channels of SRNet. */
  width: number;
  /** Residual blocks of SRNet. */
  blocks: number;
  /** Feature channels of FNet's first and last layers; within it up to eight times as many. */
  flowWidth: number;
  /** Largest motion between two frames in pixels, by which tanh is multiplied. */
  velocity: number;
  /** See above. */
  version: Version;
}

export const frvsrDefaults: FrvsrConfig = {
  channels: 3,
  scale: 4,
  width: 128,
  blocks: 10,
  flowWidth: 32,
  velocity: 24,
  version: 'paper',
};

type Enlarge = (x: Tensor, factor: number) => Tensor;
const tf1Bilinear: Enlarge = (x, factor) => resize_tf1(x, { factor });
const tf1Bicubic: Enlarge = (x, factor) => resize_tf1(x, { factor, mode: 'bicubic' });
const centred: Enlarge = (x, factor) => interpolate(x, { scale_factor: factor, mode: 'bilinear' });

const times = (x: Tensor, factor: number): Tensor => add(x, x, { alpha: factor - 1 });

interface Conventions {
  /** Which of the two frames FNet takes first. */
  readonly first: 'before' | 'current';
  /** Between the layers of FNet. */
  readonly decode: Enlarge;
  /** Of the flow, and of the frame where it is added to the result. */
  readonly enlarge: Enlarge;
  readonly addsFrame: boolean;
  /** Of the 2n + 1 rows and columns that a transposed convolution gives: TensorFlow's SAME drops the last, the port the first. */
  readonly drops: 'first' | 'last';
}

const port = { first: 'current', decode: centred, addsFrame: true, drops: 'first' } as const;
const conventions: Record<Version, Conventions> = {
  paper: { first: 'before', decode: tf1Bilinear, enlarge: tf1Bilinear, addsFrame: false, drops: 'last' },
  bd: { ...port, enlarge: tf1Bicubic },
  bi: { ...port, enlarge: centred },
};

const LEAK = 0.2;
const GRID = 8;

/** Convolutions of 3x3 at the places that they have among the activations of a Sequential: 0 and 2. */
function pair(build: Build, from: number, between: number, to: number): Conv2d[] {
  const layers: Conv2d[] = [];
  layers[0] = new Conv2d(build, { in: from, out: between, kernel: [3, 3] });
  layers[2] = new Conv2d(build, { in: between, out: to, kernel: [3, 3] });
  return layers;
}

/** Two convolutions with LeakyReLU. */
function twice([first, , second]: Conv2d[], x: Tensor): Tensor {
  using scope = x.engine.scope();
  return scope.keep(second.fused(first.fused(x, { negative_slope: LEAK }), { negative_slope: LEAK }));
}

/** Flow from two frames, section 3.2 and figure 3: three halvings by max-pools, three doublings. */
export class FNet extends Module {
  readonly encoder1: Conv2d[];
  readonly encoder2: Conv2d[];
  readonly encoder3: Conv2d[];
  readonly decoder1: Conv2d[];
  readonly decoder2: Conv2d[];
  readonly decoder3: Conv2d[];
  readonly flow: Conv2d[];
  readonly #decode: Enlarge;
  readonly #velocity: number;

  constructor(build: Build, { channels, flowWidth: n, velocity, version }: FrvsrConfig) {
    super();
    this.encoder1 = pair(build, 2 * channels, n, n);
    this.encoder2 = pair(build, n, 2 * n, 2 * n);
    this.encoder3 = pair(build, 2 * n, 4 * n, 4 * n);
    this.decoder1 = pair(build, 4 * n, 8 * n, 8 * n);
    this.decoder2 = pair(build, 8 * n, 4 * n, 4 * n);
    this.decoder3 = pair(build, 4 * n, 2 * n, 2 * n);
    this.flow = pair(build, 2 * n, n, 2);
    this.#decode = conventions[version].decode;
    this.#velocity = velocity;
  }

  /** Two pictures one after the other, (N, 2·C, H, W) of any size, to (N, 2, H, W) in pixels. */
  forward(frames: Tensor): Tensor {
    using scope = frames.engine.scope();
    const [h, w] = frames.shape.slice(2);
    const deep = [this.encoder1, this.encoder2, this.encoder3].reduce(
      (x, layers) => max_pool2d(twice(layers, x), { kernel_size: 2 }),
      padded(frames, GRID),
    );
    const wide = [this.decoder1, this.decoder2, this.decoder3].reduce(
      (x, layers) => this.#decode(twice(layers, x), 2),
      deep,
    );
    const [first, , second] = this.flow;
    const flow = second.forward(first.fused(wide, { negative_slope: LEAK }));
    return scope.keep(cropped(times(tanh(flow), this.#velocity), h, w));
  }
}

/** x + conv(ReLU(conv(x))) */
class ResidualBlock extends Module {
  readonly conv: Conv2d[];

  constructor(build: Build, width: number) {
    super();
    this.conv = pair(build, width, width, width);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const [first, , second] = this.conv;
    return scope.keep(second.fused(first.fused(x, { negative_slope: 0 }), { residual: x }));
  }
}

/** The enlarging net, section 3.2 and figure 4. */
export class SRNet extends Module {
  readonly conv_in: Conv2d[];
  readonly resblocks: ResidualBlock[];
  readonly conv_up: ConvTranspose2d[] = [];
  readonly conv_out: Conv2d;

  constructor(build: Build, { channels, scale, width, blocks, version }: FrvsrConfig) {
    super();
    this.conv_in = [new Conv2d(build, { in: channels * (1 + scale ** 2), out: width, kernel: [3, 3] })];
    this.resblocks = Array.from({ length: blocks }, () => new ResidualBlock(build, width));
    const { drops } = conventions[version];
    const drop = drops === 'first' ? { padding: 1, outputPadding: [1, 1] } : { outputPadding: [-1, -1] };
    for (let i = 0; 2 ** i < scale; i++) {
      this.conv_up[2 * i] = new ConvTranspose2d(build, {
        ...{ in: width, out: width, kernel: [3, 3], stride: 2 },
        ...drop,
      });
    }
    this.conv_out = new Conv2d(build, { in: width, out: channels, kernel: [3, 3] });
  }

  /**
   * @param x the frame and the moved estimate in depth, (N, C·(1 + scale²), H, W)
   * @param residual added to the result, if given @returns (N, C, scale·H, scale·W)
   */
  forward(x: Tensor, residual?: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this.conv_in[0].fused(x, { negative_slope: 0 });
    let y = chain(first, this.resblocks);
    scope.release(first);
    for (const up of this.conv_up) {
      if (!up) continue; // an activation's place
      const larger = this.#double(up, y);
      scope.release(y);
      y = larger;
    }
    return scope.keep(this.conv_out.fused(y, { residual }));
  }

  #double(up: ConvTranspose2d, x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(relu(up.forward(x)));
  }
}

/**
 * forward: (N, C, T, H, W) in 0..1 to (N, C, T, scale·H, scale·W), the first frame beside black; with the result of the first
 * frame, (N, C, 1, scale·H, scale·W), to the T - 1 frames that follow it.
 */
export class Frvsr extends Net {
  readonly form = 'recurrent';
  /** Of SRNet, and motion of eight pixels; what was seen long ago may come from farther. */
  readonly spatialReach: number;
  override readonly exact = false;
  override readonly grid = GRID;
  readonly config: FrvsrConfig;
  readonly fnet: FNet;
  readonly srnet: SRNet;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<FrvsrConfig> = {}) {
    super();
    this.config = configure('frvsr', frvsrDefaults, config, {
      channels: whole(),
      scale: oneOf(2, 4, 8),
      width: whole(),
      blocks: whole(0),
      flowWidth: whole(),
      velocity: { want: 'a number above 0', holds: (v) => typeof v === 'number' && v > 0 && Number.isFinite(v) },
      version: oneOf('paper', 'bd', 'bi'),
    });
    this.spatialReach = 2 * this.config.blocks + 4 + 8;
    this.fnet = new FNet(build, this.config);
    this.srnet = new SRNet(build, this.config);
  }

  /** @throws {ShapeError} when a result is given, and no frame after the one that it belongs to */
  forward(x: Tensor, previous?: Tensor): Tensor {
    const frames = x.shape[2];
    if (previous && frames === 1)
      throw new ShapeError('frvsr: with a result, expected the frame after it too, got one');
    using scope = x.engine.scope();
    const results = [previous ? frameOf(previous, 0) : this.#first(frameOf(x, 0))];
    for (let t = 1; t < frames; t++) results.push(this.#next(frameOf(x, t - 1), frameOf(x, t), results[t - 1]));
    return scope.keep(clipOf(previous ? results.slice(1) : results));
  }

  /** The frame beside black. */
  #first(frame: Tensor): Tensor {
    const { channels, scale } = this.config;
    using scope = frame.engine.scope();
    const x = pad(frame, { pad: [0, 0, 0, 0, 0, channels * scale ** 2] });
    return scope.keep(this.#enlarged(x, frame));
  }

  /** The frame beside the estimate before it, moved to where things are now. */
  #next(before: Tensor, current: Tensor, estimate: Tensor): Tensor {
    using scope = current.engine.scope();
    const deep = pixel_unshuffle(this.#moved(before, current, estimate), { factor: this.config.scale, order: 'dcr' });
    return scope.keep(this.#enlarged(concat(current, deep, { axis: 1 }), current));
  }

  #moved(before: Tensor, current: Tensor, estimate: Tensor): Tensor {
    using scope = current.engine.scope();
    const { first, enlarge } = conventions[this.config.version];
    const pictures = first === 'before' ? concat(before, current, { axis: 1 }) : concat(current, before, { axis: 1 });
    const { scale } = this.config;
    const flow = enlarge(times(pass(this.fnet, pictures), scale), scale);
    return scope.keep(warp(estimate, flow, { padding_mode: 'border' }));
  }

  #enlarged(x: Tensor, frame: Tensor): Tensor {
    using scope = x.engine.scope();
    const { addsFrame, enlarge } = conventions[this.config.version];
    const residual = addsFrame ? [enlarge(frame, this.config.scale)] : [];
    return scope.keep(pass(this.srnet, x, ...residual));
  }
}

/**
 * The port's files, of FRVSR or of TecoGAN's generator. Its bicubic kernel stands in them twice where it trained on Gaussian
 * input, nothing where it trained on bicubic input; the other settings are in the shapes.
 */
function adopt(tensors: StateDict): Adopted {
  const kernels = [...tensors.keys()].filter((name) => name.endsWith('upsample_func.kernels'));
  const own: StateDict = new Map([...tensors].filter(([name]) => !kernels.includes(name)));
  const shape = (name: string) => own.get(`${name}.weight`)?.shape ?? [];
  const [width = frvsrDefaults.width, inputs = 0] = shape('srnet.conv_in.0');
  const [channels = frvsrDefaults.channels] = shape('srnet.conv_out');
  const [flowWidth = frvsrDefaults.flowWidth] = shape('fnet.encoder1.0');
  const blocks = [...own.keys()].filter((name) => /^srnet\.resblocks\.\d+\.conv\.0\.weight$/.test(name)).length;
  const scale = inputs > channels ? Math.sqrt(inputs / channels - 1) : frvsrDefaults.scale;
  const version = kernels.length > 0 ? 'bd' : 'bi';
  return { config: { channels, scale, width, blocks, flowWidth, version }, tensors: own };
}

export const entry: NetEntry<Frvsr> = {
  title: 'FRVSR, frame-recurrent video super-resolution',
  paper: 'Sajjadi et al., CVPR 2018',
  year: 2018,
  task: 'super-resolution',
  defaults: { ...frvsrDefaults },
  inputs: ['x', 'previous?'],
  published: { parameters: 5_054_693, by: 'counted from the paper and the public code of TecoGAN' },
  weights: 'github.com/skycrapers/TecoGAN-PyTorch (FRVSR and TecoGAN; versions bd and bi, width 64)',
  verified: 'PyTorch, float64: output and every gradient through three frames, of all versions',
  create: (build, config) => new Frvsr(build, config as Partial<FrvsrConfig>),
  adopt,
};
