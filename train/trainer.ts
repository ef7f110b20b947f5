import type { Engine } from '../engine/engine.ts';
import { NotFiniteError, UsageError } from '../engine/errors.ts';
import { Ring } from '../engine/kernels/ring.ts';
import type { Choices } from '../engine/knobs.ts';
import { Noise, type StateDict } from '../engine/nn/module.ts';
import { mul } from '../engine/ops/binary.ts';
import { charbonnier_loss, huber_loss, l1_loss, mse_loss } from '../engine/ops/losses.ts';
import { reshape } from '../engine/ops/reshape.ts';
import { slice } from '../engine/ops/slice.ts';
import { sum } from '../engine/ops/sum.ts';
import { Adam } from '../engine/optim/adam.ts';
import { clipByNorm, clipByValue, scaleGradients } from '../engine/optim/clip.ts';
import { Ema } from '../engine/optim/ema.ts';
import type { Optimizer } from '../engine/optim/optimizer.ts';
import {
  constantRate,
  cosineRate,
  plateauRate,
  polynomialRate,
  type Schedule,
  stepRate,
} from '../engine/optim/schedule.ts';
import { Sgd } from '../engine/optim/sgd.ts';
import { Random, type RandomState } from '../engine/random.ts';
import { Repeated } from '../engine/replay.ts';
import type { Tensor } from '../engine/tensor.ts';
import { joined } from '../nets/frames.ts';
import type { Net, NetEntry } from '../nets/net.ts';
import type { Batch } from './dataset.ts';
import { checkSamples, DeviceBatch } from './device-batch.ts';
import { checkRecipe, type Recipe } from './recipe.ts';

/** Where samples come from: a sequence that continues from its state. */
export interface BatchSource {
  next(batch: number): Batch;
  state(): RandomState;
  restore(state: RandomState): void;
}

/** Mean loss of the last `log.every` iterations, and the learning rate of the last one. */
export interface LossRecord {
  readonly iteration: number;
  readonly loss: number;
  readonly lr: number;
}

/** What a run continues from, beside the tensors: plain numbers, fit for JSON, none of them a time. */
export interface Progress {
  readonly iteration: number;
  readonly sampler: RandomState;
  /** Dropout masks drawn. */
  readonly noise: number;
  readonly schedule: Readonly<Record<string, number>>;
  /** Losses since the last record, and the sum and count of those in the schedule's window. */
  readonly recent: readonly number[];
  readonly window: readonly [sum: number, count: number];
  /** Kernel variants that the run prefers on its device: others would add in another order. */
  readonly kernels: Choices;
  readonly device: string;
}

/** A trainer as it stands between two steps. Tensors: net.*, optimizer.<slot>.*, and ema.* where there is an average. */
export interface TrainerState {
  readonly tensors: StateDict;
  readonly progress: Progress;
}

/** Losses are read back together, those of so many milliseconds; a read waits while this many are under way. */
const READ_EVERY_MS = 50;
const READS_IN_FLIGHT = 2;

/** A step whose loss is still on the device. */
interface Pending {
  readonly iteration: number;
  readonly lr: number;
  /** Which numbers of the ring are its passes' losses. */
  readonly first: number;
}

/** The kind of network that a recipe trains, as the recipe configures it, with its first weights. */
export function buildNet(
  engine: Engine,
  { net: { name: _, ...config }, seed }: Pick<Recipe, 'net' | 'seed'>,
  entry: NetEntry<Net>,
  noise = new Noise(seed),
): Net {
  return entry.create({ engine, random: new Random(seed, 1), noise }, config); // stream 0 draws the crops
}

/**
 * A recipe's loss of what the network made of a batch, but for its weight.
 * @param shares (T) of T estimates of one frame, which y holds then
 */
export function lossOf({ loss }: Pick<Recipe, 'loss'>, y: Tensor, target: Tensor, shares?: Tensor): Tensor {
  using scope = y.engine.scope();
  const frame = (t: number) => slice(y, { axis: 2, start: t, end: t + 1 });
  if (shares) {
    const losses = Array.from({ length: y.shape[2] }, (_, t) => distance(loss, frame(t), target));
    const each = losses.map((value) => reshape(value, { shape: [1] }));
    return scope.keep(sum(mul(joined(each, 0), shares)));
  }
  const whole = loss.frames === 'all' || y.shape[2] === 1; // some networks make the middle frame alone
  return scope.keep(distance(loss, whole ? y : frame(Math.floor(y.shape[2] / 2)), target));
}

