import type { Engine } from '../../../engine/engine.ts';
import { Noise, type StateDict } from '../../../engine/nn/module.ts';
import { nameLayers } from '../../../engine/nn/name-layers.ts';
import { decodeSafetensors, floats } from '../../../engine/nn/safetensors.ts';
import { Random } from '../../../engine/random.ts';
import { type Shape, size, type Tensor } from '../../../engine/tensor.ts';
import { Fstrn, type FstrnConfig } from '../../../nets/fstrn.ts';
import { bicubicUpscale, degrade, type Planes } from '../../../train/degrade.ts';
import { cut, type LabClip, lumaOf } from '../../lab/clip.ts';
import { breathe, Superseded } from '../../lab/device.ts';

/** Frames that the network sees at once, as in its training. */
export const WINDOW = 5;
const SCALE = 4;

export type Block = FstrnConfig['block'];

/** The trained weights stay as they are: what is switched off is left out when they are used. */
export interface Switches {
  readonly block: Block;
  readonly localResidual: boolean;
  readonly crossResidual: boolean;
}

/** Five frames from the middle of the clip, in luminance, 0..255. */
export interface Scene {
  readonly truth: readonly Planes[];
  readonly low: readonly Planes[];
  readonly bicubic: readonly Planes[];
}

let scene: { readonly of: LabClip; readonly made: Promise<Scene> } | undefined;

/** Made once for a clip. */
export function sceneOf(clip: LabClip): Promise<Scene> {
  if (scene?.of !== clip) scene = { of: clip, made: makeScene(clip) };
  return scene.made;
}

async function makeScene({ frames, width, height }: LabClip): Promise<Scene> {
  const first = Math.max(Math.floor((frames.length - WINDOW) / 2), 0);
  const [w, h] = [width, height].map((n) => SCALE * Math.floor(n / SCALE));
  const made = { truth: [] as Planes[], low: [] as Planes[], bicubic: [] as Planes[] };
  for (let t = 0; t < WINDOW; t++) {
    const frame = frames[Math.min(first + t, frames.length - 1)]; // of a shorter clip, the last one again
    const truth = cut(lumaOf(frame), 0, 0, w, h);
    const low = degrade(truth.data, w, h, 'bicubic', SCALE);
    await breathe();
    made.truth.push(truth);
    made.low.push(low);
    made.bicubic.push(bicubicUpscale(low.data, low.width, low.height, SCALE));
    await breathe();
  }
  return made;
}

interface Weights {
  readonly tensors: StateDict;
  readonly config: Partial<FstrnConfig>;
}

const fetched = new Map<Block, Promise<Weights>>();

/** What scripts/train-lab.sh trained, from beside this page. @throws {FormatError} for a file that is none */
export function weightsOf(block: Block): Promise<Weights> {
  let weights = fetched.get(block);
  if (!weights) {
    weights = fetchWeights(`fstrn-${block}.safetensors`);
    weights.catch(() => fetched.delete(block)); // the next figure asks again
    fetched.set(block, weights);
  }
  return weights;
}

async function fetchWeights(file: string): Promise<Weights> {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(`the weights ${file} could not be fetched: ${answer.status} ${answer.statusText}`);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(await answer.arrayBuffer()), file);
  const dict = new Map([...tensors].map(([name, tensor]) => [name, floats(name, tensor)]));
  return { tensors: dict, config: JSON.parse(metadata.config) };
}

/** Lends the trained network, its layers named, with some of its paths switched off. */
export async function withNet<T>(engine: Engine, on: Switches, work: (net: Fstrn) => Promise<T>): Promise<T> {
  const { tensors, config } = await weightsOf(on.block);
  const build = { engine, random: new Random(1), noise: new Noise(1) };
  const paths = { localResidual: on.localResidual, crossResidual: on.crossResidual ? 'bicubic' : 'none' } as const;
  const net = new Fstrn(build, { ...config, ...paths });
  try {
    net.loadStateDict(tensors);
    net.train(false);
    nameLayers(engine, net);
    return await work(net);
  } finally {
    net.dispose();
  }
}

