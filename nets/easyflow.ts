// The motion net of VESPCN (Caballero, Ledig, Aitken, Acosta, Totz, Wang, Shi, "Real-Time Video Super-Resolution with
// Spatio-Temporal Networks and Motion Compensation", CVPR 2017, section 2.2, table 1), which SPMC took over (Tao, Gao, Liao,
// Wang, Jia, "Detail-revealing Deep Video Super-resolution", ICCV 2017): a coarse flow by steps of four pixels, then a fine
// one by steps of two on the picture that the coarse one has brought into line. The public code calls it easyflow.
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, Module } from '../engine/nn/module.ts';
import { add } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import { pad } from '../engine/ops/pad.ts';
import { tanh } from '../engine/ops/unary.ts';
import { warp } from '../engine/ops/warp.ts';
import type { Tensor } from '../engine/tensor.ts';
import { cropped, padded } from './multiple.ts';
import { configure, type NetEntry, whole } from './net.ts';

export interface EasyFlowConfig {
  /** Feature channels. */
  width: number;
}

export const easyFlowDefaults: EasyFlowConfig = { width: 24 };

const COARSE = 4;
const FINE = 2;

/** 5x5 with stride 2 and ReLU, padded as TensorFlow's SAME does on even sizes: one in front, two behind. */
function halve(conv: Conv2d, x: Tensor): Tensor {
  using scope = x.engine.scope();
  return scope.keep(conv.fused(pad(x, { pad: [1, 2, 1, 2] }), { negative_slope: 0 }));
}

/**
 * forward: pictures (N, 1, H, W) in 0..1 of any size to the flow (N, 2, H, W) from the first to the second, x right, y down,
 * in pixels of (-2, 2): reference(p + flow(p)) is like image(p).
 */
export class EasyFlow extends Module {
  readonly c1: Conv2d;
  readonly c2: Conv2d;
  readonly c3: Conv2d;
  readonly c4: Conv2d;
  readonly c5: Conv2d;
  readonly s1: Conv2d;
  readonly s2: Conv2d;
  readonly s3: Conv2d;
  readonly s4: Conv2d;
  readonly s5: Conv2d;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<EasyFlowConfig> = {}) {
    super();
    const { width } = configure('easyflow', easyFlowDefaults, config, { width: whole() });
    const same = (input: number, out: number) => new Conv2d(build, { in: input, out, kernel: [3, 3] });
    const strided = (input: number) =>
      new Conv2d(build, { in: input, out: width, kernel: [5, 5], stride: 2, padding: 0 });
    this.c1 = strided(2);
    this.c2 = same(width, width);
    this.c3 = strided(width);
    this.c4 = same(width, width);
    this.c5 = same(width, 2 * COARSE ** 2);
    this.s1 = strided(5);
    this.s2 = same(width, width);
    this.s3 = same(width, width);
    this.s4 = same(width, width);
    this.s5 = same(width, 2 * FINE ** 2);
  }

  forward(image: Tensor, reference: Tensor): Tensor {
    using scope = image.engine.scope();
    const [h, w] = image.shape.slice(2);
    const pair = padded(concat(image, reference, { axis: 1 }), COARSE); // (N, 2, H, W)
    const coarse = this.#coarse(pair);
    const aligned = warp(padded(reference, COARSE), coarse, { padding_mode: 'border' });
    const fine = this.#fine(concat(concat(pair, coarse, { axis: 1 }), aligned, { axis: 1 }));
    return scope.keep(cropped(add(coarse, fine), h, w));
  }

  /** (N, 2, H, W), less than a pixel: the reshape has the component slowest, which is pixel_shuffle's order. */
  #coarse(pair: Tensor): Tensor {
    using scope = pair.engine.scope();
    const half = this.c2.fused(halve(this.c1, pair), { negative_slope: 0 });
    const quarter = this.c4.fused(halve(this.c3, half), { negative_slope: 0 });
    return scope.keep(tanh(this.c5.fused(quarter, { shuffle: COARSE })));
  }

  #fine(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const half = [this.s2, this.s3, this.s4].reduce(
      (y, conv) => conv.fused(y, { negative_slope: 0 }),
      halve(this.s1, x),
    );
    return scope.keep(tanh(this.s5.fused(half, { shuffle: FINE })));
  }
}

export const entry: NetEntry<EasyFlow> = {
  title: 'Easyflow, the motion net of VESPCN and SPMC',
  paper: 'Caballero et al., CVPR 2017',
  year: 2017,
  task: 'flow',
  defaults: { ...easyFlowDefaults },
  inputs: ['image', 'reference'],
  usual: [
    [1, 1, 128, 128],
    [1, 1, 128, 128],
  ],
  published: { parameters: 53_392, by: 'counted in the public code of SPMC and PFNL' },
  weights: 'within those of SPMC and VESPCN',
  verified: 'PyTorch, float64: output and every gradient',
  create: (build, config) => new EasyFlow(build, config as Partial<EasyFlowConfig>),
};
