// RDN: Zhang, Tian, Kong, Zhong, Fu, "Residual Dense Network for Image Super-Resolution", CVPR 2018, in the small form that
// the package @upscalerjs/esrgan-slim trained (MIT). In spite of the package's name it is no ESRGAN: no RRDB, three filters
// on small pictures, then nearest enlargement and one filter that paints, in the place of the paper's pixel shuffle.
//
// The public files work in 0..255. All layers but their biases are homogeneous, f(255·x) = 255·f(x), so the biases, divided by
// 255 when a file is adopted, make the same network for 0..1.
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, type HostTensor, Module, pass, type StateDict } from '../engine/nn/module.ts';
import { concat } from '../engine/ops/concat.ts';
import { interpolate } from '../engine/ops/interpolate.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, whole } from './net.ts';

export interface RdnSlimConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: number;
  /** G0, channels between the blocks. */
  width: number;
  /** D, residual dense blocks. */
  blocks: number;
  /** C, convolutions in each. */
  layers: number;
  /** G, channels that each of them adds. */
  growth: number;
}

export const rdnSlimDefaults: RdnSlimConfig = { channels: 3, scale: 4, width: 64, blocks: 2, layers: 1, growth: 4 };

const RELU = { negative_slope: 0 };
const RANGE = 255;

/** Residual dense block, eq. 5 to 8: each convolution sees the input and all before it; a 1x1 gathers them (LFF). */
class DenseBlock extends Module {
  readonly layers: readonly Conv2d[];
  readonly lff: Conv2d;

  constructor(build: Build, { width, layers, growth }: RdnSlimConfig) {
    super();
    const conv = (i: number) => new Conv2d(build, { in: width + i * growth, out: growth, kernel: [3, 3] });
    this.layers = Array.from({ length: layers }, (_, i) => conv(i));
    this.lff = new Conv2d(build, { in: width + layers * growth, out: width, kernel: [1, 1] });
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const dense = this.layers.reduce((known, conv) => join(known, conv.fused(known, RELU)), x);
    return scope.keep(this.lff.fused(dense, { residual: x }));
  }
}

/**
 * Two convolutions, the blocks, their features joined (GFF) and added to the first; three filters, enlargement, the last filter.
 * forward: (N, C, H, W) in 0..1 to (N, C, scale·H, scale·W).
 */
export class RdnSlim extends Net {
  readonly config: RdnSlimConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  readonly sfe1: Conv2d;
  readonly sfe2: Conv2d;
  readonly rdbs: readonly DenseBlock[];
  readonly gff: readonly Conv2d[];
  readonly upn: readonly Conv2d[];
  readonly sr: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<RdnSlimConfig> = {}) {
    super();
    const some = whole();
    const rules = { channels: some, scale: some, width: some, blocks: some, layers: some, growth: some };
    this.config = configure('esrgan-slim', rdnSlimDefaults, given, rules);
    const { channels, scale, width, blocks, layers } = this.config;
    this.spatialReach = 2 + blocks * layers + 1 + 4 + 1; // first two, blocks, gff, upn, sr
    const conv = (from: number, to: number, k: number) => new Conv2d(build, { in: from, out: to, kernel: [k, k] });
    this.sfe1 = conv(channels, width, 3);
    this.sfe2 = conv(width, width, 3);
    this.rdbs = Array.from({ length: blocks }, () => new DenseBlock(build, this.config));
    this.gff = [conv(blocks * width, width, 1), conv(width, width, 3)];
    const fine = channels * scale ** 2;
    this.upn = [conv(width, 64, 5), conv(64, 32, 3), conv(32, fine, 3)];
    this.sr = conv(fine, channels, 3);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const deep = this.#features(x);
    const small = this.#reduce(deep);
    scope.release(deep);
    const large = interpolate(small, { scale_factor: this.config.scale });
    scope.release(small);
    return scope.keep(this.sr.forward(large));
  }

  /** F_DF, eq. 11 to 14: (N, width, H, W). */
  #features(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = this.sfe1.forward(x);
    const outputs: Tensor[] = [];
    for (const block of this.rdbs) outputs.push(pass(block, outputs.at(-1) ?? this.sfe2.forward(first)));
    const all = outputs.reduce((known, y) => concat(known, y, { axis: 1 }));
    const [gather, last] = this.gff;
    return scope.keep(last.fused(gather.forward(all), { residual: first }));
  }

  /** What the enlargement repeats: (N, C·scale², H, W). */
  #reduce(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const [one, two, three] = this.upn;
    return scope.keep(three.forward(two.fused(one.fused(x, RELU), RELU)));
  }
}

