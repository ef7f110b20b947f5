import { ShapeError, UsageError } from '../../engine/errors.ts';
import { type Module, Noise, type StateDict } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { Shape } from '../../engine/tensor.ts';
import { nets } from '../../nets/index.ts';
import { inputShape, Net } from '../../nets/net.ts';
import { writeFileAtomic } from '../atomic.ts';
import { silentEngine } from './silent-engine.ts';
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
  /** Shapes of the inputs of a network that does not enlarge, in the place of usual ones. */
  readonly shapes?: readonly Shape[];
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
  const random = tensors ? idle : new Random(seed);
  const module = entry.create({ engine, random, noise: new Noise(seed) }, config).train(false);
  if (tensors) module.loadStateDict(tensors);
  const names = entry.inputs.filter((input) => !input.endsWith('?'));
  const input = inputsOf(module, options, entry.usual);
  const program = generaliseFrom(input, (sizes) =>
    trace(silent, input.shapes(sizes), (...inputs) => module.forward(...inputs)),
  );
  needSizes(name, options, program);
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

/** In the place of numbers that nobody will look at. */
const idle = { uniform: () => 0.5, normal: () => 0 } as Random;

interface Input {
  readonly start: Sizes;
  readonly candidates: readonly Axis[];
  /** Sizes to try in the place of the start's, where these are too small. */
  readonly larger: readonly Partial<Sizes>[];
  shapes(sizes: Sizes): Shape[];
}

function inputsOf(module: Module, { size, frames, shapes }: OnnxOptions, usual: readonly Shape[] = []): Input {
  const [h, w] = size ?? STARTS[0];
  const larger = size ? [] : STARTS.slice(1).map(([h, w]) => ({ h, w }));
  const plane: Axis[] = size ? [] : ['h', 'w'];
  if (module instanceof Net) {
    const start = { n: 1, t: frames ?? module.window, h, w };
    const time: Axis[] = module.form === 'clip' && frames === undefined ? ['t'] : [];
    return {
      start,
      candidates: ['n', ...time, ...plane],
      larger,
      shapes: ({ n, t, h, w }) => {
        const x = module.form === 'image' ? inputShape(module, n, 1, h, w) : inputShape(module, n, t, h, w);
        return module.motion === 'none' ? [x] : [x, [n, 2, t - 1, h, w]];
      },
    };
  }
  const given = shapes ?? usual;
  return {
    start: { n: 1, t: 1, h, w },
    candidates: given.some((shape) => shape.length >= 4) ? ['n', ...plane] : ['n'],
    larger,
    shapes: ({ n, h, w }) =>
      given.map((shape) => (shape.length < 4 ? [n, ...shape.slice(1)] : [n, ...shape.slice(1, -2), h, w])),
  };
}

/** Begins with small sizes: larger ones follow where the network has no result for them. */
function generaliseFrom(input: Input, run: Parameters<typeof generalise>[0]): Program {
  const { start, candidates, larger } = input;
  try {
    return generalise(run, start, candidates);
  } catch (error) {
    if (!(error instanceof ShapeError) || larger.length === 0) throw error;
    const [next, ...rest] = larger;
    return generaliseFrom({ ...input, start: { ...start, ...next }, larger: rest }, run);
  }
}

function needSizes(name: string, { size }: OnnxOptions, { reasons }: Program): void {
  const axis = (['h', 'w'] as const).find((axis) => reasons.has(axis));
  if (!size && axis) {
    throw new UsageError(`${name} takes a fixed size as ONNX, to be given with --size HxW: ${reasons.get(axis)}`);
  }
}
