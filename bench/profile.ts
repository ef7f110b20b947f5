import type { KernelTime } from '../engine/commands.ts';
import type { Engine } from '../engine/engine.ts';
import { LimitError, SubpixelError } from '../engine/errors.ts';
import { type Module, Noise } from '../engine/nn/module.ts';
import { nameLayers } from '../engine/nn/name-layers.ts';
import { Random } from '../engine/random.ts';
import { type Shape, size, type Tensor } from '../engine/tensor.ts';
import { netNamed, nets } from '../nets/index.ts';
import { inputShapes, macsFor, Net } from '../nets/net.ts';
import { checkRecipe, type Recipe } from '../train/recipes.ts';
import { SyntheticSource } from '../train/synthetic.ts';
import { buildNet, Trainer } from '../train/trainer.ts';
import { noise } from './measure.ts';
import { type AtPeak, explainPeak, MemoryLog, type MemoryTimeline } from './memory-timeline.ts';
import { measureLaunch, measurePeak, type Peak } from './peak.ts';

/** Parts of a step. Transfer: numbers that come to the device or leave it, in the engine's layout and out of it. */
export const PHASES = ['transfer', 'forward', 'backward', 'update'] as const;
export type Phase = (typeof PHASES)[number];

/** What bounds a kernel: the one of the three that alone would take longest. */
export type Bound = 'arithmetic' | 'memory' | 'launch';

/** The best that this adapter does, measured beside the profile. */
export interface Roof extends Peak {
  /** Reading, or reading and writing, whichever is faster. */
  readonly gbs: number;
  /** Of a dispatch that does nothing. */
  readonly launchUs: number;
}

/** Dispatches of one name, in one phase. */
export interface ProfileRow {
  readonly name: string;
  readonly phase: Phase;
  readonly calls: number;
  readonly ms: number;
  /** Of the whole step. */
  readonly share: number;
  readonly flops: number;
  /** Of all bindings, each counted once a dispatch: what caches do not save, and kernels do not read twice. */
  readonly bytes: number;
  readonly gflops: number;
  readonly gbs: number;
  /** Operations a byte. */
  readonly intensity: number;
  /** Time that the roofline allows, over time taken: 1 is a kernel at min(peak GFLOP/s, intensity · peak GB/s). */
  readonly roofline: number;
  readonly bound: Bound;
}