/** known, then y, along the channels; y is given up. */
function join(known: Tensor, y: Tensor): Tensor {
  const all = concat(known, y, { axis: 1 });
  y.engine.giveUp(y);
  return all;
}

/** Keras' names and ours. */
const renamings: readonly [RegExp, (...parts: string[]) => string][] = [
  [/^F_m1$/, () => 'sfe1'],
  [/^F_0$/, () => 'sfe2'],
  [/^F_(\d+)_(\d+)$/, (_, d, c) => `rdbs.${Number(d) - 1}.layers.${Number(c) - 1}`],
  [/^LFF_(\d+)$/, (_, d) => `rdbs.${Number(d) - 1}.lff`],
  [/^GFF_([12])$/, (_, i) => `gff.${Number(i) - 1}`],
  [/^UPN([123])$/, (_, i) => `upn.${Number(i) - 1}`],
  [/^SR$/, () => 'sr'],
];

/** Filters (h, w, in, out) and biases of Keras, for 0..255, become ours. The settings are in names and shapes. */
function adopt(published: StateDict): Adopted {
  const tensors: StateDict = new Map(Array.from(published, ([name, tensor]) => own(name, tensor)));
  const shape = (name: string) => tensors.get(name)?.shape ?? [];
  const [width = rdnSlimDefaults.width, channels = rdnSlimDefaults.channels] = shape('sfe1.weight');
  const [fine = channels * rdnSlimDefaults.scale ** 2] = shape('upn.2.bias');
  const count = (pattern: RegExp) => [...tensors.keys()].filter((name) => pattern.test(name)).length;
  return {
    config: {
      ...{ channels, scale: Math.sqrt(fine / channels), width },
      blocks: count(/^rdbs\.\d+\.lff\.weight$/) || rdnSlimDefaults.blocks,
      layers: count(/^rdbs\.0\.layers\.\d+\.weight$/) || rdnSlimDefaults.layers,
      growth: shape('rdbs.0.layers.0.weight')[0] ?? rdnSlimDefaults.growth,
    },
    tensors,
  };
}

function own(name: string, tensor: HostTensor): [string, HostTensor] {
  const [, layer, kind] = /(\w+)\/(kernel|bias)(?::0)?$/.exec(name) ?? [];
  const known = renamings.find(([pattern]) => pattern.test(layer ?? ''));
  if (!known) return [name, tensor];
  const ours = layer.replace(...known);
  if (kind === 'bias') return [`${ours}.bias`, { shape: tensor.shape, data: tensor.data.map((b) => b / RANGE) }];
  return [`${ours}.weight`, filter(tensor)];
}

/** (h, w, in, out) to (out, in, h, w). */
function filter({ shape, data }: HostTensor): HostTensor {
  const [h, w, from, to] = shape;
  const turned = new Float32Array(data.length);
  for (let tap = 0; tap < h * w; tap++) {
    for (let i = 0; i < from; i++) {
      for (let o = 0; o < to; o++) turned[(o * from + i) * h * w + tap] = data[(tap * from + i) * to + o];
    }
  }
  return { shape: [to, from, h, w], data: turned };
}

export const entry: NetEntry<RdnSlim> = {
  title: 'RDN, residual dense network, in the small form of esrgan-slim',
  paper: 'Zhang et al., CVPR 2018',
  year: 2018,
  task: 'super-resolution',
  defaults: { ...rdnSlimDefaults },
  inputs: ['x'],
  published: { parameters: 233_451, by: 'the package @upscalerjs/esrgan-slim' },
  weights: 'npm package @upscalerjs/esrgan-slim, models/x{2,3,4,8}/model.json',
  verified: 'PyTorch, float64: output and every gradient; the four public models; the picture that came with them',
  create: (build, config) => new RdnSlim(build, config as Partial<RdnSlimConfig>),
  adopt,
};
