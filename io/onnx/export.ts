import { ShapeError, UsageError } from '../../engine/errors.ts';
import { type Module, Noise, type StateDict } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { Shape } from '../../engine/tensor.ts';
import { nets } from '../../nets/index.ts';
import { inputShapes, Net, type NetEntry } from '../../nets/net.ts';
import { writeFileAtomic } from '../atomic.ts';
import { type SilentEngine, silentEngine } from '../silent-engine.ts';
import { StillRandom } from '../weights/fit.ts';
import { type Axis, generalise, type Program, type Sizes, STARTS } from './sizes.ts';
import { trace } from './trace.ts';
import { type Written, writeProgram } from './write.ts';

export interface OnnxOptions {
  /** Name of the network in the table, and its settings. */
  readonly net: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Its parameters; the first ones of `seed` if not given. */
  readonly tensors?: StateDict;
  readonly seed?: number;
  /** Height and width, where they are to be fixed. */
  readonly size?: readonly [h: number, w: number];
  /** Frames, where they are to be fixed; the window of a network that has one. */
  readonly frames?: number;
  /** Of subpixel. */
  readonly version: string;
}

export interface OnnxModel extends Written {
  /** Axes of the inputs that may have any size from call to call. */
  readonly free: readonly Axis[];
  /** Why others are fixed. */
  readonly fixed: ReadonlyMap<Axis, string>;
}

/**
 * A network as ONNX: evaluation mode, float32. It is run at many sizes, without a device, and every op written down;
 * sizes that nothing depends on stay free.
 * @throws {UsageError} when an op has no ONNX form, or needs a size that is not given
 */
export async function exportOnnx(options: OnnxOptions): Promise<OnnxModel> {
  const { net: name, config = {}, tensors, seed = 1, version } = options;
  const entry = nets[name];
  const silent = await silentEngine();
  const { engine } = silent;
  const random = tensors ? new StillRandom() : new Random(seed);
  const module = entry.create({ engine, random, noise: new Noise(seed) }, config).train(false);
  if (tensors) module.loadStateDict(tensors);
  if (options.frames !== undefined && module instanceof Net && module.form === 'image') {
    throw new UsageError(`${name} takes pictures, of which there are no frames to fix`);
  }
  const names = inputNames(entry.inputs, stepOf(module, options.frames));
  const program = programOf(module, silent, options, usualShapes(entry, config));
  const named = new Map(Array.from(module.namedTensors(), ([path, x]) => [silent.valuesOf(x), path] as const));
  const parameters = program.trace.values.flatMap(({ id, data }) => {
    const path = data && named.get(data);
    return path ? [[id, path] as const] : [];
  });
  const settings = 'config' in module ? module.config : config;
  const written = writeProgram(program, {
    graph: name,
    inputs: names,
    output: 'y',
    parameters: new Map(parameters),
    producerVersion: version,
    metadata: { net: name, config: JSON.stringify(settings) },
  });
  return { ...written, free: program.free, fixed: program.reasons };
}

/** Writes a network to a file, whole or not at all. @throws {WriteError} and what exportOnnx throws */
export async function writeOnnx(path: string, options: OnnxOptions): Promise<OnnxModel> {
  const model = await exportOnnx(options);
  await writeFileAtomic(path, model.bytes);
  return model;
}

/** Without those that may be missing; but a step of a recurrent network goes on from a result. */
const inputNames = (inputs: readonly string[], isStep: boolean): string[] =>
  inputs.filter((name) => isStep || !name.endsWith('?')).map((name) => name.replace('?', ''));

/** Settings that tell sizes of the usual input. */
const TELLING = ['channels', 'features', 'motion', 'size'];

function usualShapes({ usual = [], defaults }: NetEntry, config: Readonly<Record<string, unknown>>): Shape[] {
  const told = (n: number): number => {
    const key = TELLING.find((key) => defaults[key] === n);
    return key === undefined ? n : ((config[key] as number | undefined) ?? n);
  };
  return usual.map((shape) => shape.map(told));
}

interface Input {
  readonly start: Sizes;
  readonly candidates: readonly Axis[];
  shapes(sizes: Sizes): Shape[];
}

/** What the network takes, beginning with a picture of h x w. */
function inputsOf(module: Module, { size, frames }: OnnxOptions, usual: readonly Shape[], start: Start): Input {
  const [h, w] = size ?? start;
  const plane: Axis[] = size ? [] : ['h', 'w'];
  if (!(module instanceof Net)) {
    const clip = usual.find((shape) => shape.length === 5);
    const t = frames ?? clip?.[2] ?? 1;
    const isPlane = usual.some((shape) => shape.length >= 4);
    return {
      start: { n: 1, t, h, w },
      candidates: ['n', ...(clip && frames === undefined ? (['t'] as const) : []), ...(isPlane ? plane : [])],
      shapes: ({ n, t, h, w }) => usual.map(([, c, ...rest]) => [n, c, ...[t, h, w].slice(3 - rest.length)]),
    };
  }
  const { form, window } = module;
  const goesOn = stepOf(module, frames);
  return {
    start: { n: 1, t: frames ?? (goesOn ? 2 : window), h, w },
    candidates: ['n', ...(form === 'clip' && frames === undefined ? (['t'] as const) : []), ...plane],
    shapes: ({ n, t, h, w }) => inputShapes(module, n, form === 'image' ? 1 : t, h, w, goesOn),
  };
}

/** Whether a recurrent network is written as its step: from a frame with its result to the next one. */
const stepOf = (module: Module, frames: number | undefined): boolean =>
  module instanceof Net && module.form === 'recurrent' && frames === undefined;

type Start = readonly [h: number, w: number];

/** Sizes are free if they can be; where nothing else does, the network runs at its usual size. */
function programOf(module: Module, silent: SilentEngine, options: OnnxOptions, usual: readonly Shape[]): Program {
  const run = (options: OnnxOptions, start: Start) => {
    const input = inputsOf(module, options, usual, start);
    const at = (sizes: Sizes) => trace(silent, input.shapes(sizes), (...inputs) => module.forward(...inputs));
    return generalise(at, input.start, input.candidates);
  };
  if (options.size) return run(options, options.size);
  let failure: unknown;
  for (const start of STARTS) {
    try {
      const program = run(options, start);
      const axis = (['h', 'w'] as const).find((axis) => program.reasons.has(axis));
      if (!axis) return program;
      failure = new UsageError(program.reasons.get(axis)!);
      break;
    } catch (error) {
      if (!(error instanceof ShapeError || error instanceof UsageError)) throw error;
      failure ??= error;
    }
  }
  const reason = (failure as Error).message;
  const plane = usual.find((shape) => shape.length >= 4)?.slice(-2);
  if (!plane) throw new UsageError(`${options.net} takes one size as ONNX, which must be given: ${reason}`);
  const size: Start = [plane[0], plane[1]];
  const program = run({ ...options, size }, size);
  return { ...program, reasons: new Map([...program.reasons, ['h', reason], ['w', reason]]) };
}
