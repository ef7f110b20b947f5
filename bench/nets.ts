import type { Engine } from '../engine/engine.ts';
import { Noise } from '../engine/nn/module.ts';
import type { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { nets } from '../nets/index.ts';
import { countMacs, inputShape, Net } from '../nets/net.ts';

/** What is counted of a network at its default settings. */
export interface NetFacts {
  readonly parameters: number;
  /** For one picture of 1280x720 out of a network that enlarges, for one usual input of any other: multiply-adds, and bytes. */
  readonly macs: number;
  readonly peakBytes: number;
  /** Pixels of the input along the side of what one output pixel sees; undefined: the whole picture, or no pictures come out. */
  readonly receptive?: number;
  readonly window?: number;
}

const [WIDTH, HEIGHT] = [1280, 720];

/** Numbers without meaning, at no cost: counting needs no weights. */
const still = { uniform: () => 0.5, normal: () => 0 } as Random;

/**
 * Counts what a network does, and the device memory that its forward pass takes. A large picture would take minutes on a
 * small machine: two small ones are run, and all grows in proportion to the area.
 */
export async function measureNet(engine: Engine, name: string): Promise<NetFacts> {
  const { create, usual } = nets[name];
  const before = engine.memory.stats().live;
  const net = create({ engine, random: still, noise: new Noise(1) }, {}).train(false);
  try {
    const parameters = net.parameterCount();
    if (!(net instanceof Net)) {
      const inputs = usual ?? [];
      return {
        parameters,
        ...(await measured(engine, before, () => net.forward(...inputs.map((s) => engine.zeros(s))))),
      };
    }
    const { scale } = net.config;
    const area = (WIDTH * HEIGHT) / (net.enlarged ? 1 : scale ** 2);
    const edge = (least: number) => Math.ceil(least / net.grid) * net.grid;
    const small = await oneFrame(engine, net, before, edge(16));
    const large = await oneFrame(engine, net, before, edge(32));
    const grown = (key: 'macs' | 'peakBytes') => {
      const slope = (large[key] - small[key]) / (edge(32) ** 2 - edge(16) ** 2);
      return Math.round(small[key] + slope * (area - edge(16) ** 2));
    };
    return {
      ...{ parameters, macs: grown('macs'), peakBytes: grown('peakBytes'), window: net.window },
      receptive: net.exact ? 2 * net.spatialReach + 1 : undefined,
    };
  } finally {
    net.dispose();
    engine.memory.trim();
  }
}

/** What one frame out of the network costs, the frames around it that it looks at included. */
async function oneFrame(engine: Engine, net: Net, before: number, edge: number) {
  const recurrent = net.form === 'recurrent';
  const { channels, scale } = net.config;
  const frames = recurrent ? 2 : net.window;
  return measured(engine, before, () => {
    const x = engine.zeros(inputShape(net, 1, frames, edge, edge));
    const more = recurrent ? [engine.zeros([1, channels, 1, edge * scale, edge * scale])] : [];
    if (net.motion !== 'none') more.push(engine.zeros([1, 2, frames - 1, edge, edge]));
    return net.forward(x, ...more);
  });
}

async function measured(engine: Engine, before: number, forward: () => Tensor) {
  engine.memory.trim();
  engine.memory.resetPeak();
  const macs = countMacs(engine, forward);
  await engine.one.read(); // what was recorded is done
  return { macs: Math.round(macs), peakBytes: engine.memory.stats().peak - before };
}
