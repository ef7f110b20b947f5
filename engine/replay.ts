import type { Recording } from './commands.ts';
import type { Engine } from './engine.ts';
import type { FreeList } from './memory.ts';
import type { Tensor } from './tensor.ts';

/** A step whose dispatches, buffers and bind groups were decided once. `run` repeats it on what its inputs then hold. */
export class Replay {
  private constructor(
    readonly engine: Engine,
    readonly recording: Recording,
    readonly reserve: FreeList,
    /** What the step returned: overwritten by each run. */
    readonly result: Tensor,
  ) {}

  /**
   * Runs a step and keeps its dispatches. It must have run once before, so that tables and pipelines exist; its inputs are
   * tensors made outside, written before each run; numbers that change from step to step are `Varying` uniforms.
   * @throws {SubpixelError} when the step writes host data; the engine is then as it was
   */
  static capture(engine: Engine, step: () => Tensor): Replay {
    const { commands, memory } = engine;
    commands.startRecording();
    memory.beginReserve();
    try {
      using _scope = engine.scope();
      const result = step().retain();
      return new Replay(engine, commands.stopRecording(), memory.endReserve(), result);
    } catch (error) {
      commands.stopRecording();
      memory.unreserve(memory.endReserve());
      commands.dropRecording();
      throw error;
    }
  }

  /** Dispatches of one run. */
  get dispatches(): number {
    return this.recording.dispatches.length;
  }

  run(): void {
    this.engine.commands.play(this.recording);
  }

  dispose(): void {
    this.engine.commands.submit();
    this.result.release();
    this.engine.memory.unreserve(this.reserve);
    this.engine.commands.dropRecording();
  }
}
