import wgsl from '../../shaders/norm.wgsl';
import { type Engine, fold } from '../engine.ts';
import { type Constants, Kernel, type Uniforms } from '../kernel.ts';
import { extent, type Shape, type Storage, size, type Tensor } from '../tensor.ts';
import { sumMiddle } from './reduce.ts';

const kernel = new Kernel('norm', wgsl);
/** Positions that one thread sums, unless that makes more strips than a workgroup joins well. */
const SUMMED = 64;
const MOST_STRIPS = 4096;
/** Positions that one thread writes: what belongs to the channels is loaded once for so many. */
const WRITTEN = 8;

/** Mean and biased variance of each group's channels, (groups, C); running statistics are those of one group, (C). */
export interface Statistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

export interface Affine {
  readonly weight?: Tensor;
  readonly bias?: Tensor;
}

type Bound = Readonly<Record<string, Tensor>>;

/** In the order of the shader's const OF. */
const PARAMETERS = ['bias', 'weight', 'running_mean', 'running_var'] as const;

/** Normalisation of x whose positions fall into `groups` parts, one after the other, each with statistics of its own. */
export class Norm {
  readonly #c4: number;
  /** Values of a channel that share their statistics. */
  readonly count: number;

  constructor(
    readonly engine: Engine,
    readonly name: string,
    readonly shape: Shape,
    readonly groups: number,
    readonly eps: number,
    /** Slope below zero of the activation that y passes: 1 none, 0 ReLU. */
    readonly leak = 1,
  ) {
    const { outer, inner, channels } = extent(shape, 'image');
    this.#c4 = Math.ceil(channels / 4);
    this.count = (outer * inner) / groups;
  }

  /** Statistics of x itself. */
  moments(x: Tensor): Statistics {
    const { engine, groups } = this;
    const strips = this.#strips();
    using parts = this.#parts('strip_moments', { x }, { C4: this.#c4 });
    const [mean, variance] = [0, 1].map(() => engine.empty([groups, this.shape[1]]));
    engine.run(kernel, 'moments', {
      bind: { x, sums: parts, out: mean, variance_out: variance },
      constants: { C4: this.#c4 },
      uniforms: this.#sizes(strips),
      grid: fold(groups * this.#c4, 1),
      label: `${this.name}.moments`,
    });
    return { mean, variance };
  }

  /** Moves running statistics, in place, towards those of x by a share of `momentum`. */
  update(running: Statistics, now: Statistics, momentum: number, unbiased: boolean): void {
    const unbias = unbiased ? this.count / (this.count - 1) : 1;
    this.engine.run(kernel, 'update', {
      bind: { ...now, out: running.mean, variance_out: running.variance },
      constants: { C4: this.#c4 },
      uniforms: { ...this.#sizes(1), momentum, unbias },
      threads: this.#c4,
      label: `${this.name}.update`,
    });
  }

  /** act(weight·(x - mean) / √(variance + eps) + bias). */
  normalise(x: Tensor, statistics: Statistics, affine: Affine): Tensor {
    return this.#write('normalise', { x, ...statistics }, affine, this.name);
  }

  /** Σ dy and Σ dy·x̂ of each group and channel, which all other gradients begin with: (2·groups, channels padded). */
  sums(dy: Tensor, x: Tensor, statistics: Statistics, affine: Affine): Tensor {
    const { bind, constants } = this.#affine(affine, x);
    using parts = this.#parts('strip_products', { x, dy, ...statistics, ...bind }, constants);
    const out = this.engine.empty([2 * this.groups, this.#c4 * 4]);
    sumMiddle(this.engine, parts, { outer: this.groups, middle: this.#strips(), inner: 2 * this.#c4 }, out);
    return out;
  }

  /** dx where the statistics are those of x itself. */
  gradient(dy: Tensor, x: Tensor, statistics: Statistics, affine: Affine, sums: Tensor): Tensor {
    return this.#write('gradient', { x, dy, ...statistics, sums }, affine, `${this.name}.dx`);
  }

  /** dx where the statistics do not depend on x, which matters only to an activation. */
  scale(dy: Tensor, x: Tensor | undefined, statistics: Statistics, affine: Affine): Tensor {
    return this.#write('scale', { x: x ?? dy, dy, ...statistics }, affine, `${this.name}.dx`);
  }

  /** The gradient of weight or bias, or of statistics that do not depend on x. */
  parameterGradient(
    of: (typeof PARAMETERS)[number],
    sums: Tensor,
    { variance }: Statistics,
    weight: Tensor | undefined,
    into?: Tensor,
  ): Tensor {
    const out = into ?? this.engine.empty([this.shape[1]]);
    this.engine.run(kernel, 'parameter_gradient', {
      bind: { sums, variance, weight: weight ?? variance, out },
      constants: { C4: this.#c4, EPS: this.eps, OF: PARAMETERS.indexOf(of), WEIGHT: weight !== undefined },
      uniforms: this.#sizes(1),
      threads: this.#c4,
      label: `${this.name}.d_${of}`,
    });
    return out;
  }

  #strips(): number {
    return Math.min(Math.ceil(this.count / SUMMED), MOST_STRIPS);
  }

  #sizes(strips: number): Uniforms {
    return { positions: this.count, strips, groups: this.groups, momentum: 0, unbias: 1 };
  }

  /** Bindings, `absent` for what is not there, and consts. */
  #affine({ weight, bias }: Affine, absent: Tensor): { bind: Bound; constants: Constants } {
    return {
      bind: { weight: weight ?? absent, bias: bias ?? absent },
      constants: {
        C4: this.#c4,
        EPS: this.eps,
        LEAK: this.leak,
        WEIGHT: weight !== undefined,
        BIAS: bias !== undefined,
      },
    };
  }

  /** What a kernel sums of each strip: (groups, strips, 2, C). */
  #parts(entry: string, bind: Bound, constants: Constants): Storage {
    const strips = this.#strips();
    const parts = this.engine.raw(this.groups * strips * 2 * this.#c4 * 16);
    this.engine.run(kernel, entry, {
      bind: { ...bind, out: parts },
      constants,
      uniforms: this.#sizes(strips),
      threads: this.groups * strips * this.#c4,
      flops: 4 * size(this.shape),
      label: `${this.name}.${entry}`,
    });
    return parts;
  }

  /** A result of the shape of x. */
  #write(entry: string, bind: Bound, affine: Affine, label: string): Tensor {
    const out = this.engine.empty(this.shape);
    const { bind: vectors, constants } = this.#affine(affine, bind.x);
    const strips = Math.ceil(this.count / WRITTEN);
    this.engine.run(kernel, entry, {
      bind: { ...bind, ...vectors, out },
      constants,
      uniforms: this.#sizes(strips),
      threads: this.groups * strips * this.#c4,
      flops: 4 * size(this.shape),
      label,
    });
    return out;
  }
}
