import type { Engine } from './engine.ts';
import { ShapeError, SubpixelError, shapeText } from './errors.ts';
import { accumulate, addInto, copy } from './kernels/accumulate.ts';
import { Half } from './kernels/half.ts';
import type { Storage, Tensor } from './tensor.ts';

/** One recorded operation. Inputs and output name edges of the graph; only `saved` keeps memory alive. */
export interface Node {
  readonly name: string;
  /** The module that asked for it, where a profile names them. */
  readonly layer?: string;
  readonly inputs: Readonly<Record<string, Tensor | undefined>>;
  readonly output: Tensor;
  readonly saved: readonly Tensor[];
  /**
   * Gradients by input name; each runs only if it is needed, and may write its result where it is told.
   * @param saved the tensors saved, or others with their values
   */
  backward(dy: Tensor, saved?: readonly Tensor[]): Readonly<Record<string, ((into?: Tensor) => Tensor) | undefined>>;
}

export interface TapeOptions {
  /** How activations wait for their gradients: as they are, or rounded to 16 bits in half the memory. */
  readonly activations?: 'f32' | 'f16';
}

/** What the tape keeps of a tensor. */
type Held = Tensor | Half;

/** Smaller tensors are not worth two dispatches. */
const LEAST_HALF = 4096;

/**
 * Records operations while it is alive, then walks them backwards. It holds what the gradients need and gives each tensor
 * back after its last reader, so memory falls as the backward pass goes on.
 */
export class Tape {
  #nodes: { readonly node: Node; readonly held: readonly Held[] }[] = [];
  /** A tensor that several gradients need is rounded once. */
  readonly #halves = new WeakMap<Tensor, Half>();
  readonly #outer: Tape | undefined;

  constructor(
    readonly engine: Engine,
    readonly options: TapeOptions = {},
  ) {
    this.#outer = engine.tape;
    engine.tape = this;
  }

  add(node: Node): void {
    node.output.tracked = true;
    node.output.isLeaf = false;
    this.#nodes.push({ node, held: node.saved.map((x) => this.#hold(x)) });
  }

  /** Inputs and parameters live on anyway; activations may be rounded. */
  #hold(x: Tensor): Held {
    if (this.options.activations !== 'f16' || x.isLeaf || x.bytes < LEAST_HALF) return x.retain();
    const known = this.#halves.get(x);
    if (known && !known.released) return known.retain();
    const half = new Half(x);
    this.#halves.set(x, half);
    return half;
  }

  /**
   * Adds ∂y/∂leaf to `.grad` of every tracked leaf that y depends on. The tape is empty afterwards.
   * @param dy gradient of the final result with respect to y; ones if not given, which needs a y of one element
   */
  backward(y: Tensor, dy?: Tensor): void {
    const { engine } = this;
    if (!dy && y.shape.some((n) => n !== 1)) {
      throw new ShapeError(`backward() of a tensor of shape ${shapeText(y.shape)} needs the gradient of that tensor`);
    }
    const recording = engine.tape;
    engine.tape = undefined; // gradients of gradients are not recorded
    using _scope = engine.scope();
    const grads = new Map<Tensor, Tensor>([[y, (dy ?? engine.view(engine.one, y.shape)).retain()]]);
    try {
      for (let entry = this.#nodes.pop(); entry; entry = this.#nodes.pop()) {
        const { node, held } = entry;
        const grad = grads.get(node.output);
        grads.delete(node.output);
        try {
          if (grad) this.#step(node, held, grad, grads);
        } finally {
          for (const x of held) x.release();
        }
      }
      // An op may pass dy on as it is, but clipping writes into gradients: each leaf gets memory of its own.
      const taken = new Set<Storage>([(dy ?? engine.one).storage]);
      for (const [leaf, grad] of grads) {
        if (!leaf.isLeaf || !leaf.tracked || leaf.released) continue;
        leaf.setGrad(settle(leaf, grad, taken));
        taken.add(leaf.grad!.storage);
      }
    } finally {
      for (const grad of grads.values()) grad.release();
      engine.tape = recording;
    }
  }

  #step(node: Node, held: readonly Held[], dy: Tensor, grads: Map<Tensor, Tensor>): void {
    using _scope = this.engine.scope();
    this.engine.own(dy); // so that an op may give it up as soon as it has read it
    Object.assign(this.engine.at, { layer: node.layer ?? '', op: `${node.name} gradient` });
    const saved = held.map((x) => (x instanceof Half ? x.unpack() : x));
    const gradients = node.backward(dy, saved);
    for (const [name, input] of Object.entries(node.inputs)) {
      if (!input?.tracked) continue;
      const compute = gradients[name];
      if (!compute) throw new SubpixelError(`${node.name} has no gradient with respect to ${name}`);
      const before = grads.get(input);
      const home = before ? undefined : input.freeGradHome;
      const g = compute(home);
      if (home && g === home) input.gradHomeTaken = true;
      grads.set(input, (before ? accumulate(before, g) : g).retain());
      before?.release();
    }
    Object.assign(this.engine.at, { layer: '', op: '' });
  }

  /** Stops recording and gives back whatever is still held. */
  [Symbol.dispose](): void {
    if (this.engine.tape === this) this.engine.tape = this.#outer;
    for (const { held } of this.#nodes) for (const x of held) x.release();
    this.#nodes = [];
  }
}

/** What becomes a leaf's gradient: added to the one before, in the place kept for it, in memory that is nobody else's. */
function settle(leaf: Tensor, grad: Tensor, taken: ReadonlySet<Storage>): Tensor {
  const { grad: before, gradHome: home } = leaf;
  if (before && grad === home) return addInto(grad, before);
  if (before) return before === home ? addInto(before, grad) : accumulate(before, grad);
  if (grad === home) return grad;
  const place = leaf.freeGradHome;
  return place || taken.has(grad.storage) ? copy(grad, place) : grad;
}