function distance({ name, eps, delta }: Recipe['loss'], seen: Tensor, target: Tensor): Tensor {
  using scope = seen.engine.scope();
  if (name === 'l1') return scope.keep(l1_loss(seen, target));
  if (name === 'huber') return scope.keep(huber_loss(seen, target, { delta }));
  if (name === 'charbonnier') return scope.keep(charbonnier_loss(seen, target, { eps }));
  return scope.keep(mse_loss(seen, target)); // half the squared distance is so many times that
}

/** By what the mean over all values is multiplied. */
function lossWeight({ loss, net, data }: Recipe): number {
  if (loss.name !== 'half') return 1;
  return (Number(net.channels) * (loss.frames === 'all' ? data.frames : 1) * data.crop ** 2) / 2;
}

function sharesOf(engine: Engine, { loss: { estimates } }: Recipe): Tensor | undefined {
  if (estimates.length === 0) return undefined;
  const all = estimates.reduce((a, b) => a + b);
  return engine.lasting(() =>
    engine.tensor(
      [estimates.length],
      estimates.map((weight) => weight / all),
    ),
  );
}

/**
 * Trains a network as its recipe says, one step at a time. The same recipe, clips and device give the same bits, in one go
 * or continued from a state.
 */
export class Trainer {
  readonly net: Net;
  /** Optimizer steps taken. */
  iteration = 0;
  /** The newest loss that has come back from the device. */
  lastLoss = Number.NaN;

  readonly #optimizer: Optimizer;
  readonly #schedule: Schedule;
  readonly #ema: Ema | undefined;
  readonly #noise: Noise;
  /** Losses of the passes; their batches; the gradient of a pass's loss. All outlive the step, which is replayed. */
  readonly #losses: Ring;
  readonly #share: Tensor;
  /** Of each estimate, where they all enter the loss. */
  readonly #shares: Tensor | undefined;
  #batches: DeviceBatch[] = [];
  readonly #weight: number;
  readonly #step: Repeated<undefined>;
  #pending: Pending[] = [];
  #reads: { steps: readonly Pending[]; values: Promise<Float32Array> }[] = [];
  #readAt = 0;
  #recent: number[] = [];
  #window: [sum: number, count: number] = [0, 0];

