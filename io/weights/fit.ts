import type { Engine } from '../../engine/engine.ts';
import { FormatError, ShapeError, shapeText, UsageError } from '../../engine/errors.ts';
import { type Module, Noise, type StateDict } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import type { Shape } from '../../engine/tensor.ts';
import { nets } from '../../nets/index.ts';
import type { Adopted, NetEntry } from '../../nets/net.ts';
import { silentEngine } from '../onnx/silent-engine.ts';
import { countOf } from './numbers.ts';

/** The same number again and again: for networks whose first values are replaced at once, or never looked at. */
export class StillRandom extends Random {
  constructor() {
    super(0);
  }
  override uint32(): number {
    return 2 ** 31;
  }
  override uniform(): number {
    return 0.5;
  }
  override normal(): number {
    return 0;
  }
}

/** A network that a file's tensors were held against. */
export interface Fit extends Adopted {
  readonly net: string;
  /** Tensors that have their place in it, with the right shape. */
  readonly matched: number;
  /** What stands in the way, each by the tensor's name; empty where all fits. */
  readonly problems: readonly string[];
}

/**
 * Names and shapes of a network's tensors, made without a device. Settings that a file tells may be anything: one that asks
 * for far more tensors or values than the file itself has is given up while it is built.
 */
async function outline(
  create: (engine: Engine, random: Random) => Module,
  like: StateDict,
): Promise<Map<string, Shape> | string> {
  const { engine } = await silentEngine();
  let values = [...like.values()].reduce((sum, { shape }) => sum + 2 * countOf(shape), 1_000_000);
  let parameters = 2 * like.size + 100;
  const tooLarge = (left: number) => {
    if (left < 0) throw new FormatError('its names and settings ask for a network far larger than the file');
  };
  const random = new (class extends StillRandom {
    override uniform(): number {
      tooLarge(--values);
      return 0.5;
    }
    override normal(): number {
      tooLarge(--values);
      return 0;
    }
  })();
  const { parameter } = engine;
  engine.parameter = (...given) => {
    tooLarge(--parameters);
    return parameter.apply(engine, given);
  };
  try {
    const module = create(engine, random);
    return new Map(Array.from(module.namedTensors(), ([name, { shape }]) => [name, shape]));
  } catch (error) {
    const known = [FormatError, UsageError, ShapeError, RangeError].some((kind) => error instanceof kind);
    if (known) return (error as Error).message;
    throw error;
  }
}

/** Holds tensors against a network of these settings. */
export async function fitTo(net: string, entry: NetEntry, config: Adopted['config'], tensors: StateDict): Promise<Fit> {
  const own = await outline((engine, random) => entry.create({ engine, random, noise: new Noise(0) }, config), tensors);
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

/** Tensors of a file under a network's own names, with the settings that they tell. */
export function adopted(entry: NetEntry, tensors: StateDict): Adopted {
  const own = entry.adopt?.(new Map(tensors)) ?? { config: {}, tensors };
  const known = Object.entries(own.config).filter(
    ([key, value]) => Object.hasOwn(entry.defaults, key) && value !== undefined,
  );
  return { config: Object.fromEntries(known), tensors: own.tensors };
}

/** Every network that tensors were tried on, the best first; of several that fit alike, the one nearest to its defaults. */
export async function recognise(tensors: StateDict): Promise<Fit[]> {
  const fits: (Fit & { unusual: number })[] = [];
  for (const [net, entry] of Object.entries(nets)) {
    const own = adoptedIfAny(entry, tensors);
    if (!own) continue;
    const unusual = Object.entries(own.config).filter(([key, value]) => entry.defaults[key] !== value).length;
    fits.push({ ...(await fitTo(net, entry, own.config, own.tensors)), unusual });
  }
  return fits.sort((a, b) => share(b) - share(a) || a.unusual - b.unusual);
}

/** Foreign tensors may be such that a network's reading of its own names fails on them. */
function adoptedIfAny(entry: NetEntry, tensors: StateDict): Adopted | undefined {
  try {
    return adopted(entry, tensors);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof FormatError) return undefined;
    throw error;
  }
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
