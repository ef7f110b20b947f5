// VGG16 and VGG19: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.
//
// The convolutions alone, whose features perceptual losses compare; names are torchvision's. Inputs are pictures in 0..1;
// torchvision's weights want them normalised by ImageNet's mean and deviation, some losses leave that out.
import { UsageError } from '../engine/errors.ts';
import { heNormal } from '../engine/nn/init.ts';
import { Conv2d } from '../engine/nn/layers.ts';
import { type Build, Module, type StateDict } from '../engine/nn/module.ts';
import { div, sub } from '../engine/ops/binary.ts';
import { max_pool2d } from '../engine/ops/pool.ts';
import { relu } from '../engine/ops/unary.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Adopted, configure, type NetEntry, oneOf, whole } from './net.ts';

export interface VggConfig {
  /** Channels of the first stage; the others have 2, 4, 8 and 8 times as many. */
  width: number;
  /** What forward returns: conv<stage>_<i> before its ReLU, relu<stage>_<i> after it, or pool<stage>. */
  layer: string;
  /** Of the input: by ImageNet's mean and deviation, or none. */
  normalisation: 'imagenet' | 'none';
}

/** Convolutions of each stage. */
const STAGES = { vgg16: [2, 2, 3, 3, 3], vgg19: [2, 2, 4, 4, 4] };
type Kind = keyof typeof STAGES;

/** As iSeeBetter's loss has it, which does not normalise, and ESRGAN's, which does. */
export const vggDefaults: Readonly<Record<Kind, VggConfig>> = {
  vgg16: { width: 64, layer: 'pool5', normalisation: 'none' },
  vgg19: { width: 64, layer: 'conv5_4', normalisation: 'imagenet' },
};

/** Channels of each stage, in widths. */
const WIDTHS = [1, 2, 4, 8, 8];
/** Of ImageNet, RGB in 0..1. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

interface Layer {
  readonly name: string;
  /** @param taps layers whose results are wanted */
  run(x: Tensor, taps: readonly string[]): Tensor;
}

/** In their order, and so at their indices in torchvision's Sequential. */
const layersOf = (kind: Kind): string[] =>
  STAGES[kind].flatMap((count, stage) => [
    ...Array.from({ length: 2 * count }, (_, i) => `${i % 2 ? 'relu' : 'conv'}${stage + 1}_${Math.floor(i / 2) + 1}`),
    `pool${stage + 1}`,
  ]);

/**
 * Five stages of 3x3 convolutions with ReLU, each halved by its largest values (odd sizes round down). `freeze()` it where
 * gradients shall reach the picture alone. forward: (N, 3, H, W) in 0..1 to the features of one layer.
 */
export class Vgg extends Module {
  readonly config: VggConfig;
  readonly features: Conv2d[] = [];
  readonly #layers: Layer[] = [];
  readonly #mean: Tensor;
  readonly #deviation: Tensor;

  /** @throws {UsageError} when the configuration makes no network */
  constructor(build: Build, kind: Kind, given: Partial<VggConfig> = {}) {
    super();
    this.config = configure(kind, vggDefaults[kind], given, {
      width: whole(),
      layer: oneOf(...layersOf(kind)),
      normalisation: oneOf('imagenet', 'none'),
    });
    const { width } = this.config;
    let channels = 3;
    for (const [stage, count] of STAGES[kind].entries()) {
      for (let i = 1; i <= count; i++) {
        const options = { in: channels, out: width * WIDTHS[stage], kernel: [3, 3], init: heNormal(0, 'fanOut') };
        this.#convolution(`${stage + 1}_${i}`, new Conv2d(build, options));
        channels = options.out;
      }
      this.#layers.push({ name: `pool${stage + 1}`, run: (x) => max_pool2d(x, { kernel_size: 2 }) });
    }
    const { engine } = build;
    [this.#mean, this.#deviation] = [MEAN, DEVIATION].map((v) => engine.lasting(() => engine.tensor([3], v)));
  }

  /** A convolution and its ReLU. One that is not asked for itself is left to the ReLU: one pass for both. */
  #convolution(place: string, conv: Conv2d): void {
    const [before, after] = [`conv${place}`, `relu${place}`];
    this.features[this.#layers.length] = conv;
    this.#layers.push(
      { name: before, run: (x, taps) => (taps.includes(before) ? conv.forward(x) : x) },
      { name: after, run: (x, taps) => (taps.includes(before) ? relu(x) : conv.fused(x, { negative_slope: 0 })) },
    );
  }

  forward(x: Tensor): Tensor {
    return this.taps(x, [this.config.layer])[0];
  }

  /** Features of several layers, in one pass that ends with the last of them. @throws {UsageError} for names of none */
  taps(x: Tensor, names: readonly string[]): Tensor[] {
    const places = names.map((name) => this.#layers.findIndex((layer) => layer.name === name));
    if (places.includes(-1)) throw new UsageError(`vgg: there is no layer ${names[places.indexOf(-1)]}`);
    using scope = x.engine.scope();
    const found = new Map<string, Tensor>();
    const tapped = new Set<Tensor>();
    let y = this.#normalised(x);
    for (const { name, run } of this.#layers.slice(0, Math.max(...places) + 1)) {
      const next = run(y, names);
      if (next !== y && !tapped.has(y)) scope.release(y); // x itself belongs to someone else and stays
      y = next;
      if (!names.includes(name)) continue;
      found.set(name, y);
      tapped.add(y);
    }
    return names.map((name) => scope.keep(found.get(name)!));
  }

  #normalised(x: Tensor): Tensor {
    if (this.config.normalisation === 'none') return x;
    using scope = x.engine.scope();
    return scope.keep(div(sub(x, this.#mean), this.#deviation));
  }

  override dispose(): void {
    super.dispose();
    for (const constant of [this.#mean, this.#deviation]) constant.release();
  }
}

/** torchvision's files hold a classifier, too, which is dropped. Neither layer nor normalisation leave a trace in them. */
function adopt(published: StateDict): Adopted {
  const tensors: StateDict = new Map([...published].filter(([name]) => !name.startsWith('classifier.')));
  return { config: { width: tensors.get('features.0.weight')?.shape[0] ?? 64 }, tensors };
}

function entryOf(kind: Kind, parameters: number, file: string): NetEntry<Vgg> {
  return {
    title: `${kind.toUpperCase()}, features for perceptual losses`,
    paper: 'Simonyan, Zisserman, ICLR 2015',
    year: 2015,
    task: 'features',
    defaults: { ...vggDefaults[kind] },
    inputs: ['x'],
    usual: [[1, 3, 224, 224]],
    published: { parameters, by: 'torchvision, without the classifier' },
    weights: `torchvision, ${file}`,
    verified: 'PyTorch, float64: output and every gradient, with and without normalisation',
    create: (build, config) => new Vgg(build, kind, config as Partial<VggConfig>),
    adopt,
  };
}

export const vgg16Entry = entryOf('vgg16', 14_714_688, 'vgg16-397923af.pth');
export const vgg19Entry = entryOf('vgg19', 20_024_384, 'vgg19-dcbb9e9d.pth');