  /** @throws {UsageError} when the recipe makes no sense */
  constructor(
    readonly engine: Engine,
    readonly recipe: Recipe,
    /** The network that the recipe names: pages import the one they train, and no other. */
    entry: NetEntry<Net>,
    readonly samples: BatchSource,
    /** Whether steps are captured and replayed; a profile wants to see each of them made. */
    readonly replays = !engine.validator,
  ) {
    checkRecipe(recipe);
    this.#noise = new Noise(recipe.seed);
    this.net = buildNet(engine, recipe, entry, this.#noise);
    checkSamples(this.net, recipe);
    if (recipe.memory.checkpoint && !this.net.checkpointBlocks()) {
      throw new UsageError(`memory.checkpoint: ${recipe.net.name} has no blocks of several layers to compute again`);
    }
    const { optimizer } = recipe;
    this.#optimizer = optimizer.name === 'adam' ? new Adam(this.net, optimizer) : new Sgd(this.net, optimizer);
    this.#schedule = makeSchedule(recipe);
    this.#ema = recipe.ema > 0 ? new Ema(this.net, recipe.ema) : undefined;
    const { accumulate, lossScale } = recipe.gradients;
    this.#step = new Repeated(engine, () => this.#work());
    this.#losses = new Ring(engine, Math.max(64, accumulate));
    this.#weight = lossWeight(recipe);
    this.#shares = sharesOf(engine, recipe);
    this.#share = engine.lasting(() => engine.tensor([], [(this.#weight * lossScale) / accumulate]));
  }

  /**
   * Takes one optimizer step. The first one is recorded as it goes, the second is captured, all others replay it: the same
   * dispatches on new batches. Losses come back some steps later, so that the device is never kept waiting.
   * @returns the records that have become known
   * @throws {NotFiniteError} when a loss is not a number, naming its iteration; {DeviceLostError}, {OutOfMemoryError}
   */
  async step(): Promise<LossRecord[]> {
    const lr = this.#schedule.rate(this.iteration);
    this.#optimizer.lr = lr;
    const first = this.#losses.count;
    this.#feed();
    if (this.replays) this.#step.run();
    else this.#work();
    this.engine.commands.submit();
    this.iteration++;
    this.#pending.push({ iteration: this.iteration, lr, first });
    const windowEnds = this.#schedule.observe && this.iteration % this.recipe.schedule.window === 0;
    const full = (this.#pending.length + 1) * this.recipe.gradients.accumulate > this.#losses.capacity;
    if (windowEnds || full || performance.now() - this.#readAt > READ_EVERY_MS) this.#read();
    return this.#settle(windowEnds ? 0 : READS_IN_FLIGHT);
  }

  /** Compiles the kernels of a step without taking one: a page goes on drawing meanwhile. */
  async compile(): Promise<void> {
    const before = this.samples.state();
    this.#feed();
    this.samples.restore(before);
    await this.engine.compile(() => this.#work());
  }

  /** Waits until the device has done all steps. */
  drain(): Promise<LossRecord[]> {
    this.#read();
    return this.#settle(0);
  }

  /** Runs `work` with the network as it is to be used: no dropout, averaged weights where the recipe averages. */
  async evaluating<T>(work: (net: Net) => Promise<T>): Promise<T> {
    this.net.train(false);
    this.#ema?.swap();
    try {
      return await work(this.net);
    } finally {
      this.#ema?.swap();
      this.net.train();
    }
  }

  /**
   * Drained first, so call drain() before to learn of the last losses.
   * @throws {NotFiniteError} when a weight is not finite: such a state is not worth keeping
   */
  async state(): Promise<TrainerState> {
    await this.drain();
    const tensors: StateDict = new Map();
    const add = (prefix: string, dict: StateDict) => {
      for (const [name, tensor] of dict) tensors.set(`${prefix}.${name}`, tensor);
    };
    add('net', await this.net.stateDict());
    add('optimizer', await this.#optimizer.stateDict());
    if (this.#ema) add('ema', await this.#ema.stateDict());
    for (const [name, { data }] of tensors) {
      if (!data.every(Number.isFinite)) {
        throw new NotFiniteError(`iteration ${this.iteration}: ${name} holds values that are not finite`);
      }
    }
    const progress: Progress = {
      iteration: this.iteration,
      sampler: this.samples.state(),
      noise: this.#noise.counter,
      schedule: this.#schedule.state?.() ?? {},
      recent: [...this.#recent],
      window: [...this.#window],
      kernels: this.engine.choices,
      device: this.engine.caps.description,
    };
    return { tensors, progress };
  }

  /** Goes on from a state. @throws {FormatError} when it belongs to another network or optimizer */
  restore({ tensors, progress }: TrainerState): void {
    this.net.loadStateDict(part(tensors, 'net'));
    this.#optimizer.loadStateDict(part(tensors, 'optimizer'), progress.iteration);
    this.#ema?.loadStateDict(part(tensors, 'ema'), progress.iteration);
    this.iteration = progress.iteration;
    this.samples.restore(progress.sampler);
    this.#noise.counter = progress.noise;
    this.#schedule.restore?.(progress.schedule);
    this.#recent = [...progress.recent];
    this.#window = [...progress.window];
    if (progress.device === this.engine.caps.description) this.engine.choices = progress.kernels;
    this.#step.dispose(); // other kernels may be preferred now
    [this.#pending, this.#reads, this.lastLoss] = [[], [], Number.NaN];
  }

  /** Tensors that stay from step to step, beside the parameters, under their names in a checkpoint. */
  *slots(): Generator<[name: string, tensor: Tensor]> {
    for (const [name, slot] of this.#optimizer.slots()) yield [`optimizer.${name}`, slot];
    for (const [name, average] of this.#ema?.averages() ?? []) yield [`ema.${name}`, average];
  }

  dispose(): void {
    this.#step.dispose();
    for (const batch of this.#batches) batch.release();
    this.#share.release();
    this.#shares?.release();
    this.#losses.dispose();
    this.#optimizer.dispose();
    this.#ema?.dispose();
    this.net.dispose();
  }

  /** Draws the batches of a step and writes them where the step reads them. */
  #feed(): void {
    const { engine, recipe } = this;
    for (let pass = 0; pass < recipe.gradients.accumulate; pass++) {
      const batch = this.samples.next(recipe.data.batch);
      this.#batches[pass] ??= new DeviceBatch(engine, this.net, batch);
      this.#batches[pass].write(batch);
    }
  }

  /** All that a step does on the device. */
  #work(): undefined {
    const { engine } = this;
    const { clipNorm, clipValue, clipTheta, lossScale } = this.recipe.gradients;
    for (const batch of this.#batches) this.#pass(batch);
    engine.during('update', () => {
      if (lossScale !== 1) scaleGradients(engine, this.#optimizer.gradients(), 1 / lossScale);
      if (clipValue > 0) clipByValue(engine, this.#optimizer.gradients(), clipValue);
      if (clipTheta > 0) clipByValue(engine, this.#optimizer.gradients(), () => clipTheta / this.#optimizer.lr);
      if (clipNorm > 0) clipByNorm(engine, this.#optimizer.gradients(), clipNorm);
      this.#optimizer.step();
      this.#ema?.update();
    });
  }

  /** One forward and backward pass; the gradients add up in the parameters. */
  #pass({ inputs: [x, ...more], target }: DeviceBatch): void {
    const { engine, recipe } = this;
    using scope = engine.scope();
    using tape = engine.record({ activations: recipe.memory.activations });
    const loss = engine.during('forward', () => {
      const y = this.#shares ? this.net.estimates!(x) : this.net.forward(x, ...more);
      const loss = lossOf(recipe, y, target, this.#shares);
      scope.release(y); // the tape holds it for as long as gradients need it
      return loss;
    });
    engine.during('backward', () => tape.backward(loss, engine.view(this.#share, loss.shape)));
    this.#losses.put(loss);
  }

  /** Asks for the losses that are still on the device. */
  #read(): void {
    if (this.#pending.length === 0) return;
    const values = this.#losses.read();
    values.catch(() => {}); // awaited some steps later; until then a failure is not unhandled
    this.#reads.push({ steps: this.#pending, values });
    this.#pending = [];
    this.#readAt = performance.now();
  }

  /** Takes back losses until at most `most` reads are under way. */
  async #settle(most: number): Promise<LossRecord[]> {
    const records: LossRecord[] = [];
    while (this.#reads.length > most) {
      const { steps, values } = this.#reads.shift()!;
      const ring = await values;
      for (const step of steps) this.#take(step, ring, records);
    }
    return records;
  }

  /** Learns of the loss of one step. */
  #take({ iteration, lr, first }: Pending, ring: Float32Array, records: LossRecord[]): void {
    const { accumulate } = this.recipe.gradients;
    const passes = Array.from({ length: accumulate }, (_, i) => ring[(first + i) % ring.length]);
    const loss = (this.#weight * passes.reduce((a, b) => a + b, 0)) / accumulate;
    if (!Number.isFinite(loss)) {
      throw new NotFiniteError(
        `iteration ${iteration}: the loss is ${loss}. A smaller optimizer.lr, or gradients.clipNorm=1, may help`,
      );
    }
    this.lastLoss = loss;
    this.#recent.push(loss);
    if (iteration % this.recipe.log.every === 0) {
      const sum = this.#recent.reduce((a, b) => a + b, 0);
      records.push({ iteration, loss: sum / this.#recent.length, lr });
      this.#recent = [];
    }
    this.#observe(iteration, loss);
  }

  #observe(iteration: number, loss: number): void {
    const [sum, count] = this.#window;
    this.#window = [sum + loss, count + 1];
    if (iteration % this.recipe.schedule.window !== 0) return;
    this.#schedule.observe?.(this.#window[0] / this.#window[1]);
    this.#window = [0, 0];
  }
}

function makeSchedule({ schedule, optimizer: { lr }, iterations }: Recipe): Schedule {
  const { name, steps, factor, last, warmup, period, power, patience } = schedule;
  if (name === 'step') return stepRate(lr, steps, factor);
  if (name === 'cosine') return cosineRate(lr, iterations, last, warmup, period);
  if (name === 'polynomial') return polynomialRate(lr, period || iterations, last, power);
  if (name === 'plateau') return plateauRate(lr, factor, patience);
  return constantRate(lr);
}

function part(tensors: StateDict, prefix: string): StateDict {
  const own = [...tensors].filter(([name]) => name.startsWith(`${prefix}.`));
  return new Map(own.map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]));
}
