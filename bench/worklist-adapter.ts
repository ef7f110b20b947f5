// Runs the items of a shared work list (peers/worklist.json and lists of its form), so that this engine can be timed beside
// TensorFlow.js, jax-js, ONNX Runtime and PyTorch by one harness: `prepare(item)` gives { run, outputs, dispose }, where
// run() does one finished iteration.

import { Engine } from '../engine/engine.ts';
import { transposeFilter } from '../engine/kernels/conv/filter.ts';
import { slide, spread } from '../engine/kernels/conv/gather.ts';
import { volume, type Window } from '../engine/kernels/conv/geometry.ts';
import { weightGradient } from '../engine/kernels/conv/weight-gradient.ts';
import { readKnobs } from '../engine/knobs.ts';
import { Dropout } from '../engine/nn/layers.ts';
import { Module, Noise } from '../engine/nn/module.ts';
import { add } from '../engine/ops/binary.ts';
import { conv2d } from '../engine/ops/conv.ts';
import { fused_conv2d, fused_conv3d } from '../engine/ops/fused_conv.ts';
import { charbonnier_loss } from '../engine/ops/losses.ts';
import { pixel_shuffle, pixel_unshuffle } from '../engine/ops/pixel_shuffle.ts';
import { prelu } from '../engine/ops/prelu.ts';
import { separable_conv3d } from '../engine/ops/separable_conv3d.ts';
import { warp } from '../engine/ops/warp.ts';
import { Adam } from '../engine/optim/adam.ts';
import { Random } from '../engine/random.ts';
import { Repeated } from '../engine/replay.ts';
import { size, type Tensor } from '../engine/tensor.ts';
import { rememberedChoices } from '../io/choices.ts';
import { nodeGpu } from '../io/gpu.ts';
import { commit } from './measure.ts';

interface Item {
  readonly kind: string;
  readonly pass: string;
  readonly n: number;
  readonly c: number;
  readonly ci: number;
  readonly co: number;
  readonly r: number;
  readonly spatial: readonly number[];
  /** Taps per axis; of a matrix product, the inner size. */
  readonly k: readonly number[];
  readonly pad: readonly number[];
  readonly amplitude: number;
  readonly width: number;
  readonly blocks: number;
  readonly dropout: number;
  readonly lr: number;
  readonly depth: number;
  readonly m: number;
  readonly nn: number;
}

type Output = { name: string; data: Float32Array };
type Task = { run(): Promise<void>; outputs(): Promise<Output[]>; dispose(): void };

readKnobs(process.env);
export const engine = await Engine.create((await nodeGpu('auto')).adapter);
engine.choices = await rememberedChoices(engine, 'work list');
const { description, vendor, fallback } = engine.caps;
export const info = { adapter: description, vendor, fallback, commit: commit() };

/** Uniform [-scale/2, scale/2), a pure function of seed and index: the inputs that every engine on the list gets. */
function fill(shape: readonly number[], seed: number, scale = 1): Float32Array {
  const s = Math.imul(seed, 0x9e3779b1);
  const values = new Float32Array(size(shape));
  // A plain loop: lists for GPUs have a hundred million values a tensor, and from() takes 16 times as long.
  for (let i = 0; i < values.length; i++) {
    let h = Math.imul(i, 0x9e3779b1) + s;
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h = (h ^ (h >>> 16)) >>> 0;
    values[i] = ((h >>> 8) / 16777216 - 0.5) * scale;
  }
  return values;
}

/** Keeps activations of order one through ReLU-like nets. */
const gain = (fanIn: number): number => Math.sqrt(24 / fanIn);

const input = (shape: readonly number[], seed: number, scale = 1): Tensor =>
  engine.tensor(shape, fill(shape, seed, scale));
const filter = (shape: readonly number[], seed: number, scale = gain(size(shape.slice(1)))): Tensor =>
  engine.tensor(shape, fill(shape, seed, scale), 'filter');

/** A task that computes named tensors; `inputs` live as long as it does. */
function repeat(inputs: Tensor[], compute: () => Record<string, Tensor | undefined>): Task {
  let names: Record<string, Tensor> = {};
  const drop = () => {
    for (const x of Object.values(names)) x.release();
    for (const x of inputs) x.setGrad(undefined);
    names = {};
  };
  const repeated = new Repeated(engine, () => {
    drop();
    using _scope = engine.scope();
    for (const [name, x] of Object.entries(compute())) if (x) names[name] = x.retain();
    return undefined;
  });
  return {
    async run() {
      repeated.run();
      await engine.finish();
    },
    outputs: () => Promise.all(Object.entries(names).map(async ([name, x]) => ({ name, data: await x.read() }))),
    dispose() {
      drop();
      for (const x of inputs) x.release();
      repeated.dispose();
      engine.memory.trim();
    },
  };
}

