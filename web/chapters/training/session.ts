import { signal } from '@preact/signals';
import { DeviceLostError, NotFiniteError } from '../../../engine/errors.ts';
import { safetensorsChunks } from '../../../engine/nn/safetensors.ts';
import { entry as fstrn } from '../../../nets/fstrn.ts';
import type { Net } from '../../../nets/net.ts';
import { type ClipFrames, ClipStore, CropSampler } from '../../../train/dataset.ts';
import { cropsOf, type Recipe } from '../../../train/recipe.ts';
import { fstrnSmall } from '../../../train/recipes/fstrn.ts';
import { Trainer, type TrainerState } from '../../../train/trainer.ts';
import { type Sample, Validation } from '../../../train/validation.ts';
import { weightsOf } from '../../../train/weights.ts';
import { type LabClip, lumaOf } from '../../lab/clip.ts';
import { breathe, inTurn, type Lab, Superseded } from '../../lab/device.ts';

export interface Settings {
  readonly loss: 'charbonnier' | 'l1' | 'mse' | 'huber';
  readonly block: 'separable' | 'full';
  readonly lr: number;
}

/** Frames in a sample, and at the clip's end as many that are never trained on. */
export const FRAMES = 3;
/** Steps from one kept state to the next; each is also judged. */
export const KEEP_EVERY = 50;
const MOST_KEPT = 40;
export const MOST_STEPS = 10_000;
const LOG_EVERY = 10;

/** What a step sees: HR pixels along a sample's side, samples. */
export interface Amount {
  readonly crop: number;
  readonly batch: number;
}
/** Four samples of half the side cost as much as one, and teach less: so the side is fixed, where the clip has room for it. */
const CROP = 96;
const BATCHES = [1, 2, 4, 8];
/** Above one sample, a step is to take about this long at most; the device gets as many steps at once as fit into a turn. */
const STEP_MS = 40;
const TURN_MS = 60;

/** So many first steps are shorter, the first one the most: the largest rate that goes well is then three times as large. */
export const WARMUP = 100;
/** Once the score is so far below bicubic, the weights have come apart. */
export const APART_DB = 3;

/** What the recipe's network takes and makes. */
const LUMINANCE = { config: { channels: 1, scale: 4 } };

/** HR pixels along the side of what is judged. */
const judgedSide = ({ software }: Lab): number => (software ? 128 : 256);

export interface Point {
  readonly iteration: number;
  readonly value: number;
}

/** What the figures show of a session. */
export interface Shown {
  readonly status: 'preparing' | 'paused' | 'running' | 'stopped';
  /** Why it stopped by itself. */
  readonly why: string;
  readonly iteration: number;
  readonly lastLoss: number;
  readonly stepMs: number;
  readonly amount: Amount;
  readonly losses: readonly Point[];
  readonly scores: readonly Point[];
  /** What was before the last rewind, from there on. */
  readonly undone: { readonly losses: readonly Point[]; readonly scores: readonly Point[] };
  readonly bicubic: number;
  /** Steps to which it can go back. */
  readonly kept: readonly number[];
  readonly sample: Sample | undefined;
}

const NONE = { losses: [], scores: [] };

/** The recipe fstrn-small, its network narrower. After the warm-up its rate stays as it is. */
export const recipeFor = ({ loss, block, lr }: Settings, { crop, batch }: Amount): Recipe => ({
  ...fstrnSmall,
  iterations: MOST_STEPS,
  net: { ...fstrnSmall.net, width: 8, block },
  data: { ...fstrnSmall.data, frames: FRAMES, crop, batch },
  loss: { ...fstrnSmall.loss, name: loss },
  optimizer: { ...fstrnSmall.optimizer, lr },
  schedule: { ...fstrnSmall.schedule, warmup: WARMUP, last: lr },
  log: { every: LOG_EVERY },
});

/**
 * First weights from which it learns soon. The enlargement's are zeros, so at first the output is what CRL carries, bicubic to the
 * last bit. The first layer's biases let middle grey count as nothing: else the brightness of all that it sees drowns its detail.
 */
