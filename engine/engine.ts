import layoutWgsl from '../shaders/layout.wgsl';
import { Tape, type TapeOptions } from './autograd.ts';
import type { AxisMap } from './axis-map.ts';
import { Commands, type KernelTime, type Place } from './commands.ts';
import { kernelTable, memoryLine } from './debug.ts';
import { Device } from './device.ts';
import { KernelError, ShapeError, shapeText } from './errors.ts';
import { type Constants, Kernel, Pipelines, type Uniforms, type Varying, type Wanted } from './kernel.ts';
import { type Choices, knobs } from './knobs.ts';
import { Memory, sizeClass } from './memory.ts';
import type { AnyOp } from './op.ts';
import { extent, type Layout, plainStrides, type Shape, Storage, size, Tensor } from './tensor.ts';
import { Validator } from './validate.ts';

/** Invocations per workgroup of the elementwise kernels (their const WORKGROUP). */
export const WORKGROUP = 64;
/** Workgroups along one dimension of a grid that every WebGPU device takes. */
export const MOST_GROUPS = 65_535;

export interface Run {
  /** Tensors (or raw storage) by the shader's binding names. */
  readonly bind: Readonly<Record<string, Tensor | Storage>>;
  readonly constants?: Constants;
  readonly uniforms?: Uniforms | Varying;
  /** Invocations needed, folded into a grid of WORKGROUP each; or workgroups by axis. */
  readonly threads?: number;
  readonly grid?: readonly [number, number?, number?];
  readonly flops?: number;
  /** What the profile calls this dispatch; the shader's name and entry point if not given. */
  readonly label?: string;
}

/** An AxisMap on the device. */
export interface DeviceMap {
  readonly start: Storage;
  readonly index: Storage;
  readonly weight: Storage;
}

/** Is told of all device memory that comes and goes, and of its uses, for profiles. `engine.at` says what is at work. */
export interface MemoryWatcher {
  /** @param shape where it is a tensor's */
  allocated(storage: Storage, shape?: Shape): void;
  released(storage: Storage): void;
  /** A dispatch that reads or writes these was recorded. */
  used(storages: readonly Storage[]): void;
}

/** Is told of every op that runs: what counts arithmetic and what writes a network down for other programs listen here. */
export type Tracer = (
  rule: AnyOp['spec'],
  inputs: Readonly<Record<string, Tensor | undefined>>,
  attrs: object,
  y: Tensor,
) => void;

/** A kernel that runs in the place of another, and what it binds besides. */
export interface StandIn {
  /** Under a name of its own: pipelines are kept by names. */
  readonly kernel: Kernel;
  readonly bind?: Run['bind'];
}

const MAX_MAPS = 256;
const layoutKernel = new Kernel('layout', layoutWgsl);

/** Workgroups along x and y for `threads` invocations: grids past 65,535 groups fold into y. */
export function fold(threads: number, workgroup = WORKGROUP): [number, number, number] {
  const groups = Math.ceil(threads / workgroup);
  const x = Math.min(groups, MOST_GROUPS);
  return [x, x === 0 ? 0 : Math.ceil(groups / x), 1];
}

/** Everything that runs on one WebGPU device: memory, kernels, tensors, the tape. */
export class Engine {
  readonly memory: Memory;
  readonly pipelines: Pipelines;
  readonly commands: Commands;
  /** Which kernel variants to prefer on this device; the tuner measures it. */
  choices: Choices = {};
  /** The tape that records now, if any. */
  tape: Tape | undefined;
  validator: Validator | undefined;
  /** The number 1: the gradient of a loss with respect to itself. */
  readonly one: Tensor;
  /** While a step is captured: the storage it uses and did not make, held so that its replays find it unchanged. */
  borrowed: Set<Storage> | undefined;
  /** A block runs a second time, for its gradients: layers leave what they keep besides their results (running statistics). */
  repeating = false;
  watcher: MemoryWatcher | undefined;
  tracer: Tracer | undefined;
  readonly at: Place = { phase: '', layer: '', op: '' };
  /** Kernels in the place of others, by the name of the file they replace: a page lets its readers rewrite a shader. */
  readonly standIns = new Map<string, StandIn>();

