// RBPN: Haris, Shakhnarovich, Ukita, "Recurrent Back-Projection Network for Video Super-Resolution", CVPR 2019; as iSeeBetter's
// generator: Chadha, Britto, Roja, Computational Visual Media 6(3), 2020. Default: seven frames, x4.
//
// The middle frame's features are enlarged alone (DBPN-S) and, once for each neighbour, together with it and its motion; the
// difference of the two, after five residual blocks, corrects the enlargement, which is projected back for the next neighbour.
// Order, signs and names are those of the public code (github.com/alterzero/RBPN-PyTorch, github.com/amanchadha/iSeeBetter): one
// PReLU slope a layer, and the same one again behind a residual block. Its flow is Coarse2Fine's, from the middle to the other.
import { heNormal } from '../engine/nn/init.ts';
import { Conv2d, PReLU } from '../engine/nn/layers.ts';
import { Block, type Build, chain, Module, type StateDict } from '../engine/nn/module.ts';
import { add, sub } from '../engine/ops/binary.ts';
import { imresize } from '../engine/ops/imresize.ts';
import { prelu } from '../engine/ops/prelu.ts';
import type { Tensor } from '../engine/tensor.ts';
import { ConvBlock, DbpnS, DeconvBlock, windows } from './dbpn.ts';
import { clipOf, frameOf, joined } from './frames.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface RbpnConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: 2 | 4 | 8;
  /** Frames that it sees: the middle one and its neighbours. */
  frames: number;
  /** Channels on small pictures; the public code's base_filter. */
  features: number;
  /** Channels on large pictures; the public code's feat. */
  width: number;
  /** Residual blocks in each of the three chains. */
  blocks: number;
  /** Whether the middle frame's bicubic enlargement is added, as an option of the public code has it. */
  residual: boolean;
}

export const rbpnDefaults: RbpnConfig = {
  channels: 3,
  scale: 4,
  frames: 7,
  features: 256,
  width: 64,
  blocks: 5,
  residual: false,
};

const init = heNormal();
const SLOPE = 0.25;
/** The flow's. */
const MOTION = 2;

/** PReLU(x + conv2(PReLU(conv1(x)))), both PReLUs one. */
class ResnetBlock extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly act: PReLU;

  constructor(build: Build, width: number) {
    super();
    this.conv1 = new Conv2d(build, { in: width, out: width, kernel: [3, 3], init });
    this.conv2 = new Conv2d(build, { in: width, out: width, kernel: [3, 3], init });
    this.act = new PReLU(build, 1, SLOPE);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const slope = this.act.weight;
    const inner = this.conv1.forward(x);
    const sum = this.conv2.fused(inner, { slope, residual: x });
    scope.release(inner);
    return scope.keep(prelu(sum, slope));
  }
}

const SAME = [3, 1, 1];

/**
 * forward: frames (N, C, T, H, W) in 0..1 and motion (N, 2, T - 1, H, W) from the middle frame to each other one, x right, y
 * down, in pixels; to the middle frame (N, C, 1, scale·H, scale·W).
 */
