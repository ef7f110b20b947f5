import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../engine/errors.ts';
import { type Build, Module, type StateDict } from '../engine/nn/module.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';

/**
 * How a super-resolution network takes frames (N samples, C channels, T frames, H x W pixels, s times larger).
 * image: (N, C, H, W) to (N, C, sH, sW), each frame by itself.
 * clip: (N, C, T, H, W) to (N, C, T, sH, sW), any T.
 * centre: (N, C, T, H, W) to (N, C, 1, sH, sW), the middle frame, floor(T / 2), of a window.
 * recurrent: (N, C, T, H, W) to (N, C, T, sH, sW), one frame after the other; with the result of the first frame as a second
 * input, (N, C, 1, sH, sW), it goes on from there and answers for the T - 1 frames that follow.
 */
export type Form = 'image' | 'clip' | 'centre' | 'recurrent';

/** A super-resolution network: what enlarging, judging and training need to know of it. Values are 0..1 at both ends. */
export abstract class Net extends Module {
  /** channels: 1 (luminance, BT.601 limited range) or 3 (RGB). */
  abstract readonly config: { readonly channels: number; readonly scale: number };
  abstract readonly form: Form;
  /** Frames that it sees at once; 1 where each stands alone. */
  readonly window: number = 1;
  /** What stands before a clip's first frame and behind its last: that frame again, black, or the window's middle frame. */
  readonly ends: 'repeat' | 'black' | 'middle' = 'repeat';
  /**
   * Pixels of the input around a position that can change its output; tiles overlap by so many. Networks whose reach is the
   * whole picture in theory name what matters in practice, and are not `exact`.
   */
  abstract readonly spatialReach: number;
  /** Whether a picture in tiles that overlap by the reach is the picture as a whole. */
  readonly exact: boolean = true;
  /** Tiles begin at multiples of so many pixels: strides and pools within must fall alike. */
  readonly grid: number = 1;
  /** The picture comes to the network enlarged by bicubic interpolation; it leaves the size as it is. */
  readonly enlarged: boolean = false;
  /** A second input: motion from the middle frame to each of the others, (N, 2, T - 1, H, W) in pixels, x right, y down. */
  readonly motion: 'coarse2fine' | 'none' = 'none';
  /** Where it makes a picture after each frame of its window: all of them, (N, C, T, sH, sW). forward gives the last one. */
  estimates?(x: Tensor): Tensor;
}

export type Task = 'super-resolution' | 'discriminator' | 'features' | 'recognition' | 'flow';

/** Tensors of a published file under our names and in our layouts, and the settings that their names and shapes tell. */
export interface Adopted {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: StateDict;
}

/** A network as the command line and the table of networks know it. */
export interface NetEntry<M extends Module = Module> {
  /** Its name in full. */
  readonly title: string;
  /** Authors and venue. */
  readonly paper: string;
  readonly year: number;
  readonly task: Task;
  /** Every setting with its default, the paper's full size; `--set net.<name>=<value>` changes one. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** What forward takes, in its order; '?' behind a name: may be missing. */
  readonly inputs: readonly string[];
  /** Shapes of usual inputs of a network that does not enlarge, for tables and profiles. */
  readonly usual?: readonly Shape[];
  /** Parameters (no running statistics) as published for the default settings, and who says so. */
  readonly published?: { readonly parameters: number; readonly by: string };
  /** Where trained weights can be had. */
  readonly weights: string;
  /** What it was held against. */
  readonly verified: string;
  /** @throws {UsageError} when the settings make no network */
  create(build: Build, config: Readonly<Record<string, unknown>>): M;
  /**
   * Makes published files of this network ours: other names, layouts and orders of channels, in every generation of files.
   * Wrappers and prefixes (params_ema, state_dict, module.) are gone by then. Files with our own names come back as they are.
   * What it does not know it leaves, so that loading reports it by name.
   */
  adopt?(tensors: StateDict): Adopted;
}

export type SrEntry = NetEntry<Net>;

/** Settings laid over the defaults. They may come from a command line or a file, where the compiler has not seen them. */
export function configure<C extends object>(net: string, defaults: C, given: Partial<C>, rules: Rules<C>): C {
  const config = { ...defaults, ...given };
  for (const [key, rule] of Object.entries(rules) as [keyof C & string, Rule][]) {
    const value = config[key];
    if (!rule.holds(value)) throw new UsageError(`${net} ${key}: expected ${rule.want}, got ${value}`);
  }
  return config;
}

export interface Rule {
  readonly want: string;
  holds(value: unknown): boolean;
}
export type Rules<C> = { readonly [K in keyof C]: Rule };

/** A whole number of at least `least`. */
export const whole = (least = 1): Rule => ({
  want: `a whole number of at least ${least}`,
  holds: (value) => Number.isSafeInteger(value) && (value as number) >= least,
});

export const oneOf = (...values: readonly unknown[]): Rule => ({
  want: values.join(' or '),
  holds: (value) => values.includes(value),
});

/** A number from `low` to `high`. */
export const between = (low: number, high: number): Rule => ({
  want: `a number from ${low} to ${high}`,
  holds: (value) => typeof value === 'number' && value >= low && value <= high,
});

/** Multiply-adds of one forward pass: those of convolutions and matrix products, as papers count them. */
export function countMacs(engine: Engine, forward: () => Tensor): number {
  const outer = engine.tracer;
  let flops = 0;
  engine.tracer = (rule, inputs, attrs, y) => {
    outer?.(rule, inputs, attrs, y);
    if (!/conv|linear/.test(rule.name)) return;
    const given = Object.entries(inputs).flatMap(([name, x]) => (x ? [[name, x.shape]] : []));
    flops += rule.flops(Object.fromEntries(given), attrs, y.shape);
  };
  try {
    using _scope = engine.scope();
    forward();
  } finally {
    engine.tracer = outer;
  }
  return flops / 2;
}

/** The shape of the frames that a network takes. */
export const inputShape = (net: Net, samples: number, frames: number, h: number, w: number): number[] =>
  net.form === 'image' ? [samples * frames, net.config.channels, h, w] : [samples, net.config.channels, frames, h, w];

/** The shapes of all that forward takes. @param goesOn with the result of the first frame, as recurrent networks go on from */
export function inputShapes(net: Net, samples: number, frames: number, h: number, w: number, goesOn = false): Shape[] {
  const { channels, scale } = net.config;
  return [
    inputShape(net, samples, frames, h, w),
    ...(goesOn ? [[samples, channels, 1, h * scale, w * scale]] : []),
    ...(net.motion === 'none' ? [] : [[samples, 2, frames - 1, h, w]]),
  ];
}

/** The same for one frame out of the network, with the frames around it that it looks at, or the frame and result before. */
export const shapesForOneFrame = (net: Net, h: number, w: number): Shape[] =>
  net.form === 'recurrent' ? inputShapes(net, 1, 2, h, w, true) : inputShapes(net, 1, net.window, h, w);

const COUNTED_EDGE = 16;

/** Multiply-adds for a clip: those of a small one, in proportion to its area. */
export function macsFor(engine: Engine, net: Net, frames: number, h: number, w: number): number {
  const edge = Math.ceil(COUNTED_EDGE / net.grid) * net.grid;
  using _scope = engine.scope();
  const inputs = inputShapes(net, 1, frames, edge, edge).map((shape) => engine.zeros(shape));
  const { tape } = engine;
  engine.tape = undefined;
  let macs = 0;
  engine.rehearse(() => {
    macs = countMacs(engine, () => net.forward(...inputs));
  });
  engine.tape = tape;
  return (macs * h * w) / edge ** 2;
}