/** Forward alone, or forward and backward with the gradients named as the list names them. */
function passes(grad: boolean, inputs: Record<string, Tensor>, dy: Tensor, forward: () => Tensor): Task {
  if (!grad) return repeat([...Object.values(inputs), dy], () => ({ y: forward() }));
  for (const x of Object.values(inputs)) x.track();
  return repeat([...Object.values(inputs), dy], () => {
    using tape = engine.record();
    for (const x of Object.values(inputs)) x.setGrad(undefined);
    tape.backward(forward(), dy);
    return Object.fromEntries(Object.entries(inputs).map(([name, x]) => [`d${name}`, x.grad!]));
  });
}

const tasks: Record<string, (item: Item) => Task> = {
  conv(item) {
    const { n, ci, co, spatial, k, pad, pass } = item;
    const [xs, ws, ys] = [
      [n, ci, ...spatial],
      [co, ci, ...k],
      [n, co, ...spatial],
    ];
    const [x, w, dy] = [input(xs, 1), filter(ws, 2), input(ys, 3)];
    const depth = k.length === 2 ? [0] : [];
    const window: Window = {
      ...{ kernel: volume([1, 1, ...k]), stride: [1, 1, 1], dilation: [1, 1, 1], groups: 1 },
      padding: [...depth, ...pad] as unknown as Window['padding'],
    };
    const shared = { window, label: item.kind };
    return repeat([x, w, dy], () => {
      if (pass === 'fwd') return { y: slide(engine, { ...shared, x, w, out: ys, ci, co }) };
      if (pass === 'dw') return { dw: weightGradient(engine, { x, dense: dy, shape: ws, window, label: 'dw' }) };
      return { dx: spread(engine, { ...shared, x: dy, w: transposeFilter(engine, w, 1), out: xs, ci: co, co: ci }) };
    });
  },

  sepconv3d({ n, ci, co, spatial, pass }) {
    const inputs = {
      x: input([n, ci, ...spatial], 1),
      w1: filter([co, ci, 1, 3, 3], 2),
      w2: filter([co, co, 3, 1, 1], 4),
    };
    const { x, w1, w2 } = inputs;
    const dy = input([n, co, ...spatial], 3);
    return passes(pass !== 'fwd', inputs, dy, () => separable_conv3d(x, w1, undefined, w2));
  },

  pixelshuffle({ n, c, r, spatial, pass }) {
    const [h, w] = spatial;
    const x = input([n, c * r * r, h, w], 1);
    const dy = input([n, c, h * r, w * r], 3);
    return repeat([x, dy], () =>
      pass === 'fwd' ? { y: pixel_shuffle(x, { factor: r }) } : { dx: pixel_unshuffle(dy, { factor: r }) },
    );
  },

  warp({ n, c, spatial, amplitude, pass }) {
    const x = input([n, c, ...spatial], 1);
    const flow = input([n, 2, ...spatial], 5, 2 * amplitude);
    return passes(pass !== 'fwd', { x, flow }, input([n, c, ...spatial], 3), () =>
      warp(x, flow, { padding_mode: 'border' }),
    );
  },

  /** A product of matrices is a 1x1 convolution. */
  matmul({ m, k, nn }) {
    const inner = Number(k);
    const a = engine.tensor([m, inner, 1, 1], fill([m, inner], 1));
    const rows = fill([inner, nn], 2);
    const columns = Float32Array.from(
      { length: rows.length },
      (_, i) => rows[(i % inner) * nn + Math.floor(i / inner)],
    );
    const b = engine.tensor([nn, inner, 1, 1], columns, 'filter');
    const flat = engine.view(a, [1, inner, 1, m]);
    return repeat([a, flat, b], () => ({ y: engine.view(conv2d(flat, b), [m, nn]) }));
  },

  vdsr_infer({ n, depth, width, spatial }) {
    const x = input([n, 1, ...spatial], 1);
    const filters = Array.from({ length: depth }, (_, i) => {
      const ci = i === 0 ? 1 : width;
      return filter([i === depth - 1 ? 1 : width, ci, 3, 3], 10 + i, gain(ci * 9));
    });
    return repeat([x, ...filters], () => {
      using scope = engine.scope();
      let h = x;
      for (const w of filters.slice(0, -1)) {
        const next = fused_conv2d(h, w, undefined, undefined, undefined, { padding: 1, negative_slope: 0 });
        if (h !== x) scope.release(h);
        h = next;
      }
      return { y: scope.keep(fused_conv2d(h, filters.at(-1)!, undefined, undefined, x, { padding: 1 })) };
    });
  },

  fstrn_train(item) {
    const step = (net: ListedFstrn, adam: Adam): Tensor => {
      using scope = engine.scope();
      using tape = engine.record();
      const loss = net.loss();
      tape.backward(loss);
      adam.step();
      return scope.keep(loss);
    };
    const net = new ListedFstrn(item);
    const adam = new Adam(net, { lr: item.lr });
    const repeated = new Repeated(engine, () => step(net, adam));
    return {
      async run() {
        repeated.run();
        await engine.finish();
      },
      async outputs() {
        const fresh = new ListedFstrn(item).train(false);
        const optimizer = new Adam(fresh, { lr: 1e-3 });
        const losses: number[] = [];
        for (let i = 0; i < 3; i++) losses.push(await step(fresh, optimizer).item());
        optimizer.dispose();
        fresh.dispose();
        const [a, b, c] = losses;
        return [{ name: 'losses', data: Float32Array.of(a, 10 * (b - a), 10 * (c - a)) }];
      },
      dispose() {
        adam.dispose();
        net.dispose();
        repeated.dispose();
        engine.memory.trim();
      },
    };
  },
};

