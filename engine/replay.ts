import type { Recording } from './commands.ts';
import type { Engine } from './engine.ts';
import type { FreeList } from './memory.ts';
import type { Storage, Tensor } from './tensor.ts';

/** A step whose dispatches, buffers and bind groups were decided once. `run` repeats it on what its inputs then hold. */
export class Replay<T extends Tensor | undefined = Tensor> {
  private constructor(
    readonly engine: Engine,
    readonly recording: Recording,
    readonly reserve: FreeList,
    /** What the step used and did not make: its inputs, parameters, tables. */
    readonly borrowed: ReadonlySet<Storage>,
    /** What the step returned: overwritten by each run. */
    readonly result: T,
  ) {}

  /**
   * Runs a step and keeps its dispatches. It must have run once before, so that tables and pipelines exist; its inputs are
   * tensors made outside, written before each run; numbers that change from step to step are `Varying` uniforms.
   * @throws {SubpixelError} when the step writes host data; the engine is then as it was
   */
  static capture<T extends Tensor | undefined>(engine: Engine, step: () => T): Replay<T> {
    const { commands, memory } = engine;
    commands.startRecording();
    memory.beginReserve();
    const borrowed = new Set<Storage>();
    engine.borrowed = borrowed;
    try {
      using _scope = engine.scope();
      const result = step();
      result?.retain();
      return new Replay(engine, commands.stopRecording(), memory.endReserve(), borrowed, result);
    } catch (error) {
      memory.unreserve(memory.endReserve());
      for (const storage of borrowed) storage.release();
      commands.dropRecording(commands.stopRecording());
      throw error;
    } finally {
      engine.borrowed = undefined;
    }
  }

  /** Dispatches of one run. */
  get dispatches(): number {
    return this.recording.dispatches.length;
  }

  /** Records and submits the dispatches again. */
  run(): void {
    this.engine.commands.play(this.recording);
  }

  /** Gives back the memory of the step and of its result. */
  dispose(): void {
    this.engine.commands.submit();
    this.result?.release();
    this.engine.memory.unreserve(this.reserve);
    for (const storage of this.borrowed) storage.release();
    this.engine.commands.dropRecording(this.recording);
  }
}

/** Work done over and over: made as it goes the first time, captured the second, replayed from then on. */
export class Repeated<T extends Tensor | undefined> {
  #replay: Replay<T> | undefined;
  #warm = false;

  /** @param work may return a tensor that it makes; replays overwrite it */
  constructor(
    readonly engine: Engine,
    readonly work: () => T,
  ) {}

  run(): void {
    if (this.#replay) this.#replay.run();
    else if (this.#warm) {
      this.engine.memory.trim(); // what the first run left behind: the captured one has memory of its own
      this.#replay = Replay.capture(this.engine, this.work);
    } else this.work()?.release();
    this.#warm = true;
  }

  /** Gives back the memory of the capture; a next run makes everything anew. */
  dispose(): void {
    this.#replay?.dispose();
    this.#replay = undefined;
    this.#warm = false;
  }
}
