import type { Engine } from '../../../engine/engine.ts';
import { randomUniform } from '../../../engine/kernels/random-tensor.ts';
import { add } from '../../../engine/ops/binary.ts';
import { conv3d } from '../../../engine/ops/conv.ts';
import { fused_conv3d } from '../../../engine/ops/fused_conv.ts';
import { prelu } from '../../../engine/ops/prelu.ts';
import { separable_conv3d } from '../../../engine/ops/separable_conv3d.ts';
import { size as elements, type Shape, type Tensor } from '../../../engine/tensor.ts';
import type { Line } from '../../lab/plot.tsx';
import { median, type TimingOptions, timeTogether } from '../../lab/timing.ts';
import { forced } from '../../lab/variants.ts';
import { countFull, countSeparable, promise, type Size } from './count.ts';

/** The residual block y = x + convolution(PReLU(x)): two windows, two ways to run each. */
export const FORMS = {
  fullSteps: 'full k×k×k, step by step',
  steps: 'separable, step by step',
  full: 'full k×k×k, fused',
  fused: 'separable, fused',
} as const;
export type Form = keyof typeof FORMS;
export const forms = Object.keys(FORMS) as Form[];

/** The full window run in the same way: what a form is measured against. */
const FULL: Readonly<Record<Form, Form>> = { fullSteps: 'fullSteps', steps: 'fullSteps', full: 'full', fused: 'full' };

/** Which of the engine's convolution kernels run. */
export const KERNELS = {
  best: "the engine's choice",
  winograd: 'Winograd where it fits',
  direct: 'the plain one for all',
} as const;
export type Kernels = keyof typeof KERNELS;
const variants: Record<Kernels, Record<string, string>> = {
  best: {},
  winograd: { conv: 'winograd_tiled', separable: 'split' },
  direct: { conv: 'direct', conv_dw: 'direct', separable: 'split' },
};

export interface Measured extends Size {
  readonly kernels: Kernels;
  readonly rows: Readonly<Record<Form, Row>>;
}

/** Times in ms, one of each repeat. In a repeat all forms take turns. */
export interface Row {
  readonly forward: readonly number[];
  /** Forward and backward. */
  readonly both: readonly number[];
  /** Shader files in order of dispatch, forward. */
  readonly ran: readonly string[];
}

export type Way = 'forward' | 'both';

/** How many times faster: the ratio of the medians, and the least and the most of the repeats' own ratios around it. */
export interface Gain {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly repeats: number;
}

/** How many times faster than the full window a form was. */
export function gainOf({ rows }: Measured, form: Form, way: Way): Gain {
  const [full, own] = [rows[FULL[form]][way], rows[form][way]];
  const each = full.map((ms, i) => ms / own[i]);
  return {
    median: median(full) / median(own),
    least: Math.min(...each),
    most: Math.max(...each),
    repeats: each.length,
  };
}

/** By so much a median may exceed the promise before it is called too fast. */
const TOLERANCE = 1.05;

/** What was faster than the arithmetic allows, every tap counted, those in the padding too. */
export const tooFast = (measured: Measured): { form: Form; way: Way }[] =>
  forms
    .flatMap((form) => [{ form, way: 'forward' } as const, { form, way: 'both' } as const])
    .filter(({ form, way }) => gainOf(measured, form, way).median > TOLERANCE * promise(measured.k));

/** Whether Winograd's algorithm made the 3x3 windows of both blocks, forward and step by step. */
export const ranWinograd = ({ rows }: Measured): boolean =>
  [rows.fullSteps, rows.steps].every(({ ran }) => ran.some((name) => name.includes('winograd')));

const MOST_SETTINGS = 8;

/** Equal for measurements that can be compared as repeats of one another. */
export const settingOf = ({ k, channels, frames, edge, kernels }: Measured): string =>
  [k, channels, frames, edge, kernels].join();

/** The last measurement of each setting, newest first. */
export function settingsOf(all: readonly Measured[]): Measured[] {
  const last = new Map<string, Measured>();
  for (const measured of [...all].reverse()) {
    const setting = settingOf(measured);
    if (!last.has(setting)) last.set(setting, measured);
  }
  return [...last.values()].slice(0, MOST_SETTINGS);
}

