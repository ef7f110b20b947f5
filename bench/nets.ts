import { Noise } from '../engine/nn/module.ts';
import type { Random } from '../engine/random.ts';
import type { Shape } from '../engine/tensor.ts';
import type { SilentEngine } from '../io/silent-engine.ts';
import { nets } from '../nets/index.ts';
import { countMacs, Net, shapesForOneFrame } from '../nets/net.ts';

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

/** Counts what a network does and the device memory that its forward pass takes, without doing it. */
export function countNet({ engine }: SilentEngine, name: string): NetFacts {
  const { create, usual = [] } = nets[name];
  const { memory } = engine;
  memory.trim();
  memory.resetPeak();
  const before = memory.stats().live;
  const net = create({ engine, random: still, noise: new Noise(1) }, {}).train(false);
  try {
    const shapes = net instanceof Net ? shapesOf(net) : usual;
    const macs = countMacs(engine, () => net.forward(...shapes.map((shape) => engine.empty(shape))));
    return {
      ...{ parameters: net.parameterCount(), macs, peakBytes: memory.stats().peak - before },
      ...(net instanceof Net
        ? { window: net.window, receptive: net.exact ? 2 * net.spatialReach + 1 : undefined }
        : {}),
    };
  } finally {
    net.dispose();
  }
}

/** Inputs for one picture of 1280x720. */
function shapesOf(net: Net): Shape[] {
  const [h, w] = [HEIGHT, WIDTH].map((n) => Math.ceil(n / (net.enlarged ? 1 : net.config.scale)));
  return shapesForOneFrame(net, h, w);
}
