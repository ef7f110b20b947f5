// DBPN: Haris, Shakhnarovich, Ukita, "Deep Back-Projection Networks for Super-Resolution", CVPR 2018.
//
// Steps up to the large picture and down again take turns; each step projects its result back and corrects it by what went
// lost. Sizes, signs and names are those of the public code (github.com/alterzero/DBPN-Pytorch): one PReLU slope a layer,
// "re-projected minus original", newest maps first. `stages` 7 is D-DBPN (dbpn.py), 10 its dbpn_v1.py, 2 its dbpns.py.
// DBPN-S as RBPN holds it takes and returns features.
import { heNormal } from '../engine/nn/init.ts';
import { Conv2d, ConvTranspose2d, PReLU } from '../engine/nn/layers.ts';
import { type Build, Module, pass, type StateDict } from '../engine/nn/module.ts';
import { add, sub } from '../engine/ops/binary.ts';
import { concat } from '../engine/ops/concat.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, Net, type NetEntry, oneOf, whole } from './net.ts';

export interface DbpnConfig {
  /** 1 (luminance) or 3 (RGB). */
  channels: number;
  scale: 2 | 4 | 8;
  /** Channels of the first features. */
  features: number;
  /** Channels of the projection units. */
  width: number;
  /** T, the number of steps up; one less go down. */
  stages: number;
}

export const dbpnDefaults: DbpnConfig = { channels: 3, scale: 4, features: 256, width: 64, stages: 7 };

export interface DbpnSConfig {
  scale: 2 | 4 | 8;
  /** Channels of the features that it takes. */
  features: number;
  /** Channels of the features that it returns. */
  width: number;
}

export const dbpnSDefaults: DbpnSConfig = { scale: 4, features: 256, width: 64 };

/** Windows of the steps between the two sizes: kernel, stride, padding. */
export const windows = { 2: [6, 2, 2], 4: [8, 4, 2], 8: [12, 8, 2] } as const;
const init = heNormal();
const START = 0.25; // of all slopes

/** A convolution and its PReLU; without one (`linear`) where features leave. */
export class ConvBlock extends Module {
  readonly conv: Conv2d;
  readonly act: PReLU | undefined;

  constructor(build: Build, from: number, to: number, [kernel, stride, padding]: readonly number[], linear = false) {
    super();
    this.conv = new Conv2d(build, { in: from, out: to, kernel: [kernel, kernel], stride, padding, init });
    this.act = linear ? undefined : new PReLU(build, 1, START);
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const y = this.conv.forward(x);
    return scope.keep(this.act ? this.act.forward(y) : y);
  }
}

/** A transposed convolution and its PReLU. */
export class DeconvBlock extends Module {
  readonly deconv: ConvTranspose2d;
  readonly act: PReLU;

  constructor(build: Build, from: number, to: number, [kernel, stride, padding]: readonly number[]) {
    super();
    this.deconv = new ConvTranspose2d(build, {
      in: from,
      out: to,
      kernel: [kernel, kernel],
      stride,
      padding,
      init,
    });
    this.act = new PReLU(build, 1, START);
  }
  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    return scope.keep(this.act.forward(this.deconv.forward(x)));
  }
}

/**
 * Up-projection unit, section 3.2: (N, maps·C, H, W) to (N, C, sH, sW); the down-projection unit is the same the other way.
 * Dense (3.3) where it takes more maps than one: a 1x1 convolution first makes one of them.
 */
class Unit extends Module {
  readonly conv: ConvBlock | undefined;
  /** There, back, and there again: <way>_conv1 to 3. */
  readonly #steps: readonly Module[];

