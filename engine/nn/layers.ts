import { Varying } from '../kernel.ts';
import { dropoutMask } from '../kernels/random-tensor.ts';
import { type ConvAttrs, conv2d, conv3d } from '../ops/conv.ts';
import { conv_transpose2d, conv_transpose3d } from '../ops/conv_transpose.ts';
import { dropout } from '../ops/dropout.ts';
import { type Fusion, fused_conv2d, fused_conv3d } from '../ops/fused_conv.ts';
import { prelu } from '../ops/prelu.ts';
import type { Tensor } from '../tensor.ts';
import { constant, type Init, xavierUniform } from './init.ts';
import { type Build, Module, type Noise } from './module.ts';

export interface ConvOptions extends Partial<ConvAttrs> {
  readonly in: number;
  readonly out: number;
  /** Taps per axis: (h, w) or (d, h, w). */
  readonly kernel: readonly number[];
  readonly bias?: boolean;
  readonly init?: Init;
}

/** A convolution's filter and bias. Padding keeps the size ("same") unless told, which needs odd kernels. */
abstract class Conv extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  protected readonly attrs: Partial<ConvAttrs>;

  constructor({ engine, random }: Build, options: ConvOptions, shape: readonly number[]) {
    super();
    const { kernel, out, bias = true, init = xavierUniform, stride, dilation, groups } = options;
    const same = kernel.map((k, i) => Math.floor(((k - 1) * at(dilation, i)) / 2));
    this.attrs = { padding: options.padding ?? same, stride, dilation, groups };
    this.weight = engine.parameter(shape, init(shape, random), 'filter');
    this.bias = bias ? engine.parameter([out], constant(0)([out], random)) : undefined;
  }
}

const at = (value: ConvAttrs['dilation'] | undefined, i: number): number =>
  typeof value === 'object' ? value[i] : (value ?? 1);

/** What a convolution does besides, in the same pass over memory: see fused_conv2d. */
export interface Fused extends Partial<Fusion> {
  readonly slope?: Tensor;
  readonly residual?: Tensor;
}

/** y = conv2d(x, weight, bias). */
export class Conv2d extends Conv {
  constructor(build: Build, options: ConvOptions) {
    super(build, options, [options.out, options.in / (options.groups ?? 1), ...options.kernel]);
  }
  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.attrs);
  }
  fused(x: Tensor, { slope, residual, ...fusion }: Fused): Tensor {
    return fused_conv2d(x, this.weight, this.bias, slope, residual, { ...this.attrs, ...fusion });
  }
}

/** y = conv3d(x, weight, bias). */
export class Conv3d extends Conv {
  constructor(build: Build, options: ConvOptions) {
    super(build, options, [options.out, options.in / (options.groups ?? 1), ...options.kernel]);
  }
  forward(x: Tensor): Tensor {
    return conv3d(x, this.weight, this.bias, this.attrs);
  }
  fused(x: Tensor, { slope, residual, ...fusion }: Fused): Tensor {
    return fused_conv3d(x, this.weight, this.bias, slope, residual, { ...this.attrs, ...fusion });
  }
}

/** y = conv_transpose2d(x, weight, bias); weight (in, out, taps...). No padding unless told. */
export class ConvTranspose2d extends Conv {
  readonly #outputPadding: readonly number[];
  constructor(build: Build, { outputPadding, ...options }: ConvOptions & { outputPadding?: readonly number[] }) {
    super(build, { padding: 0, ...options }, [options.in, options.out / (options.groups ?? 1), ...options.kernel]);
    this.#outputPadding = outputPadding ?? [0, 0];
  }
  forward(x: Tensor): Tensor {
    return conv_transpose2d(x, this.weight, this.bias, { ...this.attrs, output_padding: this.#outputPadding });
  }
}

/** y = conv_transpose3d(x, weight, bias); weight (in, out, taps...). No padding unless told. */
export class ConvTranspose3d extends Conv {
  readonly #outputPadding: readonly number[];
  constructor(build: Build, { outputPadding, ...options }: ConvOptions & { outputPadding?: readonly number[] }) {
    super(build, { padding: 0, ...options }, [options.in, options.out, ...options.kernel]);
    this.#outputPadding = outputPadding ?? [0, 0, 0];
  }
  forward(x: Tensor): Tensor {
    return conv_transpose3d(x, this.weight, this.bias, { ...this.attrs, output_padding: this.#outputPadding });
  }
}

/** Parametric ReLU with a slope per channel, or one for all. */
export class PReLU extends Module {
  readonly weight: Tensor;
  constructor({ engine, random }: Build, slopes: number, start = 0) {
    super();
    this.weight = engine.parameter([slopes], constant(start)([slopes], random));
  }
  forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }
}

/** Sets a share p of the values to zero and scales the others by 1 / (1 - p), in training only. */
export class Dropout extends Module {
  readonly #noise: Noise;
  constructor(
    { noise }: Build,
    readonly p: number,
  ) {
    super();
    this.#noise = noise;
  }
  override get repeats(): boolean {
    return !this.training || this.p === 0;
  }
  forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    const mask = new Varying(() => dropoutMask(this.p, this.#noise.seed, this.#noise.counter++));
    return dropout(x, { p: this.p, mask });
  }
}
