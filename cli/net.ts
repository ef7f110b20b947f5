import type { Engine } from '../engine/engine.ts';
import { FormatError, UsageError } from '../engine/errors.ts';
import { type HostTensor, Noise } from '../engine/nn/module.ts';
import { Random } from '../engine/random.ts';
import { readSafetensors, type StoredTensor } from '../io/safetensors.ts';
import { type Net, type NetEntry, nets } from '../nets/index.ts';
import { lookUp } from './common.ts';

export interface NetOptions {
  readonly weights?: string;
  /** Settings of the network; they stand above those in the weights' own file. */
  readonly config?: Record<string, unknown>;
  readonly seed: number;
}

/** @param others names that the command takes too @throws {UsageError} that lists what there is */
export const netEntry = (name: string, others: readonly string[] = []): NetEntry =>
  lookUp('network', name, nets, others);

/** @throws {UsageError} when the user asks for a scale that the network does not have */
export function refuseOtherScale({ config }: Net, scale: number): void {
  if (config.scale !== scale) throw new UsageError(`--scale ${scale}: this network enlarges ${config.scale} times`);
}

/**
 * Builds a network for inference. A file of weights says how it was built; without one the weights are the first ones
 * that training starts from.
 * @throws {FormatError} when the file holds another network, or tensors that do not fit
 */
export async function loadNet(engine: Engine, name: string, options: NetOptions): Promise<Net> {
  const entry = netEntry(name);
  const file = options.weights === undefined ? undefined : await readSafetensors(options.weights);
  const { metadata = {}, tensors } = file ?? {};
  if (metadata.format?.startsWith('subpixel-checkpoint')) {
    throw new FormatError(
      `${options.weights}: a checkpoint to go on training from; its weights.safetensors lies beside it`,
    );
  }
  if (metadata.net && metadata.net !== name) {
    throw new FormatError(`${options.weights}: expected weights of ${name}, found those of ${metadata.net}`);
  }
  const config = { ...storedConfig(options.weights ?? '', metadata.config), ...options.config };
  const unknown = Object.keys(config).find((key) => !Object.hasOwn(entry.defaults, key));
  if (unknown) {
    throw new UsageError(`${name} has no setting ${unknown}; there are: ${Object.keys(entry.defaults).join(', ')}`);
  }
  const net = entry.create({ engine, random: new Random(options.seed), noise: new Noise(options.seed) }, config);
  try {
    if (tensors) net.loadStateDict(new Map(Array.from(tensors, ([key, tensor]) => [key, floats(key, tensor)])));
  } catch (error) {
    net.dispose();
    throw error instanceof FormatError ? new FormatError(`${options.weights}: ${error.message}`) : error;
  }
  net.train(false);
  return net;
}

function storedConfig(path: string, text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${path}: the network's configuration in it is no JSON`, { cause: error });
  }
}

/** A tensor of a file as the engine takes it. */
export function floats(name: string, { dtype, shape, data }: StoredTensor): HostTensor {
  if (data instanceof Float32Array) return { shape, data };
  if (data instanceof Float64Array) return { shape, data: Float32Array.from(data) };
  throw new FormatError(`tensor ${name}: expected floating-point values, got ${dtype}`);
}