/** Every measurement against what arithmetic promised it, padding left out, in order of the promise. */
export function promisesOf(all: readonly Measured[]): { x: number[]; lines: Line[] } {
  const points = all
    .map((measured) => ({ measured, promised: countFull(measured).useful / countSeparable(measured).useful }))
    .sort((a, b) => a.promised - b.promised);
  const x = [0.5, ...points.map(({ promised }) => promised), 5]; // no promise is less, and none of k ≤ 5 is more
  const line = (label: string, form: Form, way: Way) => {
    const y = [null, ...points.map(({ measured }) => gainOf(measured, form, way).median), null];
    return { label, y, points: true };
  };
  const lines = [
    { label: 'as promised', y: x },
    line('step by step, forward', 'steps', 'forward'),
    line('fused, forward', 'fused', 'forward'),
    line('step by step, both ways', 'steps', 'both'),
    line('fused, both ways', 'fused', 'both'),
  ];
  return { x, lines };
}

/** Tensors of one block in all its forms. The caller's scope owns nothing of it: dispose it. */
export class Blocks {
  readonly #tensors: Tensor[] = [];
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly #weights: Record<'full' | 'spatial' | 'temporal', Tensor>;
  readonly #biases: readonly [Tensor, Tensor];
  readonly #slope: Tensor;

  constructor(
    readonly engine: Engine,
    readonly size: Size,
  ) {
    const { k, channels: c, frames, edge } = size;
    const make = (shape: Shape, layout: 'image' | 'filter' = 'image') => {
      const bound = layout === 'filter' ? (elements(shape) / c) ** -0.5 : 1;
      const stream = this.#tensors.length;
      const tensor = engine.lasting(() => randomUniform(engine, shape, 1, stream, -bound, bound, layout).track());
      this.#tensors.push(tensor);
      return tensor;
    };
    this.x = make([1, c, frames, edge, edge]);
    this.dy = make([1, c, frames, edge, edge]);
    this.#weights = {
      full: make([c, c, k, k, k], 'filter'),
      spatial: make([c, c, 1, k, k], 'filter'),
      temporal: make([c, c, k, 1, 1], 'filter'),
    };
    this.#biases = [make([c]), make([c])];
    this.#slope = make([c]);
  }

  /** One block's result; the innermost scope owns it. */
  forward(form: Form): Tensor {
    const { x } = this;
    const { full, spatial, temporal } = this.#weights;
    const [biasS, biasT] = this.#biases;
    const slope = this.#slope;
    const r = (this.size.k - 1) / 2;
    if (form === 'full') return fused_conv3d(x, full, biasS, slope, x, { padding: r });
    if (form === 'fused') return separable_conv3d(x, spatial, biasS, temporal, biasT, slope, x);
    const active = prelu(x, slope);
    if (form === 'fullSteps') return add(conv3d(active, full, biasS, { padding: r }), x);
    const middle = conv3d(active, spatial, biasS, { padding: [0, r, r] });
    return add(conv3d(middle, temporal, biasT, { padding: [r, 0, 0] }), x);
  }

  /** Forward, then the gradients of x and of all parameters. */
  train(form: Form): void {
    const { engine } = this;
    using _scope = engine.scope();
    using tape = engine.record();
    tape.backward(this.forward(form), this.dy);
    for (const tensor of this.#tensors) tensor.setGrad(undefined);
  }

  infer(form: Form): void {
    using _scope = this.engine.scope();
    this.forward(form);
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#tensors) tensor.release();
  }
}

/** Times all forms, forward alone and with the gradients, `samples` times in turn. */
export async function measureBlocks(
  engine: Engine,
  size: Size,
  kernels: Kernels,
  options: TimingOptions,
): Promise<Measured> {
  using blocks = new Blocks(engine, size);
  const work = (record: () => void) => () => forced(variants[kernels], record);
  const infer = forms.map((form) => work(() => blocks.infer(form)));
  const train = forms.map((form) => work(() => blocks.train(form)));
  const ran = await Promise.all(infer.map((one) => engine.compile(one)));
  const times = await timeTogether(engine, [...infer, ...train], options);
  const row = (i: number): Row => ({
    forward: times[i].samples,
    both: times[forms.length + i].samples,
    ran: ran[i],
  });
  return { ...size, kernels, rows: Object.fromEntries(forms.map((form, i) => [form, row(i)])) as Record<Form, Row> };
}

/**
 * Height and width at which the full convolution takes long enough to be timed, and not so long that anyone waits: the edge
 * doubles while a run is shorter than that.
 */
export async function fittingEdge(
  engine: Engine,
  size: Omit<Size, 'edge'>,
  software: boolean,
  signal: AbortSignal,
): Promise<number> {
  for (let edge = software ? 12 : 64; ; edge *= 2) {
    using blocks = new Blocks(engine, { ...size, edge });
    const [{ ms }] = await timeTogether(engine, [() => blocks.infer('full')], { signal, samples: 1, sampleMs: 0 });
    if (ms > (software ? 40 : 6) || edge >= (software ? 24 : 128)) return edge;
  }
}