  #scopes: Scope[] = [];
  #maps = new Map<string, DeviceMap>();
  #staging: GPUBuffer[] = [];
  #reportedPeak = 0;
  #stopTiming: (() => Promise<KernelTime[]>) | undefined;
  #profiling = false;
  /** While no kernel runs: those that would. */
  #rehearsed: Wanted[] | undefined;

  private constructor(readonly device: Device) {
    this.commands = new Commands(device);
    this.memory = new Memory(device, () => this.commands.submit());
    this.pipelines = new Pipelines(device);
    this.validator = knobs.validate ? new Validator() : undefined;
    this.one = new Tensor(this.raw(16), [], 'image');
    this.commands.write(this.one.storage.block, Float32Array.of(1, 0, 0, 0));
  }

  /** @throws {NoAdapterError} by the caller's adapter search; whatever requestDevice throws here */
  static async create(adapter: GPUAdapter): Promise<Engine> {
    const engine = new Engine(await Device.open(adapter));
    if (knobs.debug >= 1) console.error(`subpixel: ${engine.caps.description}`, engine.caps);
    if (knobs.debug >= 2) await engine.#report(); // from here on, kernels are timed
    return engine;
  }

  get caps() {
    return this.device.caps;
  }

  // --- tensors

  /** A tensor whose values nobody has written yet. */
  empty(shape: Shape, layout: Layout = 'image'): Tensor {
    if (shape.some((n) => !Number.isInteger(n) || n < 1)) {
      throw new ShapeError(`a tensor needs whole sizes of 1 or more, got ${shapeText(shape)}`);
    }
    return this.own(new Tensor(this.raw(extent(shape, layout).elements * 4, shape), [...shape], layout));
  }

  /** Device memory; `shape` is what a watcher is told of it. */
  raw(bytes: number, shape?: Shape): Storage {
    const storage = new Storage(this, this.memory.allocate(bytes), bytes);
    this.watcher?.allocated(storage, shape);
    return storage;
  }

  /** A view of the same memory under another shape; both must lie alike in memory. */
  view(x: Tensor, shape: Shape, layout: Layout = x.layout): Tensor {
    if (extent(shape, layout).elements * 4 !== x.bytes) {
      throw new ShapeError(
        `a view of ${shapeText(x.shape)} cannot have shape ${shapeText(shape)}: their memory differs`,
      );
    }
    return this.own(new Tensor(x.storage.retain(), [...shape], layout));
  }

  /** @param data values in PyTorch's order @throws {ShapeError} when their number does not fit the shape */
  tensor(shape: Shape, data: ArrayLike<number>, layout: Layout = 'image'): Tensor {
    const out = this.empty(shape, layout);
    this.write(out, data);
    return out;
  }

  zeros(shape: Shape, layout: Layout = 'image'): Tensor {
    const out = this.empty(shape, layout);
    this.commands.write(out.storage.block, new Uint8Array(out.bytes), out.storage.offset);
    return out;
  }

  /** A tensor outside every scope, followed by the tape: what modules own and optimisers change. */
  parameter(shape: Shape, data: ArrayLike<number>, layout: Layout = 'image'): Tensor {
    return this.lasting(() => this.tensor(shape, data, layout).track());
  }

  /** Makes tensors that no scope owns: the caller releases them. */
  lasting<T>(make: () => T): T {
    const scopes = this.#scopes;
    this.#scopes = [];
    try {
      return make();
    } finally {
      this.#scopes = scopes;
    }
  }

  /** Replaces a tensor's values. */
  write(x: Tensor, data: ArrayLike<number>): void {
    if (data.length !== size(x.shape)) {
      throw new ShapeError(`shape ${shapeText(x.shape)} holds ${size(x.shape)} values, got ${data.length}`);
    }
    const values = data instanceof Float32Array && data.buffer instanceof ArrayBuffer ? data : Float32Array.from(data);
    using plain = this.raw(values.byteLength);
    this.commands.write(plain.block, values as Float32Array<ArrayBuffer>);
    this.run(layoutKernel, 'pack', { bind: { plain, out: x }, uniforms: plainStrides(x), threads: x.bytes / 16 });
  }