/** How rows are put together: by kernel, by the op that ran it, by the layer that asked for the op. */
export const GROUPINGS = ['kernel', 'op', 'layer'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface Profile {
  readonly what: 'training step' | 'inference';
  readonly net: string;
  /** Of the network's input. */
  readonly shape: Shape;
  /** Forward and backward passes in the step. */
  readonly passes: number;
  readonly parameters: number;
  /** Steps timed. The one told of is that of median time. */
  readonly steps: number;
  readonly roof: Roof;
  /** Milliseconds on the device. */
  readonly ms: Readonly<Record<Phase | 'step', number>>;
  readonly times: readonly KernelTime[];
  readonly memory: MemoryTimeline;
}

/** What is done over and over, and who owns what of its memory. */
interface Subject {
  readonly what: Profile['what'];
  readonly net: Module;
  readonly name: string;
  readonly shape: Shape;
  readonly passes: number;
  slots(): Iterable<[string, Tensor]>;
  step(): Promise<unknown>;
  dispose(): void;
}

export interface ProfileOptions {
  /** Measured first if not given. */
  readonly roof?: Roof;
  /** Is told what is being done. */
  readonly tell?: (line: string) => void;
}
type Tell = NonNullable<ProfileOptions['tell']>;

/** Steps are repeated until so much time is spent, or so many are timed. */
const SPEND_MS = 2000;
const MOST_STEPS = 5;
/** A step that would take longer on a software adapter is profiled with one sample in a pass. */
const PATIENCE_SECONDS = 8;
/** Of the peak, what networks reach on software adapters. */
const USUAL_SHARE = 0.3;

/**
 * A recipe's training step as the trainer takes it, kernel by kernel: its passes, clipping, optimizer, moving average. Each
 * dispatch is timed in a pass of its own, so that the sum is a little more than the step takes in training.
 * @param batch samples in a pass; the recipe's own if not given, or one where that would take too long in software
 * @throws {LimitError} when the adapter has no timestamps
 */
export async function profileStep(
  engine: Engine,
  recipe: Recipe,
  options: ProfileOptions & { readonly batch?: number } = {},
): Promise<Profile> {
  checkRecipe(recipe);
  return underRoof(engine, options, async (roof, tell) => {
    const samples = options.batch ?? affordableBatch(engine, recipe, roof, tell);
    const chosen: Recipe = { ...recipe, data: { ...recipe.data, batch: samples } };
    using log = new MemoryLog(engine);
    const source = new SyntheticSource(chosen);
    const trainer = new Trainer(engine, chosen, netNamed(chosen.net.name), source, false); // a replay would hide what it does
    return await profile(engine, log, roof, tell, {
      ...{ what: 'training step', net: trainer.net, name: chosen.net.name, passes: chosen.gradients.accumulate },
      shape: source.next(samples).lrShape,
      slots: () => trainer.slots(),
      async step() {
        await trainer.step();
        await trainer.drain();
      },
      dispose: () => trainer.dispose(),
    });
  });
}

/**
 * One forward pass of a network as it is used: no tape, no dropout. Motion, where it wants some, is none.
 * @param recipe names the network and its settings @param input (T, H, W) of what a network that enlarges takes
 * @throws {LimitError} when the adapter has no timestamps
 */
export async function profileInference(
  engine: Engine,
  recipe: Pick<Recipe, 'net' | 'seed'>,
  { samples, input }: { readonly samples: number; readonly input?: readonly [number, number, number] },
  options: ProfileOptions = {},
): Promise<Profile> {
  return underRoof(engine, options, async (roof, tell) => {
    using log = new MemoryLog(engine);
    const net = buildModule(engine, recipe);
    net.train(false);
    const shapes = profiledShapes(engine, net, recipe.net.name, samples, input);
    const values = shapes.map((shape, i) => (i === 0 ? noise(size(shape)) : new Float32Array(size(shape))));
    return await profile(engine, log, roof, tell, {
      ...{ what: 'inference', net, name: recipe.net.name, shape: shapes[0], passes: 1, slots: () => [] },
      async step() {
        using _scope = engine.scope();
        const inputs = shapes.map((shape, i) => engine.tensor(shape, values[i]));
        const y = engine.during('forward', () => net.forward(...inputs));
        await y.read();
      },
      dispose: () => net.dispose(),
    });
  });
}

/** Any network, whether it enlarges or not. */
function buildModule(engine: Engine, { net: { name, ...config }, seed }: Pick<Recipe, 'net' | 'seed'>): Module {
  return nets[name].create({ engine, random: new Random(seed), noise: new Noise(seed) }, config);
}

function profiledShapes(
  engine: Engine,
  net: Module,
  name: string,
  samples: number,
  input?: readonly [number, number, number],
): readonly Shape[] {
  if (!(net instanceof Net)) return nets[name].usual ?? [];
  const [frames, h, w] = input ?? usualInput(engine, net);
  return inputShapes(net, samples, frames, h, w);
}

/** Frames and edges of low resolution, or of an enlarged picture, that say something about a network in seconds. */
function usualInput(engine: Engine, { window, form }: Net): [number, number, number] {
  const frames = form === 'recurrent' ? 2 : window; // the first frame has nothing to look back to
  return engine.caps.fallback ? [frames, 48, 48] : [frames, 180, 320];
}

/** The roof before and after some work: whichever is higher, as others may have had their share of the machine. */
async function underRoof(
  engine: Engine,
  { roof, tell = () => {} }: ProfileOptions,
  work: (roof: Roof, tell: Tell) => Promise<Profile>,
): Promise<Profile> {
  if (!engine.caps.timestamps) throw new LimitError('profile: this adapter has no timestamp queries');
  if (roof) return work(roof, tell);
  tell('measuring the peak rates of the adapter');
  const before = await measureRoof(engine);
  const profile = await work(before, tell);
  const after = await measureRoof(engine);
  const most = (key: 'gflops' | 'readGbs' | 'copyGbs' | 'gbs') => Math.max(before[key], after[key]);
  return {
    ...profile,
    roof: {
      ...{ gflops: most('gflops'), readGbs: most('readGbs'), copyGbs: most('copyGbs'), gbs: most('gbs') },
      launchUs: Math.min(before.launchUs, after.launchUs),
    },
  };
}

async function measureRoof(engine: Engine): Promise<Roof> {
  const peak = await measurePeak(engine, { spend: 200 });
  const launchUs = await measureLaunch(engine);
  engine.memory.trim();
  return { ...peak, gbs: Math.max(peak.readGbs, peak.copyGbs), launchUs };
}

function affordableBatch(engine: Engine, recipe: Recipe, { gflops }: Roof, tell: Tell): number {
  const { batch } = recipe.data;
  const { accumulate } = recipe.gradients;
  if (!engine.caps.fallback || batch === 1) return batch;
  const net = buildNet(engine, recipe, netNamed(recipe.net.name));
  const [, , frames, height, width] = new SyntheticSource(recipe).next(1).lrShape;
  const seconds = (6 * accumulate * batch * macsFor(engine, net, frames, height, width)) / (USUAL_SHARE * gflops * 1e9);
  net.dispose();
  if (seconds < PATIENCE_SECONDS) return batch;
  tell(
    `${recipe.name}: a step of ${accumulate} x ${batch} samples would take some ${seconds.toFixed(0)} s on this software ` +
      `adapter, so this profile has 1 sample in a pass; --batch ${batch} profiles the whole`,
  );
  return 1;
}

async function profile(engine: Engine, log: MemoryLog, roof: Roof, tell: Tell, subject: Subject): Promise<Profile> {
  const { net } = subject;
  try {
    nameLayers(engine, net);
    tell(`one ${subject.what === 'inference' ? 'forward pass' : subject.what} to compile kernels`);
    const first = performance.now();
    await subject.step();
    const seconds = (performance.now() - first) / 1000;
    tell(`it took ${seconds.toFixed(1)} s; now every kernel is timed`);
    const parameters = () => net.namedParameters();
    const runs: { us: number; times: KernelTime[]; memory: MemoryTimeline }[] = [];
    log.name(parameters, subject.slots());
    for (const began = performance.now(); runs.length < MOST_STEPS; ) {
      engine.memory.resetPeak();
      log.begin();
      const times = await engine.profile(() => subject.step());
      const memory = log.end();
      if (times.length !== memory.dispatches) {
        throw new SubpixelError(`profile: ${times.length} dispatches were timed, but ${memory.dispatches} recorded`);
      }
      runs.push({ us: total(times), times, memory });
      if (performance.now() - began > SPEND_MS) break;
    }
    runs.sort((a, b) => a.us - b.us);
    const { us, times, memory } = runs[Math.floor((runs.length - 1) / 2)];
    const inPhase = PHASES.map((phase) => [phase, total(times.filter((time) => phaseOf(time) === phase)) / 1000]);
    const { what, name, shape, passes } = subject;
    return {
      ...{ what, net: name, shape, passes, parameters: net.parameterCount(), steps: runs.length, roof },
      ms: { ...(Object.fromEntries(inPhase) as Record<Phase, number>), step: us / 1000 },
      times,
      memory,
    };
  } finally {
    subject.dispose();
  }
}

const total = (times: readonly KernelTime[]): number => times.reduce((sum, { us }) => sum + us, 0);

export const phaseOf = ({ phase }: { readonly phase: string }): Phase => (phase || 'transfer') as Phase;

/** Everything that one name did in one phase, slowest first. */
export function profileRows({ times, roof }: Pick<Profile, 'times' | 'roof'>, by: Grouping = 'kernel'): ProfileRow[] {
  const groups = new Map<string, { name: string; phase: Phase; times: KernelTime[] }>();
  for (const time of times) {
    const [name, phase] = [nameBy[by](time), phaseOf(time)];
    const key = `${phase} ${name}`;
    const group = groups.get(key);
    if (group) group.times.push(time);
    else groups.set(key, { name, phase, times: [time] });
  }
  const all = total(times);
  return [...groups.values()]
    .map(({ name, phase, times: own }) => ({ name, phase, share: total(own) / all, ...ratesOf(own, roof) }))
    .sort((a, b) => b.ms - a.ms);
}

const nameBy: Readonly<Record<Grouping, (time: KernelTime) => string>> = {
  kernel: ({ label }) => label,
  op: ({ op, label }) => op || label,
  layer: (time) =>
    time.layer || { transfer: 'host data', update: 'optimizer' }[phaseOf(time) as string] || 'the network itself',
};

/** What some dispatches did together. Limits are those of each dispatch, added up. */
export function ratesOf(times: readonly KernelTime[], roof: Roof) {
  const us = total(times);
  const add = (of: (time: KernelTime) => number) => times.reduce((sum, time) => sum + of(time), 0);
  const [flops, bytes] = [add((time) => time.flops), add((time) => time.bytes)];
  const arithmetic = (time: KernelTime) => time.flops / roof.gflops / 1e3;
  const memory = (time: KernelTime) => time.bytes / roof.gbs / 1e3;
  const alone: [Bound, number][] = [
    ['arithmetic', add(arithmetic)],
    ['memory', add(memory)],
    ['launch', roof.launchUs * times.length],
  ];
  return {
    calls: times.length,
    ms: us / 1000,
    ...{ flops, bytes, gflops: flops / us / 1e3, gbs: bytes / us / 1e3, intensity: flops / bytes },
    roofline: add((time) => Math.max(arithmetic(time), memory(time))) / us,
    bound: alone.reduce((a, b) => (b[1] > a[1] ? b : a))[0],
  };
}

/** What a reader of JSON gets of a profile: no single dispatch, those are in the trace. */
export function profileFacts(profile: Profile, by: Grouping) {
  const { memory, times, ...facts } = profile;
  const { tensors, ...sums } = explainPeak(memory);
  const during = (at: number) => times[Math.min(at, times.length - 1)].label;
  const idleText = ({ since, until }: NonNullable<AtPeak['idle']>) =>
    since !== undefined ? `since ${during(since)}` : until !== undefined ? `until ${during(until)}` : 'never used';
  return {
    ...facts,
    phases: PHASES.map((phase) => ({ phase, times: times.filter((time) => phaseOf(time) === phase) }))
      .filter((part) => part.times.length > 0)
      .map((part) => ({ phase: part.phase, ...ratesOf(part.times, profile.roof) })),
    by,
    rows: profileRows(profile, by),
    memory: {
      peakBytes: memory.peak.live,
      peakDuring: during(memory.peak.at),
      neededBytes: memory.liveness.bytes,
      neededDuring: during(memory.liveness.at),
      ...sums,
      liveBytes: memory.liveBytes,
      peakBy: memory.peak.by,
      atPeak: tensors.map(({ name, parts, category, shape, bytes, blockBytes, place, born, idle }) => {
        const bornAt = born < 0 ? null : { phase: place.phase || 'transfer', op: place.op, layer: place.layer };
        const inside = Array.from(parts, ([part, own]) => ({ name: part, bytes: own }));
        return { name, category, shape, bytes, blockBytes, bornAt, idle: idle ? idleText(idle) : null, parts: inside };
      }),
      timeline: memory.points.map(({ at, live }) => ({ us: momentOf(profile, at), live })),
    },
  };
}

export type ProfileFacts = ReturnType<typeof profileFacts>;

/** When the device stands before its dispatch number `at`: its start, or behind the last one its end. Microseconds. */
export function momentOf({ times }: Pick<Profile, 'times'>, at: number): number {
  if (at < times.length) return times[at].start;
  const last = times.at(-1);
  return last ? last.start + last.us : 0;
}