async function beginAtBicubic(net: Net): Promise<void> {
  const dict = await net.stateDict();
  dict.get('up.weight')!.data.fill(0);
  const [weight, bias] = ['lfe.weight', 'lfe.bias'].map((name) => dict.get(name)!.data);
  const each = weight.length / bias.length;
  for (let c = 0; c < bias.length; c++) {
    bias[c] = -0.5 * weight.subarray(c * each, (c + 1) * each).reduce((a, b) => a + b);
  }
  net.loadStateDict(dict);
}

/** One training in the page, with the project's own trainer, in turns with what else the figures ask of the device. */
export class Session {
  readonly shown = signal<Shown>({
    ...{
      status: 'preparing',
      why: '',
      iteration: 0,
      lastLoss: Number.NaN,
      stepMs: 0,
      amount: { crop: CROP, batch: 1 },
    },
    ...{ losses: [], scores: [], undone: NONE, bicubic: Number.NaN, kept: [], sample: undefined },
  });
  #settings: Settings;
  #trainer: Trainer | undefined;
  #validation: Validation | undefined;
  #amount: Amount | undefined;
  /** What a step takes, from those that were taken last: before the first, what it is expected to take. */
  #stepMs = 0;
  #running: Promise<void> | undefined;
  #kept: TrainerState[] = [];
  #clips: { train: ClipStore; held: ClipFrames } | undefined;
  readonly #closed = new AbortController();

  constructor(
    readonly clip: LabClip,
    settings: Settings,
  ) {
    this.#settings = settings;
  }

  /** Once there is a device: measures it, and shows what the first weights make. */
  async prepare(): Promise<void> {
    if (this.shown.peek().status === 'preparing') await this.#turn((lab) => this.#ready(lab));
  }