  async read(x: Tensor): Promise<Float32Array> {
    using plain = this.raw(size(x.shape) * 4);
    this.run(layoutKernel, 'unpack', {
      bind: { x, plain_out: plain },
      uniforms: plainStrides(x),
      threads: x.bytes / 16,
    });
    const values = new Float32Array(await this.readRaw(plain));
    await this.validator?.check();
    return values;
  }

  /** The bytes of some storage; `bytes` may reach past it into its block (tests look behind tensors). */
  async readRaw(from: Storage, bytes = from.bytes): Promise<ArrayBuffer> {
    this.device.throwIfFailed();
    const size = sizeClass(bytes);
    const at = this.#staging.findIndex((b) => b.size === size);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = at >= 0 ? this.#staging.splice(at, 1)[0] : this.device.gpu.createBuffer({ size, usage });
    this.commands.copyOut(from.block, from.offset, staging, bytes);
    this.commands.submit();
    const copy = (await this.device.map(staging, bytes)).slice(0);
    staging.unmap();
    if (this.#staging.length < 8) this.#staging.push(staging);
    else staging.destroy();
    await this.device.settle();
    if (knobs.debug >= 1) await this.#report();
    return copy;
  }

  // --- kernels

  /** Records one dispatch of a shader's entry point. */
  run(file: Kernel, entry: string, run: Run): void {
    const { constants = {}, uniforms, threads, grid, flops = 0, label } = run;
    const standIn = this.standIns.get(file.name);
    const kernel = standIn?.kernel ?? file;
    const bind = standIn?.bind ? { ...run.bind, ...standIn.bind } : run.bind;
    const names = Object.keys(bind);
    const wanted: Wanted = [kernel, entry, constants, names, uniforms !== undefined];
    if (this.#rehearsed) {
      this.#rehearsed.push(wanted);
      return;
    }
    const pipeline = this.pipelines.get(...wanted);
    const bindings = names.map((name) => {
      const bound = bind[name];
      if (bound instanceof Tensor && bound.released)
        throw new KernelError(`${kernel.name}.${entry}: ${name} was released before this use`);
      const storage = bound instanceof Tensor ? bound.storage : bound;
      const { block, offset, bytes } = storage;
      if (this.borrowed && !this.borrowed.has(storage) && !this.memory.isReserved(block)) {
        this.borrowed.add(storage.retain());
      }
      return { index: kernel.bindings.get(name)!.index, block, offset, bytes };
    });
    const used = new Set(Object.values(bind).map((bound) => (bound instanceof Tensor ? bound.storage : bound)));
    const traffic = [...used].reduce((sum, { bytes }) => sum + bytes, 0);
    const uniform = uniforms &&
      kernel.uniformBinding && { index: kernel.uniformBinding.index, kernel, values: uniforms };
    const groups = grid ? ([grid[0], grid[1] ?? 1, grid[2] ?? 1] as const) : fold(threads ?? 1);
    const { phase, layer, op } = this.at;
    const info = { phase, layer, op, label: label ?? `${kernel.name}.${entry}`, flops, bytes: traffic };
    if (knobs.debug >= 3) console.error(`${info.label} ${groups.join('x')}`, constants, uniforms ?? '');
    this.commands.dispatch(pipeline, bindings, uniform, groups, info);
    this.watcher?.used([...used].map((storage) => storage.whole ?? storage));
  }

  /**
   * Does `work` without its kernels: shapes, memory and the tracer are as ever, values and gradients hold nothing.
   * @param work waits for nothing
   * @returns what would have run, in order
   */
  rehearse(work: () => unknown): readonly Wanted[] {
    const { validator } = this;
    const rehearsed: Wanted[] = [];
    [this.#rehearsed, this.validator] = [rehearsed, undefined];
    try {
      using _scope = this.scope();
      work();
    } finally {
      [this.#rehearsed, this.validator] = [undefined, validator];
    }
    return rehearsed;
  }

  /**
   * Compiles what `work` would run, all of it at once and beside everything else. Without it each kernel is compiled when it
   * is first recorded, and for so long a browser draws nothing.
   * @param work as of `rehearse` @returns its shader files, in order of dispatch
   */
  async compile(work: () => unknown): Promise<string[]> {
    const wanted = this.rehearse(work);
    await Promise.all(wanted.map((each) => this.pipelines.load(...each)));
    return wanted.map(([kernel]) => kernel.name);
  }

  /** Does a part of a step under its name. */
  during<T>(phase: string, work: () => T): T {
    const outer = this.at.phase;
    this.at.phase = phase;
    try {
      return work();
    } finally {
      this.at.phase = outer;
    }
  }

  /** A sparse linear map on the device, kept for the next use under its key. */
  map(key: string, build: () => AxisMap): DeviceMap {
    let map = this.#maps.get(key);
    if (map) return map;
    if (this.#maps.size >= MAX_MAPS) {
      for (const { start, index, weight } of this.#maps.values()) for (const s of [start, index, weight]) s.release();
      this.#maps.clear();
    }
    const { start, index, weight } = build();
    const uploaded: Storage[] = [];
    const upload = (values: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>) => {
      const raw = this.raw(Math.max(values.byteLength, 4));
      uploaded.push(raw);
      this.commands.write(raw.block, values);
      return raw;
    };
    try {
      map = {
        start: upload(new Uint32Array(start)),
        index: upload(new Uint32Array(index)),
        weight: upload(Float32Array.from(weight)),
      };
    } catch (error) {
      for (const raw of uploaded) raw.release();
      throw error;
    }
    this.#maps.set(key, map);
    return map;
  }

  // --- lifetimes

  /** Owns the tensors created until it is disposed: `using scope = engine.scope()`. */
  scope(): Scope {
    const scope = new Scope(this.#scopes);
    this.#scopes.push(scope);
    return scope;
  }

  /** Hands a fresh tensor to the innermost scope; without one its creator must release it. */
  own(x: Tensor): Tensor {
    this.#scopes.at(-1)?.add(x);
    return x;
  }

  /** Gives a tensor of the innermost scope up before the scope ends. */
  giveUp(x: Tensor): void {
    this.#scopes.at(-1)?.release(x);
  }

  /** Starts recording operations for a backward pass: `using tape = engine.record()`. */
  record(options: TapeOptions = {}): Tape {
    return new Tape(this, options);
  }

  // --- waiting

  /** Submits what is recorded and waits until the device has done it. @throws what failed meanwhile */
  async finish(): Promise<void> {
    this.commands.submit();
    await this.device.gpu.queue.onSubmittedWorkDone();
    await this.validator?.check();
    await this.device.settle();
    if (knobs.debug >= 1) await this.#report();
  }

  async #report(): Promise<void> {
    const stats = this.memory.stats();
    if (stats.peak > this.#reportedPeak) console.error(memoryLine(stats));
    this.#reportedPeak = stats.peak;
    if (knobs.debug < 2 || !this.caps.timestamps || this.#profiling) return;
    const stop = this.#stopTiming;
    this.#stopTiming = undefined; // reads may overlap: each part of the time is told once
    const times = await stop?.();
    if (times?.length) console.error(kernelTable(times));
    this.#stopTiming ??= this.commands.startProfile();
  }

  /** Times every dispatch made by `work` on the device's own clock. */
  async profile(work: () => Promise<unknown> | unknown): Promise<KernelTime[]> {
    const stop = this.commands.startProfile();
    this.#profiling = true; // DEBUG=2 waits with its own table
    try {
      await work();
    } catch (error) {
      await stop().catch(() => {}); // of a lost device nothing can be read
      throw error;
    } finally {
      this.#profiling = false;
    }
    return stop();
  }

  destroy(): void {
    this.memory.trim();
    this.device.gpu.destroy();
  }
}

/** Tensors that live until the scope ends. */
export class Scope {
  #tensors = new Set<Tensor>();
  constructor(readonly stack: Scope[]) {}

  add(x: Tensor): void {
    this.#tensors.add(x);
  }

  /** Hands tensors to the enclosing scope, or to the caller where there is none. */
  keep<T extends Tensor>(x: T): T {
    if (this.#tensors.delete(x)) this.stack[this.stack.indexOf(this) - 1]?.add(x);
    return x;
  }

  /** Gives a tensor up before the scope ends. */
  release(x: Tensor): void {
    if (this.#tensors.delete(x)) x.release();
  }

  [Symbol.dispose](): void {
    const at = this.stack.indexOf(this);
    if (at >= 0) this.stack.splice(at, 1);
    for (const x of this.#tensors) x.release();
    this.#tensors.clear();
  }
}
