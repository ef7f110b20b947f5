import type { Engine } from '../../engine/engine.ts';
import { FormatError, ShapeError, SubpixelError, shapeText, UsageError } from '../../engine/errors.ts';
import { type Module, Noise, type StateDict } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { Shape } from '../../engine/tensor.ts';
import { nets } from '../../nets/index.ts';
import type { Adopted, NetEntry } from '../../nets/net.ts';
import { silentEngine } from '../silent-engine.ts';
import { countOf } from './numbers.ts';

/** The same number again and again: for networks whose first values are replaced at once, or never looked at. */
export class StillRandom extends Random {
  /** @param left how many numbers there are, before it refuses */
  constructor(private left = Number.POSITIVE_INFINITY) {
    super(0);
  }
  override uint32(): number {
    if (--this.left < 0) throw new FormatError(TOO_LARGE);
    return 2 ** 31;
  }
  override uniform(): number {
    if (--this.left < 0) throw new FormatError(TOO_LARGE);
    return 0.5;
  }
  override normal(): number {
    if (--this.left < 0) throw new FormatError(TOO_LARGE);
    return 0;
  }
}

const TOO_LARGE = 'its names and settings ask for a network far larger than the file';

/** A network that a file's tensors were held against. */
export interface Fit extends Adopted {
  readonly net: string;
  /** Tensors that have their place in it, with the right shape. */
  readonly matched: number;
  /** What stands in the way, each by the tensor's name; empty where all fits. */
  readonly problems: readonly string[];
}

/** Shapes that a network has and a file does not, beyond half of all, after which nobody looks on. */
const PATIENCE = 8;

/**
 * Names and shapes of a network's tensors, made without a device. Settings that a file tells may be anything: one that asks
 * for far more tensors or values than the file itself has is given up while it is built.
 * @param patient whether to go on where the shapes are others than the file's
 * @returns why there is none, where it was given up
 */
async function outline(
  create: (engine: Engine, random: Random) => Module,
  like: StateDict,
  patient: boolean,
): Promise<Map<string, Shape> | string> {
  const { engine } = await silentEngine();
  const values = [...like.values()].reduce((sum, { shape }) => sum + countOf(shape), 0);
  const random = new StillRandom(2 * values + (patient ? 1_000_000 : 10_000));
  let parameters = 2 * like.size + 100;
  const shapes = new Set(Array.from(like.values(), ({ shape }) => shape.join()));
  let strange = 0;
  const { parameter } = engine;
  engine.parameter = (shape, ...more) => {
    if (--parameters < 0) throw new FormatError(TOO_LARGE);
    strange += shapes.has(shape.join()) ? -1 : 1;
    if (!patient && strange > PATIENCE) throw new FormatError('its tensors have other shapes');
    return parameter.call(engine, shape, ...more);
  };
  try {
    const module = create(engine, random);
    return new Map(Array.from(module.namedTensors(), ([name, { shape }]) => [name, shape]));
  } catch (error) {
    const known = [FormatError, UsageError, ShapeError, RangeError].some((kind) => error instanceof kind);
    if (known && !(patient && error instanceof UsageError)) return (error as Error).message;
    throw error;
  }
}

/** Holds tensors against a network of these settings. @throws {UsageError} when the settings make none, if patient */
export async function fitTo(
  net: string,
  entry: NetEntry,
  config: Adopted['config'],
  tensors: StateDict,
  patient = true,
): Promise<Fit> {
  const create = (engine: Engine, random: Random) => entry.create({ engine, random, noise: new Noise(0) }, config);
  const own = await outline(create, tensors, patient);
  if (typeof own === 'string') return { net, config, tensors, matched: 0, problems: [own] };
  const problems: string[] = [];
  let matched = 0;
  for (const [name, shape] of own) {
    const given = tensors.get(name);
    if (given?.shape.join() === shape.join()) matched++;
    else if (given) problems.push(`${name}: expected ${shapeText(shape)}, got ${shapeText(given.shape)}`);
    else problems.push(`${name} ${shapeText(shape)} is missing`);
  }
  for (const [name, { shape }] of tensors) if (!own.has(name)) problems.push(`${name} ${shapeText(shape)} is unknown`);
  return { net, config, tensors, matched, problems };
}

/**
 * Tensors of a file under a network's own names, with the settings that they tell. Foreign ones may be such that the network's
 * reading of them fails: they stay as they are, and are told of when they are loaded.
 */
export function adopted(entry: NetEntry, tensors: StateDict): Adopted {
  try {
    const own = entry.adopt?.(new Map(tensors)) ?? { config: {}, tensors };
    const known = Object.entries(own.config).filter(
      ([key, value]) => Object.hasOwn(entry.defaults, key) && value !== undefined,
    );
    return { config: Object.fromEntries(known), tensors: own.tensors };
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof SubpixelError) {
      return { config: {}, tensors };
    }
    throw error;
  }
}

/** Every network that tensors were tried on, the best first; of several that fit alike, the one nearest to its defaults. */
export async function recognise(tensors: StateDict): Promise<Fit[]> {
  const fits: (Fit & { unusual: number })[] = [];
  let found: NetEntry | undefined;
  for (const [net, entry] of Object.entries(nets)) {
    if (found && Object.keys(found.defaults).join() !== Object.keys(entry.defaults).join()) continue; // no sibling of it
    const own = adopted(entry, tensors);
    const unusual = Object.entries(own.config).filter(([key, value]) => entry.defaults[key] !== value).length;
    fits.push({ ...(await fitTo(net, entry, own.config, own.tensors, false)), unusual });
    if (fits.at(-1)?.problems.length === 0) found ??= entry;
  }
  return fits.sort((a, b) => share(b) - share(a) || a.unusual - b.unusual);
}

/** 1 where everything fits, 0 where nothing does. */
const share = ({ matched, problems }: Fit): number => (matched === 0 ? 0 : matched / (matched + problems.length));

const RESEMBLES = 0.2;

/** ". Its names and shapes are those of vdsr": what to add to a refusal. */
export async function resemblance(tensors: StateDict): Promise<string> {
  const [best] = await recognise(tensors);
  if (!best || share(best) < RESEMBLES) return '. Its names resemble those of no network here';
  if (best.problems.length === 0) return `. Its names and shapes are those of ${best.net}`;
  const count = `${best.matched} of ${tensors.size} tensors`;
  return `. Its names resemble those of ${best.net} most: ${count} would fit there`;
}