  /** Steps until paused, or until the steps are done. */
  async start(): Promise<void> {
    if (!this.#may()) return;
    this.#show({ status: 'running', why: '' });
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#runs) {
      await this.#turn(async (lab) => {
        const trainer = await this.#ready(lab);
        if (!this.#runs) return;
        const fit = Math.round(TURN_MS / Math.max(this.#stepMs, 1));
        const due = KEEP_EVERY - (trainer.iteration % KEEP_EVERY);
        await this.#steps(trainer, Math.min(Math.max(fit, 1), due, MOST_STEPS - trainer.iteration));
        if (trainer.iteration % KEEP_EVERY === 0) await this.#judge(trainer);
        if (trainer.iteration >= MOST_STEPS) this.#show({ status: 'paused' });
      });
      await breathe();
    }
  }

  pause(): void {
    if (this.#runs) this.#show({ status: 'paused' });
  }

  /** One step, judged. */
  async step(): Promise<void> {
    if (!this.#may()) return;
    await this.#turn(async (lab) => {
      const trainer = await this.#ready(lab);
      await this.#steps(trainer, 1);
      this.#mended();
      await this.#judge(trainer);
    });
  }

  /** Back to a kept state, as if nothing had happened since. */
  async rewind(iteration: number): Promise<void> {
    this.pause();
    await this.#turn(async (lab) => {
      const trainer = await this.#ready(lab);
      await this.#backTo(trainer, iteration);
      this.#mended();
    });
  }

  /** Another loss or learning rate go on from where it is; another block is another network, and begins anew. */
  async change(settings: Settings): Promise<void> {
    const anew = settings.block !== this.#settings.block;
    this.#settings = settings;
    if (anew) return this.again();
    await this.#turn(async (lab) => {
      const state = await (await this.#ready(lab)).state();
      this.#drop();
      this.#trainer = this.#build(lab, this.shown.peek().amount);
      await this.#trainer.compile();
      this.#trainer.restore(state);
    });
  }

  /** From the first weights. */
  async again(): Promise<void> {
    this.pause();
    await this.#turn(async (lab) => {
      this.#drop();
      this.#kept = [];
      this.#show({
        ...{ status: 'preparing', why: '', iteration: 0, lastLoss: Number.NaN, sample: undefined },
        ...{ losses: [], scores: [], undone: NONE, kept: [] },
      });
      await this.#ready(lab);
    });
  }

  /** The network as it is, in a file that `subpixel upscale --weights` takes. @returns nothing where that failed */
  async weights(): Promise<Blob | undefined> {
    let file: Blob | undefined;
    await this.#turn(async (lab) => {
      const trainer = await this.#ready(lab);
      const { tensors, metadata } = weightsOf(await trainer.state(), trainer.recipe);
      file = new Blob(safetensorsChunks(tensors, metadata) as BlobPart[]);
    });
    return file;
  }

  close(): void {
    this.#show({ status: 'stopped' });
    this.#closed.abort();
    inTurn(new AbortController().signal, async () => this.#drop()).catch(() => {}); // without a device it is gone already
  }

  get #runs(): boolean {
    return this.shown.peek().status === 'running';
  }

  #may(): boolean {
    const { status, iteration } = this.shown.peek();
    return (status === 'paused' || status === 'stopped') && iteration < MOST_STEPS;
  }

  /** What had stopped it is over. It may have been started meanwhile. */
  #mended(): void {
    this.#show({ status: this.#runs ? 'running' : 'paused', why: '' });
  }

  #show(changed: Partial<Shown>): void {
    this.shown.value = { ...this.shown.peek(), ...changed };
  }

  /** Work on the device. What goes wrong stops the training with a sentence; it can go on from what was kept last. */
  async #turn(work: (lab: Lab) => Promise<unknown>): Promise<void> {
    try {
      await inTurn(this.#closed.signal, async (lab) => {
        try {
          await work(lab);
        } catch (error) {
          if (!(error instanceof DeviceLostError)) this.#drop();
          throw error;
        }
      });
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      const lost = error instanceof Superseded;
      if (lost) this.#trainer = undefined; // gone with its device
      const { iteration } = this.shown.peek();
      const what = lost ? `The GPU was lost at step ${iteration}` : reasonOf(error as Error, iteration);
      const last = this.#kept.at(-1);
      const next = last ? ` Training can go on from step ${last.progress.iteration}.` : '';
      this.#show({ status: 'stopped', why: `${what}.${next}` });
    }
  }

  /** The trainer on this device: a new one where there is none, as it was kept last. */
  async #ready(lab: Lab): Promise<Trainer> {
    if (this.#trainer?.engine === lab.engine) return this.#trainer;
    this.#clips ??= await clipsOf(this.clip);
    this.#validation ??= await Validation.prepare([this.#clips.held], LUMINANCE, {
      ...{ degradation: 'bicubic', rounded: false, frames: FRAMES, crop: judgedSide(lab), window: FRAMES },
    });
    await breathe();
    this.#amount ??= await this.#affordable(lab);
    const trainer = this.#build(lab, this.#amount);
    this.#trainer = trainer;
    await breathe();
    await trainer.compile();
    const low = judgedSide(lab) / LUMINANCE.config.scale;
    await trainer.evaluating((net) =>
      lab.engine.compile(() => net.forward(lab.engine.empty([1, 1, FRAMES, low, low]))),
    );
    const last = this.#kept.at(-1);
    if (last) await this.#backTo(trainer, last.progress.iteration);
    else {
      await beginAtBicubic(trainer.net);
      await this.#judge(trainer);
    }
    if (this.shown.peek().status === 'preparing') this.#show({ status: 'paused' });
    return trainer;
  }

  #build({ engine }: Lab, amount: Amount, settings = this.#settings): Trainer {
    const recipe = recipeFor(settings, amount);
    return new Trainer(engine, recipe, fstrn, new CropSampler(this.#clips!.train, cropsOf(recipe), recipe.seed));
  }

  /** Takes some steps of the smallest kind, and from their time says what a step may see on this device. */
  async #affordable(lab: Lab): Promise<Amount> {
    const room = Math.min(CROP, this.clip.width, this.clip.height);
    const crop = room - (room % LUMINANCE.config.scale);
    const trainer = this.#build(lab, { crop, batch: 1 }, { ...this.#settings, lr: 1e-4 }); // these steps are to go well
    try {
      await breathe();
      await trainer.compile();
      let ms = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 6; i++) {
        const began = performance.now();
        await trainer.step();
        await trainer.drain();
        ms = Math.min(ms, performance.now() - began);
        await breathe();
        if (this.#closed.signal.aborted) throw new Superseded();
      }
      const batch = BATCHES.findLast((n) => n * ms < STEP_MS) ?? 1;
      this.#stepMs = batch * ms;
      this.#show({ amount: { crop, batch } });
      return { crop, batch };
    } finally {
      trainer.dispose();
    }
  }

  async #steps(trainer: Trainer, count: number): Promise<void> {
    const began = performance.now();
    const records = [];
    for (let i = 0; i < count; i++) {
      records.push(...(await trainer.step()));
      await breathe();
    }
    records.push(...(await trainer.drain()));
    this.#stepMs = (performance.now() - began) / count;
    const losses = records.map(({ iteration, loss }): Point => ({ iteration, value: loss }));
    const shown = this.shown.peek();
    this.#show({
      ...{ iteration: trainer.iteration, lastLoss: trainer.lastLoss, stepMs: this.#stepMs },
      losses: losses.length > 0 ? [...shown.losses, ...losses] : shown.losses,
    });
  }

  /** PSNR on the frames that were held out; keeps the state. */
  async #judge(trainer: Trainer): Promise<void> {
    const { iteration } = trainer;
    let sample: Sample | undefined;
    const { psnr, bicubic } = await trainer.evaluating((net) =>
      this.#validation!.measure(trainer.engine, net, (made) => {
        sample = made;
      }),
    );
    if (iteration % KEEP_EVERY === 0) this.#keep(await trainer.state());
    const scores = this.shown.peek().scores.filter((score) => score.iteration < iteration);
    const apart = psnr < bicubic - APART_DB;
    const news = apart && !((scores.at(-1)?.value ?? psnr) < bicubic - APART_DB);
    if (news) this.#show({ status: 'paused', why: apartAt(iteration) });
    this.#show({ iteration, sample, bicubic, scores: [...scores, { iteration, value: psnr }] });
  }

  /** As many as there is room for, the older ones further apart. */
  #keep(state: TrainerState): void {
    const { iteration } = state.progress;
    this.#kept = [...this.#kept.filter(({ progress }) => progress.iteration < iteration), state];
    if (this.#kept.length > MOST_KEPT) this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
    this.#show({ kept: this.#kept.map(({ progress }) => progress.iteration) });
  }

  async #backTo(trainer: Trainer, iteration: number): Promise<void> {
    const state = this.#kept.find(({ progress }) => progress.iteration === iteration);
    if (!state) return;
    trainer.restore(state);
    this.#kept = this.#kept.filter(({ progress }) => progress.iteration <= iteration);
    const { losses, scores, undone } = this.shown.peek();
    const until = (points: readonly Point[]) => points.filter((point) => point.iteration <= iteration);
    const after = (points: readonly Point[]) => points.filter((point) => point.iteration > iteration);
    const later = { losses: after(losses), scores: after(scores) };
    this.#show({
      ...{ iteration, losses: until(losses), scores: until(scores), lastLoss: Number.NaN },
      undone: later.losses.length > 0 ? later : undone,
    });
    await this.#judge(trainer);
  }

  #drop(): void {
    this.#trainer?.dispose();
    this.#trainer = undefined;
  }
}

