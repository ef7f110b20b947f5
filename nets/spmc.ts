// SPMC: Tao, Gao, Liao, Wang, Jia, "Detail-revealing Deep Video Super-resolution", ICCV 2017 (DRDVSR), on luminance: every frame
// is moved onto the large grid of the middle frame by its own flow, pixel by pixel (sub-pixel motion compensation), and a
// recurrent encoder-decoder makes a picture of what it has seen so far.
//
// As the code of the authors' models and PFNL's have it, not as the paper's figure: the encoder sees the moved frame alone, and
// the first pixel of a frame stands on the first of the large one, in the bicubic enlargement (TensorFlow's) as in the motion.
// Pictures that are made by MATLAB's imresize stand half a pixel further.
import { ShapeError } from '../engine/errors.ts';
import { ConvLstm, type LstmState } from '../engine/nn/conv-lstm.ts';
import { Conv2d, ConvTranspose2d } from '../engine/nn/layers.ts';
import { Block, type Build, pass } from '../engine/nn/module.ts';
import { add } from '../engine/ops/binary.ts';
import { pad } from '../engine/ops/pad.ts';
import { resize_tf1 } from '../engine/ops/resize_tf1.ts';
import { splat } from '../engine/ops/splat.ts';
import { relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { EasyFlow } from './easyflow.ts';
import { clipOf, frameOf } from './frames.ts';
import { cropped, padded } from './multiple.ts';
import { configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface SpmcConfig {
  /** Luminance alone. */
  channels: 1;
  scale: number;
  /** Frames that a picture is made of: 3, 5 or 7 in the paper. */
  frames: number;
  /** Feature channels at full size; twice and four times as many at a half and a quarter. */
  width: number;
  /** Feature channels of the motion net. */
  flowWidth: number;
}

export const spmcDefaults: SpmcConfig = { channels: 1, scale: 4, frames: 3, width: 32, flowWidth: 24 };

/** Of the motion net, and of a pixel that it moves by up to two, in small pixels. */
const MOVED_REACH = 33;
/** Of encoder and decoder, and of each frame's step in between, in large pixels. */
const [CODED_REACH, STEP_REACH] = [28, 4];
const MULTIPLE = 4;

/** What the encoder hands on: features at full and at half size for the decoder, at a quarter for the cell. */
interface Encoded {
  readonly full: Tensor;
  readonly half: Tensor;
  readonly quarter: Tensor;
}

/** 3x3 with stride 2 and ReLU, padded as TensorFlow's SAME does on even sizes: behind. */
function halve(conv: Conv2d, x: Tensor): Tensor {
  using scope = x.engine.scope();
  return scope.keep(conv.fused(pad(x, { pad: [0, 1, 0, 1] }), { negative_slope: 0 }));
}

/** forward: (N, 1, frames, H, W) in 0..1 to the middle frame, (N, 1, 1, scale·H, scale·W). */
export class Spmc extends Net {
  readonly form = 'centre';
  override readonly window: number;
  override readonly grid = MULTIPLE;
  readonly spatialReach: number;
  readonly config: SpmcConfig;
  readonly flow: EasyFlow;
  readonly enc1: Conv2d;
  readonly enc2: Conv2d;
  readonly enc2_1: Conv2d;
  readonly enc3: Conv2d;
  readonly lstm: ConvLstm;
  readonly enc3_1: Conv2d;
  readonly dec1: ConvTranspose2d;
  readonly dec1_1: Conv2d;
  readonly dec2: ConvTranspose2d;
  readonly dec2_1: Conv2d;
  readonly dec3: Conv2d;
  readonly #decoder = new Block((...inputs) => this.#decode(inputs));

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<SpmcConfig> = {}) {
    super();
    this.config = checked(config);
    const { scale, frames, width, flowWidth } = this.config;
    const [half, quarter] = [2 * width, 4 * width];
    const conv = (input: number, out: number, k = 3) => new Conv2d(build, { in: input, out, kernel: [k, k] });
    const halving = (input: number, out: number) =>
      new Conv2d(build, { in: input, out, kernel: [3, 3], stride: 2, padding: 0 });
    const doubling = (input: number, out: number) =>
      new ConvTranspose2d(build, { in: input, out, kernel: [4, 4], stride: 2, padding: 1 });
    this.window = frames;
    this.spatialReach = MOVED_REACH + Math.ceil((CODED_REACH + frames * STEP_REACH) / scale);
    this.flow = new EasyFlow(build, { width: flowWidth });
    this.enc1 = conv(1, width, 5);
    this.enc2 = halving(width, half);
    this.enc2_1 = conv(half, half);
    this.enc3 = halving(half, quarter);
    this.lstm = new ConvLstm(build, { in: quarter, hidden: quarter, kernel: [3, 3] });
    this.enc3_1 = conv(quarter, quarter);
    this.dec1 = doubling(quarter, half);
    this.dec1_1 = conv(half, half);
    this.dec2 = doubling(half, width);
    this.dec2_1 = conv(width, width);
    this.dec3 = conv(width, 1, 5);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.#fused(x, (t) => t === this.window - 1));
  }

  /** The picture after each frame, which the loss weighs from a half to one (section 3.4): (N, 1, frames, scale·H, scale·W). */
  override estimates(x: Tensor): Tensor {
    return this.#fused(x, () => true);
  }

  override checkpointBlocks(): boolean {
    this.#decoder.checkpointed = true;
    return super.checkpointBlocks();
  }

  #fused(x: Tensor, decodes: (t: number) => boolean): Tensor {
    const { frames, scale } = this.config;
    if (x.shape[2] !== frames) throw new ShapeError(`spmc: expected ${frames} frames, got ${x.shape[2]}`);
    using scope = x.engine.scope();
    const [h, w] = x.shape.slice(3);
    const clip = padded(x, MULTIPLE);
    const reference = frameOf(clip, Math.floor(frames / 2));
    const enlarged = resize_tf1(reference, { factor: scale, mode: 'bicubic' });
    const pictures: Tensor[] = [];
    let state: LstmState | undefined;
    for (let t = 0; t < frames; t++) {
      const encoded = this.#encode(this.#moved(frameOf(clip, t), reference));
      state = this.lstm.step(encoded.quarter, state);
      if (decodes(t)) {
        const picture = pass(this.#decoder, state.h, encoded.half, encoded.full, enlarged);
        pictures.push(cropped(picture, h * scale, w * scale));
      }
      for (const features of Object.values(encoded)) scope.release(features);
    }
    return scope.keep(clipOf(pictures));
  }

  /** A frame on the large grid of the reference, section 3.2: (N, 1, scale·H, scale·W). */
  #moved(frame: Tensor, reference: Tensor): Tensor {
    using scope = frame.engine.scope();
    return scope.keep(splat(frame, pass(this.flow, frame, reference), { scale: this.config.scale }));
  }

  #encode(x: Tensor): Encoded {
    using scope = x.engine.scope();
    const full = scope.keep(this.enc1.fused(x, { negative_slope: 0 }));
    const half = scope.keep(this.enc2_1.fused(halve(this.enc2, full), { negative_slope: 0 }));
    return { full, half, quarter: scope.keep(halve(this.enc3, half)) };
  }

  #decode([hidden, half, full, enlarged]: readonly Tensor[]): Tensor {
    using scope = hidden.engine.scope();
    const quarter = this.enc3_1.fused(hidden, { negative_slope: 0 });
    const deep = this.dec1_1.fused(add(relu(this.dec1.forward(quarter)), half), { negative_slope: 0 });
    const last = this.dec2_1.fused(add(relu(this.dec2.forward(deep)), full), { negative_slope: 0 });
    return scope.keep(this.dec3.fused(last, { residual: enlarged }));
  }
}

const checked = (given: Partial<SpmcConfig>): SpmcConfig =>
  configure('spmc', spmcDefaults, given, {
    channels: oneOf(1),
    scale: whole(),
    frames: { want: 'an odd number', holds: (n) => Number.isSafeInteger(n) && Number(n) > 0 && Number(n) % 2 === 1 },
    width: whole(),
    flowWidth: whole(),
  });

export const entry: NetEntry<Spmc> = {
  title: 'SPMC, sub-pixel motion compensation and a recurrent encoder-decoder (DRDVSR)',
  paper: 'Tao et al., ICCV 2017',
  year: 2017,
  task: 'super-resolution',
  defaults: { ...spmcDefaults },
  inputs: ['x'],
  published: { parameters: 1_722_161, by: 'counted in the public code of PFNL' },
  weights: 'github.com/jiangsutx/SPMC_VideoSR, as frozen TensorFlow graphs, which are not read',
  verified: 'PyTorch, float64: output and every gradient at x4 and x2',
  create: (build, config) => new Spmc(build, config as Partial<SpmcConfig>),
};
