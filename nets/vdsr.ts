// VDSR: Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.
//
// Twenty convolutions say what a bicubic enlargement lacks. Names, and the missing biases, are those of the public PyTorch
// code (github.com/twtygqyy/pytorch-vdsr); the paper's own has biases. One set of weights serves every scale.
import { heNormal } from '../engine/nn/init.ts';
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface VdsrConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  /** How much the picture was enlarged before; no weight depends on it. */
  scale: number;
  width: number;
  /** Convolutions, the first and the last included. */
  layers: number;
  bias: boolean;
}

export const vdsrDefaults: VdsrConfig = { channels: 1, scale: 4, width: 64, layers: 20, bias: false };

/** A convolution and its ReLU. There is no skip around it, in spite of the list's name. */
class Layer extends Module {
  constructor(readonly conv: Conv2d) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.conv.fused(x, { negative_slope: 0 });
  }
}

/** x + conv(...conv(x)), ReLU after all but the last. forward: enlarged (N, C, H, W) in 0..1 to the same size. */
export class Vdsr extends Net {
  readonly config: VdsrConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  override readonly enlarged = true;
  readonly residual_layer: readonly Layer[];
  readonly input: Conv2d;
  readonly output: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<VdsrConfig> = {}) {
    super();
    this.config = configure('vdsr', vdsrDefaults, given, {
      channels: whole(),
      scale: whole(),
      width: whole(),
      layers: whole(2),
      bias: oneOf(true, false),
    });
    const { channels, width, layers, bias } = this.config;
    const init = heNormal(0, 'fanOut'); // as the public code draws
    const conv = (from: number, to: number) => new Conv2d(build, { in: from, out: to, kernel: [3, 3], bias, init });
    this.spatialReach = layers;
    this.input = conv(channels, width);
    this.residual_layer = Array.from({ length: layers - 2 }, () => new Layer(conv(width, width)));
    this.output = conv(width, channels);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this.input.fused(x, { negative_slope: 0 });
    const deep = chain(first, this.residual_layer);
    return scope.keep(this.output.fused(deep, { residual: x }));
  }
}

/** Published files have our names; the settings are in their names and shapes, the scale is anyone's. */
function adopt(tensors: StateDict): Adopted {
  const [width = vdsrDefaults.width, channels = vdsrDefaults.channels] = tensors.get('input.weight')?.shape ?? [];
  const between = [...tensors.keys()].filter((name) => /^residual_layer\.\d+\.conv\.weight$/.test(name)).length;
  return { config: { channels, width, layers: between + 2, bias: tensors.has('input.bias') }, tensors };
}

export const entry: NetEntry<Vdsr> = {
  title: 'VDSR, very deep super-resolution',
  paper: 'Kim et al., CVPR 2016',
  year: 2016,
  task: 'super-resolution',
  defaults: { ...vdsrDefaults },
  inputs: ['x'],
  published: { parameters: 664_704, by: 'the public PyTorch code' },
  weights: 'github.com/twtygqyy/pytorch-vdsr, model/model_epoch_50.pth',
  verified: 'PyTorch, float64: output and every gradient, with and without biases',
  create: (build, config) => new Vdsr(build, config as Partial<VdsrConfig>),
  adopt,
};