  constructor(build: Build, way: 'up' | 'down', width: number, scale: DbpnConfig['scale'], maps = 1) {
    super();
    const [There, Back] = way === 'up' ? [DeconvBlock, ConvBlock] : [ConvBlock, DeconvBlock];
    this.conv = maps > 1 ? new ConvBlock(build, maps * width, width, [1, 1, 0]) : undefined;
    this.#steps = [There, Back, There].map((Block) => new Block(build, width, width, windows[scale]));
    for (const [i, step] of this.#steps.entries()) Object.assign(this, { [`${way}_conv${i + 1}`]: step });
  }

  /** What went lost on the way there and back goes there, too, and is added. */
  forward(maps: Tensor): Tensor {
    using scope = maps.engine.scope();
    const [there, back, again] = this.#steps;
    const x = this.conv?.forward(maps) ?? maps;
    const first = there.forward(x);
    const returned = back.forward(first);
    const lost = sub(returned, x);
    scope.release(returned);
    const correction = again.forward(lost);
    scope.release(lost);
    return scope.keep(add(first, correction));
  }
}

/** The newest map before those that are there, which are given up. */
function gather(newest: Tensor, maps: Tensor | undefined): Tensor {
  if (!maps) return newest;
  const all = concat(newest, maps, { axis: 1 });
  for (const part of [newest, maps]) newest.engine.giveUp(part);
  return all;
}

/**
 * Dense DBPN. feat0 3x3 - feat1 1x1 - up1 - (down t on all large maps - up t+1 on all small ones), t = 1 .. T - 1 - output 3x3
 * on all large maps. forward: (N, C, H, W) in 0..1 to (N, C, scale·H, scale·W).
 */
export class Dbpn extends Net {
  readonly config: DbpnConfig;
  readonly form = 'image';
  readonly spatialReach: number;
  readonly feat0: ConvBlock;
  readonly feat1: ConvBlock;
  readonly output_conv: ConvBlock;
  readonly #ups: readonly Unit[];
  readonly #downs: readonly Unit[];

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<DbpnConfig> = {}) {
    super();
    this.config = configure('dbpn', dbpnDefaults, given, {
      channels: whole(),
      scale: oneOf(2, 4, 8),
      features: whole(),
      width: whole(),
      stages: whole(1),
    });
    const { channels, scale, features, width, stages } = this.config;
    // A window reaches one small pixel up, and down nothing more, but for scale 2, where windows are three pixels wide.
    const [up, upAndDown] = scale === 2 ? [3, 6] : [2, 3];
    this.spatialReach = 1 + (stages - 1) * upAndDown + up + 1;
    this.feat0 = new ConvBlock(build, channels, features, [3, 1, 1]);
    this.feat1 = new ConvBlock(build, features, width, [1, 1, 0]);
    this.#ups = Array.from({ length: stages }, (_, i) => new Unit(build, 'up', width, scale, Math.max(i, 1)));
    this.#downs = Array.from({ length: stages - 1 }, (_, i) => new Unit(build, 'down', width, scale, i + 1));
    for (const [i, unit] of this.#ups.entries()) Object.assign(this, { [`up${i + 1}`]: unit });
    for (const [i, unit] of this.#downs.entries()) Object.assign(this, { [`down${i + 1}`]: unit });
    this.output_conv = new ConvBlock(build, stages * width, channels, [3, 1, 1], true);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const first = pass(this.#ups[0], this.feat1.forward(this.feat0.forward(x)));
    const { high } = this.#downs.reduce<{ high: Tensor; low?: Tensor }>(
      ({ high, low }, down, i) => {
        const all = gather(pass(down, high), low);
        return { low: all, high: gather(pass(this.#ups[i + 1], all), high) };
      },
      { high: first },
    );
    return scope.keep(this.output_conv.forward(high));
  }
}

/**
 * DBPN-S: three plain steps up, two down, 1x1 convolution of the large maps; no picture at either end.
 * forward: features (N, features, H, W) to features (N, width, scale·H, scale·W).
 */
export class DbpnS extends Module {
  readonly config: DbpnSConfig;
  readonly feat1: ConvBlock;
  readonly up1: Unit;
  readonly down1: Unit;
  readonly up2: Unit;
  readonly down2: Unit;
  readonly up3: Unit;
  readonly output: ConvBlock;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, given: Partial<DbpnSConfig> = {}) {
    super();
    this.config = configure('dbpn-s', dbpnSDefaults, given, {
      scale: oneOf(2, 4, 8),
      features: whole(),
      width: whole(),
    });
    const { scale, features, width } = this.config;
    this.feat1 = new ConvBlock(build, features, width, [1, 1, 0]);
    this.up1 = new Unit(build, 'up', width, scale);
    this.down1 = new Unit(build, 'down', width, scale);
    this.up2 = new Unit(build, 'up', width, scale);
    this.down2 = new Unit(build, 'down', width, scale);
    this.up3 = new Unit(build, 'up', width, scale);
    this.output = new ConvBlock(build, 3 * width, width, [1, 1, 0], true);
  }

  forward(x: Tensor): Tensor {
    using scope = x.engine.scope();
    const high1 = this.up1.forward(this.feat1.forward(x));
    const high2 = this.up2.forward(this.down1.forward(high1));
    const high3 = this.up3.forward(this.down2.forward(high2));
    return scope.keep(this.output.forward(gather(high3, gather(high2, high1))));
  }
}

/** The scale whose windows have this filter of a step up. Other sizes are left for loading to report. */
function scaleOf(tensors: StateDict): DbpnConfig['scale'] {
  const kernel = tensors.get('up1.up_conv1.deconv.weight')?.shape[2];
  return kernel === 6 ? 2 : kernel === 12 ? 8 : 4;
}

/** Published files have our names; the settings are in their shapes. */
function adoptDbpn(tensors: StateDict): Adopted {
  const shape = (name: string) => tensors.get(`${name}.conv.weight`)?.shape ?? [];
  const { features, channels, width, stages } = dbpnDefaults;
  const units = [...tensors.keys()].map((name) => Number(/^up(\d+)\./.exec(name)?.[1] ?? 0));
  return {
    config: {
      channels: shape('feat0')[1] ?? channels,
      features: shape('feat0')[0] ?? features,
      width: shape('feat1')[0] ?? width,
      scale: scaleOf(tensors),
      stages: Math.max(...units) || stages,
    },
    tensors,
  };
}

function adoptDbpnS(tensors: StateDict): Adopted {
  const [width = dbpnSDefaults.width, features = dbpnSDefaults.features] =
    tensors.get('feat1.conv.weight')?.shape ?? [];
  return { config: { scale: scaleOf(tensors), features, width }, tensors };
}

const paper = 'Haris et al., CVPR 2018';
const weights = 'github.com/alterzero/DBPN-Pytorch';

export const entry: NetEntry<Dbpn> = {
  title: 'D-DBPN, dense deep back-projection network',
  paper,
  year: 2018,
  task: 'super-resolution',
  defaults: { ...dbpnDefaults },
  inputs: ['x'],
  published: { parameters: 10_426_358, by: 'the public PyTorch code' },
  weights,
  verified: 'PyTorch, float64: output and every gradient at x2, x4, x8',
  create: (build, config) => new Dbpn(build, config as Partial<DbpnConfig>),
  adopt: adoptDbpn,
};

export const entryS: NetEntry<DbpnS> = {
  title: 'DBPN-S, back-projection of features within RBPN',
  paper,
  year: 2018,
  task: 'features',
  defaults: { ...dbpnSDefaults },
  inputs: ['features'],
  usual: [[1, dbpnSDefaults.features, 64, 64]],
  published: { parameters: 3_961_936, by: 'the public PyTorch code of iSeeBetter' },
  weights: 'within the files of RBPN (DBPN.…)',
  verified: 'PyTorch, float64: output and every gradient',
  create: (build, config) => new DbpnS(build, config as Partial<DbpnSConfig>),
  adopt: adoptDbpnS,
};