const apartAt = (iteration: number): string =>
  `At step ${iteration} the network has come apart: steps this long overshoot. Go back to a step before, and choose a smaller ` +
  'learning rate. Or train on, and see whether it recovers.';

const reasonOf = (error: Error, iteration: number): string =>
  error instanceof NotFiniteError
    ? `After step ${iteration} the loss grew past all numbers: the learning rate is too large. Choose a smaller one`
    : error.message;

/** The clip's luminance as bytes: the first frames to train on, the last ones to judge by. */
async function clipsOf({ name, width, height, frames }: LabClip): Promise<{ train: ClipStore; held: ClipFrames }> {
  if (frames.length < 2 * FRAMES) {
    throw new Error(
      `training takes ${FRAMES} frames at a time and keeps ${FRAMES} for judging: this clip has ${frames.length}`,
    );
  }
  const bytes: Uint8Array[] = [];
  for (const frame of frames) {
    bytes.push(Uint8Array.from(lumaOf(frame).data, Math.round));
    await breathe();
  }
  const part = (own: readonly Uint8Array[]): ClipFrames => ({ name, width, height, channels: 1, frames: own });
  const train = new ClipStore([part(bytes.slice(0, -FRAMES))]);
  await breathe();
  return { train, held: part(bytes.slice(-FRAMES)) };
}
