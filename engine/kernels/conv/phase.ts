import type { Engine, Run } from '../../engine.ts';
import type { Constants, Uniforms } from '../../kernel.ts';
import type { Shape, Tensor } from '../../tensor.ts';
import type { Axis, Window } from './geometry.ts';

/**
 * A convolution and what is done in the same pass over memory: the input goes through a PReLU as it is loaded; the sum takes
 * bias, pixel shuffle, residual and activation on its way out, y = act(shuffle(conv(prelu(x)) + bias) + residual).
 */
export interface Convolution {
  readonly x: Tensor;
  /** Filter in (taps, input channels of a group, output channels) order. */
  readonly w: Tensor;
  readonly bias?: Tensor;
  /** PReLU of x: a slope per channel, or one for all. */
  readonly slope?: Tensor;
  /** Of the shape of the result. */
  readonly residual?: Tensor;
  /** Slope of the activation below zero: 1 none, 0 ReLU. */
  readonly leak?: number;
  /** Factor r of a pixel shuffle; the filter's output channels then lie as (phase, channel), see `phaseFilter`. */
  readonly shuffle?: number;
  /** Phase p of the shuffle reads x from ⌊(p + lead) / r⌋ further on, rows and columns alike; 0 if not given. */
  readonly lead?: number;
  readonly out: Shape;
  readonly window: Window;
  /** Channels of a group. */
  readonly ci: number;
  readonly co: number;
  readonly label: string;
}

/** What all variants of a family are launched with. */
interface SharedRun {
  readonly bind: Run['bind'];
  readonly uniforms: Uniforms;
  readonly flops: number;
}

/** One dispatch's worth of a convolution: all of it, or one phase of a spreading window. */
export interface Phase {
  readonly engine: Engine;
  readonly conv: Convolution;
  readonly out: Tensor;
  /** Depth, height, width. */
  readonly axes: readonly [Axis, Axis, Axis];
  readonly batch: number;
  /** Channels / 4, padding included. */
  readonly ci4: number;
  readonly co4: number;
  /** Positions of this phase over all axes and the batch. */
  readonly positions: number;
  /** Consts of what is fused: BIAS, RESIDUAL, LEAK, SLOPES, and R. */
  readonly fused: Constants & { readonly R: number };
  /** Bindings, uniforms and counts that all variants share. */
  readonly run: SharedRun;
}

/** Output channels / 4 that read the same inputs, which the lanes of a block share. */
export const sharing = ({ conv, co4, fused }: Phase): number => (conv.lead ? co4 / fused.R ** 2 : co4);

/** A kernel that computes some phases. */
export interface GatherVariant {
  /** As KERNEL=conv:name asks for it. */
  readonly name: string;
  /** Its launch under a label, or undefined for what it cannot do. */
  plan(phase: Phase): ((label: string) => void) | undefined;
}

/** One correlation: part[tap][b][a] = Σ dense[o][a] · x[o·is + off + tap·offStep][b], in chunks of rows. */
export interface Correlation {
  readonly engine: Engine;
  readonly x: Tensor;
  readonly dense: Tensor;
  /** PReLU of x. */
  readonly slope: Tensor | undefined;
  readonly window: Window;
  /** Channels of dense and of x, of a group. */
  readonly a: number;
  readonly b: number;
  readonly taps: number;
  /** The gradient, in filter layout; every variant fills it. */
  readonly out: Tensor;
  readonly fused: Constants;
  readonly run: SharedRun;
}

export interface CorrelateVariant {
  /** As KERNEL=conv_dw:name asks for it. */
  readonly name: string;
  plan(correlation: Correlation): ((label: string) => void) | undefined;
}

/** The const SLOPES of a PReLU: none, one per channel, one for all. */
export const slopesOf = (slope: Tensor | undefined): number => (slope ? (slope.shape[0] === 1 ? 2 : 1) : 0);
