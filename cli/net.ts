import type { Engine } from '../engine/engine.ts';
import { FormatError, UsageError } from '../engine/errors.ts';
import { Noise } from '../engine/nn/module.ts';
import { Random } from '../engine/random.ts';
import { readWeights, refuseMisfit } from '../io/checkpoint.ts';
import { StillRandom } from '../io/weights/fit.ts';
import { srNets } from '../nets/index.ts';
import type { Net, NetEntry } from '../nets/net.ts';
import { recipes } from '../train/recipes.ts';
import { lookUp } from './common.ts';

export interface NetOptions {
  readonly weights?: string;
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

/** @throws {UsageError} when the user asks for a scale that the network does not have */
export function refuseOtherScale({ config }: Net, scale: number): void {
  if (config.scale !== scale) throw new UsageError(`--scale ${scale}: this network enlarges ${config.scale} times`);
}

/** A network to be used, and how many frames it is used on. */
export interface LoadedNet {
  readonly net: Net;
  /** As many as it was trained on where the weights say so, else as in the paper. */
  readonly window: number;
}

/**
 * Builds a network for inference. A file of weights says how it was built; without one the weights are the first ones
 * that training starts from.
 * @throws {FormatError} when the file holds another network, or tensors that do not fit
 */
export async function loadNet(engine: Engine, name: string, options: NetOptions): Promise<LoadedNet> {
  const entry = netEntry(name);
  const weights = options.weights === undefined ? undefined : await readWeights(options.weights, name);
  const config = { ...weights?.config, ...options.config };
  const unknown = Object.keys(config).find((key) => !Object.hasOwn(entry.defaults, key));
  if (unknown) {
    throw new UsageError(`${name} has no setting ${unknown}; there are: ${Object.keys(entry.defaults).join(', ')}`);
  }
  if (weights) await refuseMisfit(options.weights as string, name, { ...weights, config });
  const random = weights ? new StillRandom() : new Random(options.seed);
  const net = entry.create({ engine, random, noise: new Noise(options.seed) }, config);
  try {
    if (weights) net.loadStateDict(weights.tensors);
  } catch (error) {
    net.dispose();
    throw error instanceof FormatError ? new FormatError(`${options.weights}: ${error.message}`) : error;
  }
  net.train(false);
  return { net, window: weights?.frames ?? net.window };
}
