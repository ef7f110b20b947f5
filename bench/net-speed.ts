import type { Engine } from '../engine/engine.ts';
import { Noise } from '../engine/nn/module.ts';
import { Random } from '../engine/random.ts';
import { type Shape, size, type Tensor } from '../engine/tensor.ts';
import { srNets } from '../nets/index.ts';
import { countMacs, type Net, shapesForOneFrame } from '../nets/net.ts';
import { noise } from './measure.ts';
import type { OnnxPeer } from './onnx-peer.ts';
import type { Peak } from './peak.ts';
import { type Sampling, sampleWall } from './statistics.ts';

/** How long a network takes for one frame out of it. */
export interface NetRow {
  readonly net: string;
  readonly input: Shape;
  readonly output: Shape;
  /** Of one forward pass on our clock, from its input to the end of its last dispatch. */
  readonly ms: number;
  readonly margin: number;
  readonly samples: number;
  /** Seconds for a million pixels that come out. */
  readonly secondsPerMegapixel: number;
  readonly macs: number;
  readonly gflops: number;
  readonly share: number;
  readonly peakBytes: number;
  /** The same network and weights in another program: its time over ours, and how far the results are apart. */
  readonly peer?: { readonly name: string; readonly ms: number; readonly ratio: number; readonly difference: number };
}

/** What a bench of networks runs: a network with first weights, and inputs that make one frame. */
export interface NetWork {
  readonly net: Net;
  readonly inputs: readonly { readonly shape: Shape; readonly values: Float32Array }[];
}

/** Pixels along the side of the frame that comes out. */
const EDGE = { software: 128, hardware: 512 };

/** A network at its default settings, and inputs for one frame of EDGE x EDGE. */
export function netWork(engine: Engine, name: string): NetWork {
  const net = srNets[name].create({ engine, random: new Random(1), noise: new Noise(1) }, {}).train(false);
  const low = EDGE[engine.caps.fallback ? 'software' : 'hardware'] / (net.enlarged ? 1 : net.config.scale);
  const edge = Math.ceil(low / net.grid) * net.grid;
  const inputs = shapesForOneFrame(net, edge, edge).map((shape) => ({ shape, values: noise(size(shape)) }));
  return { net, inputs };
}

export async function benchNet(
  engine: Engine,
  name: string,
  peak: Peak,
  sampling: Sampling,
  peer?: OnnxPeer,
): Promise<NetRow> {
  const { net, inputs } = netWork(engine, name);
  try {
    const given = engine.lasting(() => inputs.map(({ shape, values }) => engine.tensor(shape, values)));
    let output: Shape = [];
    const pass = (): Tensor => net.forward(...given);
    const macs = countMacs(engine, pass);
    const step = async () => {
      using _scope = engine.scope();
      const y = pass();
      output = y.shape;
      await engine.one.read();
    };
    await step();
    const ours = peer && (await result(engine, pass));
    engine.memory.resetPeak();
    const { ms, margin, samples } = await sampleWall(step, sampling);
    const peakBytes = engine.memory.stats().peak;
    for (const tensor of given) tensor.release();
    const gflops = (2 * macs) / ms / 1e6;
    const [h, w] = output.slice(-2);
    const theirs = await peer?.run(name, inputs, sampling.least);
    return {
      ...{ net: name, input: inputs[0].shape, output, ms, margin, samples },
      ...{ secondsPerMegapixel: ms / 1e3 / ((h * w * framesOf(net, inputs[0].shape)) / 1e6), macs },
      ...{ gflops, share: gflops / peak.gflops, peakBytes },
      peer: theirs && {
        ...{ name: peer!.name, ms: theirs.ms, ratio: theirs.ms / ms },
        difference: relativeDifference(ours!, theirs.y),
      },
    };
  } finally {
    net.dispose();
    engine.memory.trim();
  }
}

async function result(engine: Engine, pass: () => Tensor): Promise<Float32Array> {
  using _scope = engine.scope();
  return pass().read();
}

/** Largest difference over the largest value. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let [most, largest] = [0, 0];
  for (const [i, value] of a.entries()) {
    most = Math.max(most, Math.abs(value - b[i]));
    largest = Math.max(largest, Math.abs(value));
  }
  return most / largest;
}

/** Frames that count as results of a pass: of a clip the middle one alone, as the papers test. */
const framesOf = (net: Net, [n]: Shape): number => (net.form === 'image' ? n : 1);
