import type { Engine } from '../engine/engine.ts';
import { randomUniform } from '../engine/kernels/random-tensor.ts';
import { conv3d } from '../engine/ops/conv.ts';
import { separable_conv3d } from '../engine/ops/separable_conv3d.ts';
import { size as count, type Tensor } from '../engine/tensor.ts';
import { type Form, PASSES, type Pass, partsOf, type Setting, taps, work } from './conv-count.ts';
import { type Comparison, compare } from './conv-why.ts';
import { type Effort, measureTogether, recordNodes, runBackward } from './measure.ts';
import type { Peak } from './peak.ts';

export interface ConvRow extends Setting {
  readonly form: Form;
  readonly pass: Pass;
  /** Multiply-adds of the direct algorithm, padding included; two operations each. */
  readonly macs: number;
  /** Those of them that fall inside the clip. */
  readonly macsInside: number;
  /** What must be read and written at least once. */
  readonly bytes: number;
  readonly ms: number;
  /** Half the 95 % confidence interval of the mean, as a share of it. */
  readonly margin: number;
  readonly samples: number;
  readonly gflops: number;
  readonly gbs: number;
  /** Of the adapter's measured peak of arithmetic. */
  readonly share: number;
  /** Kernels that ran, as the profile names them. */
  readonly kernels: readonly string[];
}

export interface ConvBench {
  readonly rows: readonly ConvRow[];
  readonly comparisons: readonly Comparison[];
}

export interface ConvPlan {
  readonly channels: readonly number[];
  readonly frames: readonly number[];
  /** Height and width. */
  readonly sizes: readonly (readonly [number, number])[];
  readonly kernels: readonly number[];
  readonly effort: Effort;
}

/** About two minutes: on two cores without a GPU, sizes that they can do; on a GPU, one that fills it. */
export function convPlan(software: boolean, quick: boolean): ConvPlan {
  const side = (n: number) => [n, n] as const;
  if (quick) {
    const effort = { warmup: 1, spend: 80, least: 3, most: 10 };
    return { channels: [64], frames: [5], sizes: [side(software ? 24 : 128)], kernels: [3], effort };
  }
  const sizes = software ? [side(24), side(48)] : [side(48), side(256)];
  const effort = { warmup: 1, spend: software ? 250 : 150, least: 3, most: 20 };
  return { channels: [16, 64], frames: [5], sizes, kernels: [3, 5, 7], effort };
}

/** Every setting of the plan. @param onProgress is told the share of the work that is done */
export async function benchConv(
  engine: Engine,
  plan: ConvPlan,
  peak: Peak,
  onProgress: (share: number) => void = () => {},
): Promise<ConvBench> {
  const settings = settingsOf(plan);
  const { warmup = 2, least = 3, spend = 0 } = plan.effort;
  const cost = (setting: Setting, pass: Pass) => {
    const ms = (form: Form) => work(setting, form, pass).macs / peak.gflops / 2e5; // as if kernels reached 40 % of the peak
    return FORMS[pass].reduce((sum, form) => sum + Math.max(spend, (warmup + least) * ms(form)), 0);
  };
  const all = settings.flatMap((setting) => PASSES.map((pass) => cost(setting, pass))).reduce((a, b) => a + b);
  let done = 0;
  const rows: ConvRow[] = [];
  const comparisons: Comparison[] = [];
  for (const setting of settings) {
    const own: ConvRow[] = [];
    for (const pass of PASSES) {
      own.push(...(await benchPass(engine, setting, pass, plan.effort, peak)));
      done += cost(setting, pass);
      onProgress(done / all);
    }
    rows.push(...own);
    comparisons.push(...PASSES.map((pass) => compare(own, pass, peak)));
  }
  return { rows, comparisons };
}

function settingsOf({ channels, frames, sizes, kernels }: ConvPlan): Setting[] {
  const clips = frames.flatMap((d) => sizes.map(([h, w]) => [d, h, w] as const));
  return channels.flatMap((c) => clips.flatMap((size) => kernels.map((k) => ({ channels: c, size, k }))));
}

/**
 * What is measured in each pass. The two factors in a row need no measurement of their own but in training. Nor is there a
 * fused gradient to the weights alone: the filters of the pair need the gradient between them.
 */
const FORMS: Readonly<Record<Pass, readonly Form[]>> = {
  forward: ['full', 'spatial', 'temporal', 'fused'],
  dx: ['full', 'spatial', 'temporal', 'fused'],
  dw: ['full', 'spatial', 'temporal'],
  training: ['full', 'unfused', 'fused'],
};

async function benchPass(engine: Engine, setting: Setting, pass: Pass, effort: Effort, peak: Peak): Promise<ConvRow[]> {
  using _scope = engine.scope();
  const { channels, size } = setting;
  const [x, dy] = [1, 2].map((seed) => randomUniform(engine, [1, channels, ...size], seed, 0, -1, 1));
  const works = FORMS[pass].map((form) => workOf(engine, setting, form, pass, x, dy));
  const timings = await measureTogether(engine, works, effort);
  return timings.map(({ ms, margin, samples, kernels }, i) => {
    const form = FORMS[pass][i];
    const amount = work(setting, form, pass);
    const gflops = (2 * amount.macs) / ms / 1e6;
    return {
      ...setting,
      ...{ form, pass, ...amount, ms, margin, samples },
      ...{ gflops, gbs: amount.bytes / ms / 1e6, share: gflops / peak.gflops },
      kernels: [...new Set(kernels.map(({ label }) => label))],
    };
  });
}

function workOf(engine: Engine, setting: Setting, form: Form, pass: Pass, x: Tensor, dy: Tensor): () => void {
  const { channels, k } = setting;
  const weights = partsOf(form).map((part, i) => {
    const limit = Math.sqrt(3 / channels / count(taps(part, k))); // values neither grow nor vanish from layer to layer
    return randomUniform(engine, [channels, channels, ...taps(part, k)], 3 + i, 0, -limit, limit, 'filter');
  });
  const convolve = (x: Tensor, w: Tensor) =>
    conv3d(x, w, undefined, { padding: w.shape.slice(2).map((n) => (n - 1) / 2) });
  const call = () =>
    form === 'fused' ? separable_conv3d(x, weights[0], undefined, weights[1]) : weights.reduce(convolve, x);
  return passOf(engine, pass, call, x, weights, dy);
}

/** Work that runs one pass and keeps nothing. */
function passOf(engine: Engine, pass: Pass, call: () => Tensor, x: Tensor, weights: Tensor[], dy: Tensor): () => void {
  const leaves = pass === 'dx' ? [x] : pass === 'dw' ? weights : [x, ...weights];
  const nodes = pass === 'dx' || pass === 'dw' ? recordNodes(engine, leaves, call) : [];
  if (pass === 'training') for (const leaf of leaves) leaf.track();
  return () => {
    using _scope = engine.scope();
    if (pass === 'forward') call();
    else if (pass !== 'training') runBackward(nodes, dy, leaves);
    else {
      using tape = engine.record();
      tape.backward(call(), dy);
      for (const leaf of leaves) leaf.setGrad(undefined);
    }
  };
}
