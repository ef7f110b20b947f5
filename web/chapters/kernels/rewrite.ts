import type { Engine } from '../../../engine/engine.ts';
import { KernelError } from '../../../engine/errors.ts';
import { Kernel } from '../../../engine/kernel.ts';
import type { AnyOp } from '../../../engine/op.ts';
import { conv2d, conv3d } from '../../../engine/ops/conv.ts';
import { fused_conv2d } from '../../../engine/ops/fused_conv.ts';
import type { Reference } from '../../../engine/reference/array.ts';
import { conv } from '../../../engine/reference/convolution.ts';
import { fusedConv } from '../../../engine/reference/fused.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import directWgsl from '../../../shaders/conv.direct.wgsl';
import { breathe, type Lab, Superseded } from '../../lab/device.ts';
import { timeTogether } from '../../lab/timing.ts';
import { forced } from '../../lab/variants.ts';
import { guarded, kernelOf, STOPPED } from './guard.ts';
import { fittingSize, recorded } from './ladder-measure.ts';
import { type Problem, problemsOf } from './problems.ts';
import { compare } from './puzzle.ts';
import { random } from './random.ts';
import { flopsOf, Layer, type LayerSize, rungs } from './rungs.ts';

const FILE = 'conv.direct';
const original = new Kernel(FILE, directWgsl);
/** Rounds of all loops of an invocation: a layer of 64 channels needs 27 · 64 · 5. */
const ROUNDS = 200_000;

interface Case {
  readonly op: AnyOp;
  readonly reference: Reference;
  readonly shapes: Record<string, number[]>;
  readonly attrs: object;
}

/** What the kernel must compute: odd sizes, a stride, groups, and everything that is fused. */
const cases: readonly Case[] = [
  {
    op: conv3d,
    reference: conv,
    shapes: { input: [1, 5, 3, 7, 9], weight: [6, 5, 3, 3, 3], bias: [6] },
    attrs: { padding: 1 },
  },
  {
    op: conv2d,
    reference: conv,
    shapes: { input: [2, 6, 9, 7], weight: [9, 2, 3, 3] },
    attrs: { stride: 2, padding: 1, groups: 3 },
  },
  {
    op: fused_conv2d,
    reference: fusedConv,
    shapes: { input: [1, 4, 5, 7], weight: [8, 4, 3, 3], bias: [8], slope: [4], residual: [1, 2, 10, 14] },
    attrs: { padding: 1, negative_slope: 0.1, shuffle: 2 },
  },
];

export type Rewritten =
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }
  | { readonly kind: 'wrong'; readonly why: string }
  | {
      readonly kind: 'right';
      readonly error: number;
      readonly size: LayerSize;
      /** Of ours and of the reader's, in one go. */
      readonly ms: readonly [number, number];
      readonly gflops: readonly [number, number];
    };

/** Runs a text in the place of conv.direct.wgsl, against the float64 references, then against the clock. */
export async function rewrite(lab: Lab, text: string, signal: AbortSignal): Promise<Rewritten> {
  const { engine } = lab;
  const problems = await problemsOf(engine.device.gpu, text);
  if (problems.some(({ severity }) => severity === 'error')) return { kind: 'problems', problems };
  const why = missing(text);
  if (why) return { kind: 'wrong', why };
  using stopped = engine.raw(16);
  engine.commands.write(stopped.block, new Uint32Array(4));
  const safe = { kernel: await guarded(engine.device.gpu, text, {}, ROUNDS), bind: { [STOPPED]: stopped } };
  const endless = async () => new Uint32Array(await engine.readRaw(stopped))[0] !== 0;
  try {
    engine.standIns.set(FILE, safe);
    let error = 0;
    for (const each of cases) {
      const verdict = await check(engine, each);
      const { name } = each.op.spec;
      if (await endless()) return { kind: 'wrong', why: `A loop was stopped after ${ROUNDS} rounds, in ${name}.` };
      if (verdict.why) return { kind: 'wrong', why: `${verdict.why}, in ${name} with ${JSON.stringify(each.attrs)}.` };
      error = Math.max(error, verdict.error);
      await breathe();
      if (signal.aborted) throw new Superseded();
    }
    engine.standIns.delete(FILE);
    const size = await fittingSize(lab, signal);
    using _scope = engine.scope();
    const ours = recorded(engine, rungs[0], new Layer(engine, size));
    engine.standIns.set(FILE, safe);
    await engine.compile(ours);
    ours();
    if (await endless()) return { kind: 'wrong', why: `A loop was stopped after ${ROUNDS} rounds, in a larger layer.` };
    const bare = { kernel: kernelOf(text) };
    const yours = () => {
      engine.standIns.set(FILE, bare);
      try {
        ours();
      } finally {
        engine.standIns.delete(FILE);
      }
    };
    engine.standIns.delete(FILE);
    const times = await timeTogether(engine, [ours, yours], { signal, samples: 9, sampleMs: 50 });
    const ms = [times[0].ms, times[1].ms] as const;
    const rate = (t: number) => flopsOf(rungs[0], size) / t / 1e6;
    return { kind: 'right', error, size, ms, gflops: [rate(ms[0]), rate(ms[1])] };
  } catch (failure) {
    if (failure instanceof KernelError) return { kind: 'wrong', why: failure.message };
    throw failure;
  } finally {
    engine.standIns.delete(FILE);
  }
}

/** What the engine needs to find in the text. */
function missing(text: string): string | undefined {
  const { bindings } = kernelOf(text);
  for (const name of original.bindings.keys()) {
    if (!bindings.has(name)) return `The engine binds a buffer named ${name}: declare it as the file had it.`;
  }
  for (const name of ['CI', 'CO', 'GROUPS', 'BIAS', 'RESIDUAL', 'LEAK', 'SLOPES', 'R', 'LEAD']) {
    const declared = new RegExp(`^const ${name}\\b[^;]*=`, 'm').test(text);
    if (!declared) return `The engine sets const ${name}: leave it at the beginning of a line, as the file had it.`;
  }
  return /\bfn\s+gather\s*\(/.test(text) ? undefined : 'The engine starts fn gather: give it its name back.';
}

async function check(engine: Engine, { op, reference, shapes, attrs }: Case) {
  const arrays = Object.entries(shapes).map(([name, shape], i) => [name, random(20 + i, shape)] as const);
  const want = reference.forward(Object.fromEntries(arrays), attrs);
  engine.memory.trim(); // fresh memory is zero: what was right a run ago must not stand in for what nobody wrote
  using _scope = engine.scope();
  const { name: result, inputs, filters = [] } = op.spec;
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, data }] of arrays)
    tensors[name] = engine.tensor(shape, data, filters.includes(name) ? 'filter' : 'image');
  const given = inputs.map((name: string) => tensors[name.replace('?', '')]);
  const work = () => forced({ conv: 'direct' }, () => op(...given, attrs));
  await engine.compile(work);
  return compare(result, await work().read(), want);
}