/** (1, 1, T, H, W) in 0..1. */
export function inputOf(engine: Engine, { low }: Scene): Tensor {
  const [{ width, height }] = low;
  const values = new Float32Array(low.length * width * height);
  for (const [t, { data }] of low.entries()) values.set(data, t * data.length);
  return engine.tensor(
    [1, 1, low.length, height, width],
    values.map((v) => v / 255),
  );
}

/** The frames of an output (1, 1, T, H, W) in 0..1, as pictures of 0..255. */
export function picturesOf([, , frames, height, width]: Shape, values: Float32Array): Planes[] {
  return Array.from({ length: frames }, (_, t) => {
    const data = values.slice(t * height * width, (t + 1) * height * width).map((v) => 255 * v);
    return { width, height, data };
  });
}

/** What one op of the network left behind, (1, C, T, H, W). */
export interface LayerMaps {
  /** The layer's path and the op. */
  readonly name: string;
  readonly shape: Shape;
  readonly values: Float32Array;
}

/**
 * One run of the network, every op's result kept: the last one is the network's.
 * @throws {Superseded} when given up
 */
export async function runLayers(engine: Engine, net: Fstrn, scene: Scene, signal: AbortSignal): Promise<LayerMaps[]> {
  using _scope = engine.scope();
  const x = inputOf(engine, scene);
  await engine.compile(() => net.forward(x));
  const heard: { name: string; y: Tensor }[] = [];
  engine.tracer = (rule, _inputs, _attrs, y) =>
    heard.push({ name: `${engine.at.layer} ${rule.name}`.trim(), y: y.retain() });
  const maps: LayerMaps[] = [];
  try {
    net.forward(x);
    engine.tracer = undefined;
    for (const { name, y } of heard) {
      maps.push({ name, shape: y.shape, values: await y.read() });
      await breathe();
      if (signal.aborted) throw new Superseded();
    }
  } finally {
    engine.tracer = undefined;
    for (const { y } of heard) y.release();
  }
  return maps;
}

/** Enlarges the scene. */
export async function enlarge(engine: Engine, net: Fstrn, scene: Scene): Promise<Planes[]> {
  using _scope = engine.scope();
  const y = net.forward(inputOf(engine, scene));
  return picturesOf(y.shape, await y.read());
}

/** One channel of one frame, 0 as middle grey, ±`most` as white and black. */
export function mapOf({ shape: [, , frames, height, width], values }: LayerMaps, c: number, t: number, most: number) {
  const area = height * width;
  const from = (c * frames + t) * area;
  const data = values.slice(from, from + area).map((v) => 127.5 * (1 + v / most));
  return { width, height, data };
}

/** The largest size of a value, of one channel over all frames, or of all of them. */
export function mostOf({ shape, values }: LayerMaps, c?: number): number {
  const plane = size(shape.slice(2));
  const seen = c === undefined ? values : values.subarray(c * plane, (c + 1) * plane);
  return seen.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9);
}

/** All channels of a frame side by side, one above the other where there are many. */
export function sheetOf(maps: LayerMaps, t: number): Planes & { readonly columns: number } {
  const [, channels, , height, width] = maps.shape;
  const columns = Math.ceil(Math.sqrt(channels));
  const rows = Math.ceil(channels / columns);
  const data = new Float32Array(columns * width * rows * height);
  const most = mostOf(maps);
  for (let c = 0; c < channels; c++) {
    const { data: tile } = mapOf(maps, c, t, most);
    const corner = Math.floor(c / columns) * height * columns * width + (c % columns) * width;
    for (let y = 0; y < height; y++) data.set(tile.subarray(y * width, (y + 1) * width), corner + y * columns * width);
  }
  return { width: columns * width, height: rows * height, data, columns };
}
