import type { Engine } from '../engine/engine.ts';
import { FormatError, UsageError } from '../engine/errors.ts';
import { type Module, Noise } from '../engine/nn/module.ts';
import { Random } from '../engine/random.ts';
import { readWeights, refuseMisfit, type Weights } from '../io/checkpoint.ts';
import { recognise, StillRandom } from '../io/weights/fit.ts';
import { readWeightFile, type WeightFile } from '../io/weights/read.ts';
import { nets, srNets } from '../nets/index.ts';
import type { Net, NetEntry } from '../nets/net.ts';
import { DEGRADATIONS, type Degradation } from '../train/degrade.ts';
import { recipes } from '../train/recipes.ts';
import { lookUp } from './common.ts';

export interface NetOptions {
  readonly weights?: string;
  /** What stands in it, where it was read before. */
  readonly file?: WeightFile;
  /** Settings of the network; they stand above those in the weights' own file. */
  readonly config?: Record<string, unknown>;
  readonly seed: number;
}

/** @param others names that the command takes too @throws {UsageError} that lists what there is */
export function netEntry(name: string, others: readonly string[] = []): NetEntry<Net> {
  if (!Object.hasOwn(srNets, name) && Object.hasOwn(recipes, name)) {
    const { net } = recipes[name];
    throw new UsageError(
      `${name} is a recipe, not a network: what it trains is ${net.name}. ` +
        `Expected ${net.name} --weights runs/${name}/weights.safetensors, a file that "subpixel train ${name}" writes`,
    );
  }
  return lookUp('network', name, srNets, others);
}

/** Any network, for commands that know of nothing but its inputs. @throws {UsageError} that lists what there is */
export function anyEntry(name: string): NetEntry {
  return Object.hasOwn(nets, name) ? nets[name] : netEntry(name, Object.keys(nets));
}

/**
 * The network that weights say they are of, or whose names and shapes they have.
 * @throws {UsageError} when it is none that enlarges
 */
export async function netOf(path: string, file: WeightFile): Promise<string> {
  const named = file.metadata.net;
  const [best] = named === undefined ? await recognise(file.tensors) : [];
  const name = named ?? (best?.problems.length === 0 ? best.net : undefined);
  if (name !== undefined && Object.hasOwn(srNets, name)) return name;
  const what =
    name === undefined ? 'the names and shapes of no network here' : `weights of ${name}, which does not enlarge`;
  throw new UsageError(`${path}: ${what}; --net tells whose they are`);
}

/** @throws {UsageError} when the user asks for a scale that the network does not have */
export function refuseOtherScale({ config }: Net, scale: number): void {
  if (config.scale !== scale) throw new UsageError(`--scale ${scale}: this network enlarges ${config.scale} times`);
}

/** @throws {UsageError} that lists what settings there are */
export function refuseUnknownSettings(name: string, { defaults }: NetEntry, config: object): void {
  const unknown = Object.keys(config).find((key) => !Object.hasOwn(defaults, key));
  if (unknown)
    throw new UsageError(`${name} has no setting ${unknown}; there are: ${Object.keys(defaults).join(', ')}`);
}

/** A network to be used, and what it was trained on. */
export interface LoadedNet {
  readonly net: Net;
  /** Frames at once where the form is `clip`: as many as it was trained on where the weights say so, else as in the paper. */
  readonly window?: number;
  readonly degradation: Degradation;
}

/**
 * Builds a network that enlarges, for inference; one that takes enlarged pictures for the given scale.
 * @throws {FormatError} when the file holds another network, or tensors that do not fit
 * @throws {UsageError} when the network does not have that scale
 */
export async function loadNet(
  engine: Engine,
  name: string,
  given: NetOptions & { readonly scale?: number },
): Promise<LoadedNet> {
  const entry = netEntry(name);
  const { scale } = given;
  const file = given.file ?? (given.weights === undefined ? undefined : await readWeightFile(given.weights));
  const options = { ...given, file };
  let { net, weights } = await loadModule(engine, name, entry, options);
  if (scale !== undefined && net.enlarged && net.config.scale !== scale) {
    net.dispose();
    ({ net, weights } = await loadModule(engine, name, entry, { ...options, config: { ...options.config, scale } }));
  }
  if (scale !== undefined) refuseOtherScale(net, scale);
  const made = weights?.degradation ?? recipes[name]?.data.degradation;
  return {
    net,
    window: net.form === 'clip' ? (weights?.frames ?? net.window) : undefined,
    degradation: DEGRADATIONS.find((kind) => kind === made) ?? 'bicubic',
  };
}

/**
 * Builds a network for inference. A file of weights says how it was built; without one the weights are the first ones
 * that training starts from.
 * @throws {FormatError} when the file holds another network, or tensors that do not fit
 */
export async function loadModule<M extends Module>(
  engine: Engine,
  name: string,
  entry: NetEntry<M>,
  options: NetOptions,
): Promise<{ net: M; weights?: Weights }> {
  const weights = options.weights === undefined ? undefined : await readWeights(options.weights, name, options.file);
  const config = { ...weights?.config, ...options.config };
  refuseUnknownSettings(name, entry, config);
  if (weights) await refuseMisfit(options.weights as string, name, weights, options.config);
  const random = weights ? new StillRandom() : new Random(options.seed);
  const net = entry.create({ engine, random, noise: new Noise(options.seed) }, config);
  try {
    if (weights) net.loadStateDict(weights.tensors);
  } catch (error) {
    net.dispose();
    throw error instanceof FormatError ? new FormatError(`${options.weights}: ${error.message}`) : error;
  }
  net.train(false);
  return { net, weights };
}