/** FSTRN as the list defines it, with its own names and first values. */
class ListedFstrn extends Module {
  readonly #p: Record<string, Tensor> = {};
  readonly #x: Tensor;
  readonly #enlarged: Tensor;
  readonly #target: Tensor;
  readonly #dropout: Dropout;

  constructor(readonly item: Item) {
    super();
    const { n, width: w, blocks, r, spatial } = item;
    const [d, h, v] = spatial;
    let seed = 100;
    const conv = (name: string, co: number, ci: number, k: number[], scale = 1) => {
      const shape = [co, ci, ...k];
      this.#p[`${name}.w`] = engine.parameter(shape, fill(shape, seed++, scale * gain(ci * size(k)) * 0.7), 'filter');
      this.#p[`${name}.b`] = engine.parameter([co], new Float32Array(co));
    };
    const slopes = (name: string) => {
      this.#p[name] = engine.parameter([w], new Float32Array(w).fill(0.25));
    };
    this.#dropout = new Dropout({ engine, random: new Random(1), noise: new Noise(1) }, this.item.dropout);
    conv('lfe', w, 3, [3, 3, 3]);
    for (let i = 0; i < blocks; i++) {
      slopes(`frb${i}.a`);
      conv(`frb${i}.s`, w, w, [1, 3, 3], 0.5);
      conv(`frb${i}.t`, w, w, [3, 1, 1], 0.5);
    }
    slopes('grl.a');
    conv('lsr', w, w, [3, 3, 3]);
    conv('up', w * r * r, w, [1, 1, 1]);
    conv('out', 3, w, [3, 3, 3], 0.3);
    this.#x = input([n, 3, d, h, v], 1);
    this.#enlarged = input([n, 3, d, h * r, v * r], 6);
    this.#target = input([n, 3, d, h * r, v * r], 7);
  }

  override *namedParameters(): Generator<[string, Tensor]> {
    yield* Object.entries(this.#p);
  }

  forward(x: Tensor): Tensor {
    const p = this.#p;
    const conv = (t: Tensor, name: string, attrs: object, slope?: Tensor, residual?: Tensor) =>
      fused_conv3d(t, p[`${name}.w`], p[`${name}.b`], slope, residual, attrs);
    using scope = engine.scope();
    const first = conv(x, 'lfe', { padding: 1 });
    let t = first;
    for (let i = 0; i < this.item.blocks; i++) {
      const [ws, bs, wt, bt] = ['s.w', 's.b', 't.w', 't.b'].map((name) => p[`frb${i}.${name}`]);
      t = separable_conv3d(t, ws, bs, wt, bt, p[`frb${i}.a`], t);
    }
    t = this.#dropout.forward(prelu(add(t, first), p['grl.a']));
    t = conv(conv(t, 'lsr', { padding: 1 }), 'up', { shuffle: this.item.r });
    return scope.keep(conv(t, 'out', { padding: 1 }, undefined, this.#enlarged));
  }

  override train(on = true): this {
    this.#dropout.train(on);
    return super.train(on);
  }

  loss(): Tensor {
    return charbonnier_loss(this.forward(this.#x), this.#target);
  }

  override dispose(): void {
    for (const x of [...this.parameters(), this.#x, this.#enlarged, this.#target]) x.release();
  }
}

/** @returns the task, or why this engine has none */
export async function prepare(item: Item): Promise<Task | { unavailable: string }> {
  const make = tasks[item.kind];
  return make ? make(item) : { unavailable: `no kind ${item.kind}` };
}