export class Rbpn extends Net {
  readonly form = 'centre';
  override readonly window: number;
  override readonly ends = 'middle';
  override readonly motion = 'coarse2fine';
  /** Twice what the authors let their tiles overlap; in theory each neighbour adds some 15 pixels. */
  readonly spatialReach = 16;
  override readonly exact = false;
  readonly config: RbpnConfig;
  readonly feat0: ConvBlock;
  readonly feat1: ConvBlock;
  readonly DBPN: DbpnS;
  readonly res_feat1: Module[];
  readonly res_feat2: Module[];
  readonly res_feat3: Module[];
  readonly output: ConvBlock;
  /** As one block each where blocks are computed again. */
  readonly #chains: { readonly res_feat1: Block; readonly res_feat2: Block; readonly res_feat3: Block };

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, config: Partial<RbpnConfig> = {}) {
    super();
    this.config = configure('rbpn', rbpnDefaults, config, {
      channels: whole(),
      scale: oneOf(2, 4, 8),
      frames: whole(2),
      features: whole(),
      width: whole(),
      blocks: whole(0),
      residual: oneOf(true, false),
    });
    const { channels, scale, frames, features, width, blocks } = this.config;
    const window = windows[scale];
    const chainOf = (channelsOf: number, last: Module) => [
      ...Array.from({ length: blocks }, () => new ResnetBlock(build, channelsOf)),
      last,
    ];
    this.window = frames;
    this.feat0 = new ConvBlock(build, channels, features, SAME);
    this.feat1 = new ConvBlock(build, 2 * channels + MOTION, features, SAME);
    this.DBPN = new DbpnS(build, { scale, features, width });
    this.res_feat1 = chainOf(features, new DeconvBlock(build, features, width, window));
    this.res_feat2 = chainOf(width, new ConvBlock(build, width, width, SAME));
    this.res_feat3 = chainOf(width, new ConvBlock(build, width, features, window));
    this.#chains = {
      res_feat1: new Block((y) => chain(y, this.res_feat1)),
      res_feat2: new Block((y) => chain(y, this.res_feat2)),
      res_feat3: new Block((y) => chain(y, this.res_feat3)),
    };
    this.output = new ConvBlock(build, (frames - 1) * width, channels, SAME, true);
  }

  forward(x: Tensor, motion: Tensor): Tensor {
    const { frames, residual, scale } = this.config;
    using scope = x.engine.scope();
    const middle = Math.floor(frames / 2);
    const target = frameOf(x, middle);
    const maps: Tensor[] = [];
    let features = this.feat0.forward(target);
    for (let i = 0; i < frames - 1; i++) {
      const neighbour = frameOf(x, i < middle ? i : i + 1);
      const seen = joined([target, neighbour, frameOf(motion, i)]);
      maps.push(this.#project(features, seen));
      scope.release(features);
      if (i < frames - 2) features = chain(maps[i], [this.#chains.res_feat3]);
    }
    const all = joined(maps);
    for (const map of maps) if (map !== all) scope.release(map);
    const y = this.output.forward(all);
    return scope.keep(clipOf([residual ? add(y, imresize(target, { scale })) : y]));
  }

  /** Keeps little for the gradients: the inputs of DBPN-S and of each chain of blocks, not what is inside. */
  override checkpointBlocks(): boolean {
    for (const part of [this.DBPN, ...Object.values(this.#chains)]) part.checkpointed = true;
    return true;
  }

  /** Figure 3: the enlargement of the middle frame's features, corrected by what a neighbour shows. */
  #project(features: Tensor, seen: Tensor): Tensor {
    using scope = features.engine.scope();
    const several = this.#together(seen);
    const single = chain(features, [this.DBPN]);
    const difference = sub(single, several);
    scope.release(several);
    const error = chain(difference, [this.#chains.res_feat2]);
    scope.release(difference);
    return scope.keep(add(single, error));
  }

  #together(seen: Tensor): Tensor {
    using scope = seen.engine.scope();
    return scope.keep(chain(this.feat1.forward(seen), [this.#chains.res_feat1]));
  }
}

const SCALES: Readonly<Record<number, RbpnConfig['scale']>> = { 6: 2, 8: 4, 12: 8 };

/** Published files have our names; the settings are in their shapes. */
function adopt(tensors: StateDict): Adopted {
  const shape = (name: string) => tensors.get(`${name}.weight`)?.shape ?? [];
  const { channels, features, width, scale } = rbpnDefaults;
  const blocks = [...tensors.keys()].filter((name) => /^res_feat1\.\d+\.conv1\.weight$/.test(name)).length;
  const narrow = shape('DBPN.feat1.conv')[0] ?? width;
  const maps = (shape('output.conv')[1] ?? (rbpnDefaults.frames - 1) * narrow) / narrow;
  return {
    config: {
      channels: shape('feat0.conv')[1] ?? channels,
      scale: SCALES[shape('DBPN.up1.up_conv1.deconv')[2]] ?? scale,
      frames: Number.isInteger(maps) ? maps + 1 : rbpnDefaults.frames,
      features: shape('feat0.conv')[0] ?? features,
      width: narrow,
      blocks,
    },
    tensors,
  };
}

export const entry: NetEntry<Rbpn> = {
  title: "RBPN, recurrent back-projection of seven frames; iSeeBetter's generator",
  paper: 'Haris et al., CVPR 2019; Chadha et al., CVM 2020',
  year: 2019,
  task: 'super-resolution',
  defaults: { ...rbpnDefaults },
  inputs: ['x', 'flow'],
  published: { parameters: 12_771_943, by: 'the public PyTorch code' },
  weights: 'github.com/alterzero/RBPN-PyTorch, github.com/amanchadha/iSeeBetter',
  verified: 'PyTorch, float64: output and every gradient at x2 and x4',
  create: (build, config) => new Rbpn(build, config as Partial<RbpnConfig>),
  adopt,
};
