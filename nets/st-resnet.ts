// ST-ResNet: Feichtenhofer, Pinz, Wildes, "Spatiotemporal Residual Networks for Video Action Recognition", NIPS 2016; with
// `fusion: 'multiply'` ST-MulNet, "Spatiotemporal Multiplier Networks for Video Action Recognition", CVPR 2017, by the same.
//
// Two ResNet-50, one for frames and one for flow, with three changes: motion enters the second block of each stage of the
// appearance stream; 1x1 convolutions there look at three frames; the last features are pooled over time. Connections are as
// in the authors' code: only the residual branch sees motion, the shortcut stays as it was.
import { type Build, type HostTensor, Module, type StateDict } from '../engine/nn/module.ts';
import { add, mul } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import { batch_to_frames, frames_to_batch } from '../engine/ops/frames.ts';
import { max_pool3d } from '../engine/ops/pool.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { mean } from '../engine/ops/sum.ts';
import { relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, between, configure, type NetEntry, oneOf, whole } from './net.ts';
import { type Bottleneck, Resnet50, settingsOf } from './resnet50.ts';

export interface StResnetConfig {
  classes: number;
  /** Channels of a flow stack: u and v of ten fields. */
  motion: number;
  /** Of the first convolutions; all others are multiples of it. */
  width: number;
  /** How motion enters: added to the appearance, or multiplied with it. */
  fusion: 'add' | 'multiply';
  /** Frames of the max pool over time, which moves by two; 1: none, as in the first stage of training. */
  pool: number;
  /** In training, before the classifiers: 0.8 for ST-MulNet. */
  dropout: number;
}

export const stResnetDefaults: StResnetConfig = {
  classes: 101,
  motion: 20,
  width: 64,
  fusion: 'add',
  pool: 5,
  dropout: 0,
};

/**
 * forward: frames (N, 3, T, H, W) and their stacks of flow (N, motion, T, H, W), with values as Resnet50 takes them, to scores
 * (N, classes) before softmax, the mean of both streams'; T at least `pool`, any H and W.
 */
export class StResnet extends Module {
  readonly config: StResnetConfig;
  readonly spatial: Resnet50;
  readonly temporal: Resnet50;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<StResnetConfig> = {}) {
    super();
    this.config = configure('st-resnet', stResnetDefaults, given, {
      classes: whole(),
      motion: whole(),
      width: whole(),
      fusion: oneOf('add', 'multiply'),
      pool: whole(),
      dropout: between(0, 0.99),
    });
    const { classes, motion, width, dropout } = this.config;
    const stream = (channels: number) => new Resnet50(build, { channels, classes, width, dropout, temporal: true });
    this.spatial = stream(3);
    this.temporal = stream(motion);
  }

  forward(frames: Tensor, flow: Tensor): Tensor {
    using scope = frames.engine.scope();
    const shape = [frames.shape[0], 1, this.config.classes];
    const [appearance, motion] = this.streams(frames, flow).map((scores) => reshape(scores, { shape }));
    return scope.keep(mean(concat(appearance, motion, { axis: 1 }), { axes: 1 }));
  }

  /** Scores of both streams, for those who report them apart. The appearance stream's depend on motion, too. */
  streams(frames: Tensor, flow: Tensor): [appearance: Tensor, motion: Tensor] {
    using scope = frames.engine.scope();
    const t = frames.shape[2];
    let a = this.spatial.stem(frames_to_batch(frames));
    let m = this.temporal.stem(frames_to_batch(flow));
    for (const [i, blocks] of this.spatial.stages.entries()) {
      const next = this.#stage(blocks, this.temporal.stages[i], a, m, t);
      for (const x of [a, m]) scope.release(x);
      [a, m] = next;
    }
    return [scope.keep(this.#scores(this.spatial, a, t)), scope.keep(this.#scores(this.temporal, m, t))];
  }

  /** A stage of both streams. Between its first two blocks: a' = f(a) + F(a + f(m)), or F(a · f(m)), f = ReLU. */
  #stage(
    [firstA, ...restA]: readonly Bottleneck[],
    [firstM, ...restM]: readonly Bottleneck[],
    appearance: Tensor,
    motion: Tensor,
    frames: number,
  ): [appearance: Tensor, motion: Tensor] {
    using scope = appearance.engine.scope();
    const sum = firstA.forward(appearance);
    let m = relu(firstM.forward(motion));
    let inner = this.config.fusion === 'add' ? add(sum, m) : mul(sum, m);
    let a = relu(sum);
    scope.release(sum);
    for (const [i, block] of restA.entries()) {
      const next = [relu(block.forward(a, inner, frames)), relu(restM[i].forward(m, m, frames))] as const;
      for (const x of new Set([a, m, inner])) scope.release(x);
      [a, m] = next;
      inner = a;
    }
    return [scope.keep(a), scope.keep(m)];
  }

  /** Pooling over time, and the stream's own classifier, whose scores for what is left are averaged. */
  #scores(stream: Resnet50, x: Tensor, frames: number): Tensor {
    using scope = x.engine.scope();
    const { pool } = this.config;
    const clips = batch_to_frames(x, { frames });
    const pooled = pool > 1 ? max_pool3d(clips, { kernel_size: [pool, 1, 1], stride: [2, 1, 1] }) : clips;
    return scope.keep(stream.scores(pooled));
  }
}

/**
 * Where training starts: two trained base streams (`resnet50`). Convolutions over time become the mean of three frames, which
 * keeps what was learned for pictures that stand still (but for the first and last frame of a clip, which miss a neighbour).
 */
export function fromStreams(spatial: StateDict, temporal: StateDict): StateDict {
  const renamed = (prefix: string, tensors: StateDict) =>
    [...tensors].map(([name, tensor]): [string, HostTensor] => {
      const overTime = /^res\db_branch2[ac]\.weight$/.test(name) && tensor.shape.length === 4;
      return [`${prefix}.${name}`, overTime ? repeated(tensor, 3) : tensor];
    });
  return new Map([...renamed('spatial', spatial), ...renamed('temporal', temporal)]);
}

/** A 1x1 filter (O, I, 1, 1) as the mean over so many frames. */
function repeated({ shape, data }: HostTensor, frames: number): HostTensor {
  const [outputs, inputs] = shape;
  const taps = Float32Array.from({ length: data.length * frames }, (_, i) => data[Math.floor(i / frames)] / frames);
  return { shape: [outputs, inputs, frames, 1, 1], data: taps };
}

function adopt(tensors: StateDict): Adopted {
  const { width, classes } = settingsOf(tensors, 'spatial.');
  const { channels: motion } = settingsOf(tensors, 'temporal.');
  const found = Object.entries({ width, classes, motion }).filter(([, value]) => value !== undefined);
  return { config: Object.fromEntries(found), tensors };
}

export const entry: NetEntry<StResnet> = {
  title: 'ST-ResNet, two streams for actions (ST-MulNet with fusion: multiply)',
  paper: 'Feichtenhofer et al., NIPS 2016',
  year: 2016,
  task: 'recognition',
  defaults: { ...stResnetDefaults },
  inputs: ['frames', 'flow'],
  usual: [
    [1, 3, 11, 224, 224],
    [1, 20, 11, 224, 224],
  ],
  published: { parameters: 58_624_394, by: 'our count of the public definition, for 101 classes' },
  weights: 'github.com/feichtenhofer/st-resnet, for MATLAB alone',
  verified: 'PyTorch, float64: output and every gradient, both fusions, in evaluation, at a 64th of the width',
  create: (build, config) => new StResnet(build, config as Partial<StResnetConfig>),
  adopt,
};
