import type { Device } from './device.ts';
import { LimitError, SubpixelError } from './errors.ts';
import { type Kernel, type Pipeline, type Uniforms, Varying } from './kernel.ts';
import type { Block } from './memory.ts';

/** A part of a block as a kernel sees it: exactly the tensor's bytes, even in a larger block. */
export interface Binding {
  readonly index: number;
  readonly block: Block;
  readonly offset: number;
  readonly bytes: number;
}

/** What is at work, as profiles name it; each is empty where there is no such thing. */
export interface Place {
  /** The part of a step: forward, backward, update. */
  phase: string;
  /** The module by its path in the network: blocks.0.temporal. Only profiles name them. */
  layer: string;
  /** The op: conv3d, or where its gradient is computed, conv3d gradient. */
  op: string;
}

/** One kernel run as the profiler saw it. */
export interface KernelTime extends DispatchInfo {
  /** Microseconds on the device's own clock: start since the profile began, and length. */
  readonly start: number;
  readonly us: number;
}

export interface DispatchInfo extends Readonly<Place> {
  readonly label: string;
  readonly flops: number;
  readonly bytes: number;
}

/** Uniform values of one dispatch. */
export interface UniformData {
  readonly index: number;
  readonly kernel: Kernel;
  readonly values: Uniforms | Varying;
}

interface Slot {
  readonly page: number;
  readonly offset: number;
}

/** A fixed list of dispatches: everything that JavaScript decided, ready to be encoded again. */
export interface Recording {
  /** Pages that hold its uniforms. */
  readonly pages: Set<GPUBuffer>;
  readonly dispatches: {
    readonly pipeline: GPUComputePipeline;
    readonly group: GPUBindGroup;
    readonly offsets: readonly number[];
    readonly grid: Grid;
    readonly info: DispatchInfo;
  }[];
  readonly varying: Map<Varying, { readonly kernel: Kernel; readonly page: GPUBuffer; readonly offset: number }>;
}

type Grid = readonly [number, number, number];

/** Dispatches per submit: enough that the submit costs little, few enough that the device starts early. */
const BATCH = 64;
const SLOT = 256; // the default alignment of dynamic uniform offsets
const PAGE_SLOTS = 256;
const MAX_PAGES = 16;
const MAX_BIND_GROUPS = 8192;
const MAX_QUERIES = 4096; // WebGPU's limit on the size of a query set

/** Records dispatches into one pass and submits them in bounded batches. */
export class Commands {
  /** Number of the batch that is being recorded. */
  batch = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #recorded = 0;

  #bindGroups = new Map<string, GPUBindGroup>();
  // A step repeats the same sizes, so uniform blocks are kept by content and written once.
  #slots = new Map<string, Slot>();
  #pages: GPUBuffer[] = [];
  /** Recordings that may be played. Their pages outlive the slots' oblivion. */
  #recordings = new Set<Recording>();
  #recording: Recording | undefined;
  /** Dispatches of a step being captured wait, with uniforms that replays rewrite. */
  #varyingPending = false;
  #usedInPage = PAGE_SLOTS;

  #profile: Profile | undefined;

  constructor(readonly device: Device) {}

  /** Records one dispatch. @throws {LimitError} when the grid exceeds the adapter's */
  dispatch(
    pipeline: Pipeline,
    bindings: readonly Binding[],
    uniforms: UniformData | undefined,
    grid: Grid,
    info: DispatchInfo,
  ): void {
    const most = this.device.caps.limits.workgroupsPerDimension;
    if (grid.some((n) => n > most)) {
      throw new LimitError(
        `${info.label}: a grid of ${grid.join('x')} workgroups was asked for, at most ${most} fit in a dimension`,
      );
    }
    if (grid.some((n) => n === 0)) return;
    const slot = uniforms && this.#slot(uniforms);
    const group = this.#bindGroup(pipeline, bindings, uniforms && { index: uniforms.index, page: slot!.page });
    const offsets = slot ? [slot.offset] : [];
    this.#encode(pipeline.gpu, group, offsets, grid, info);
    this.#recording?.dispatches.push({ pipeline: pipeline.gpu, group, offsets, grid, info });
    if (slot) this.#recording?.pages.add(this.#pages[slot.page]);
    for (const { block } of bindings) block.lastBatch = this.batch;
    if (this.#recorded >= BATCH) this.submit();
  }

  #encode(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    offsets: readonly number[],
    grid: Grid,
    info: DispatchInfo,
  ) {
    if (this.#profile?.full) this.submit();
    this.#encoder ??= this.device.gpu.createCommandEncoder();
    if (!this.#profile) this.#pass ??= this.#encoder.beginComputePass();
    const pass = this.#profile ? this.#encoder.beginComputePass(this.#profile.next(info)) : this.#pass!;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group, offsets as number[]);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    if (this.#profile) pass.end();
    this.#recorded++;
  }

  /** From here until `stopRecording`, dispatches run as ever and are also kept. */
  startRecording(): void {
    if (this.#recording) throw new SubpixelError('a step is being captured already');
    this.#recording = { pages: new Set(), dispatches: [], varying: new Map() };
    this.#recordings.add(this.#recording);
  }

  stopRecording(): Recording {
    const recording = this.#recording!;
    this.#recording = undefined;
    return recording;
  }

  /** Runs a recording again, in one submit. Its buffers hold what was last written into them. */
  play(recording: Recording): void {
    if (this.#recording) throw new SubpixelError('a captured step cannot replay another one');
    if (this.#varyingPending) this.submit(); // or what was captured would read the new values
    for (const [varying, { kernel, page, offset }] of recording.varying) {
      varying.refresh();
      this.device.gpu.queue.writeBuffer(page, offset, kernel.packUniforms(varying.current));
    }
    for (const { pipeline, group, offsets, grid, info } of recording.dispatches) {
      this.#encode(pipeline, group, offsets, grid, info);
    }
    this.submit();
  }

  /** Lets go of a recording, and of the pages that only it kept. */
  dropRecording(recording: Recording): void {
    this.submit();
    this.#recordings.delete(recording);
    for (const page of recording.pages) if (!this.#pages.includes(page)) this.#destroyPage(page);
  }

  /** Writes host data into a block, after every recorded use of it. */
  write(block: Block, data: ArrayBufferView<ArrayBuffer>, offset = 0): void {
    if (this.#recording) {
      throw new SubpixelError(
        'a captured step cannot write host data: run it once before, and write its inputs outside',
      );
    }
    if (block.lastBatch === this.batch) this.submit();
    this.device.gpu.queue.writeBuffer(block.buffer, offset, data);
  }

  /** Records a copy of some of a block's bytes into a plain buffer. */
  copyOut(block: Block, offset: number, to: GPUBuffer, bytes: number): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#encoder ??= this.device.gpu.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(block.buffer, offset, to, 0, bytes);
    this.#recorded++;
    block.lastBatch = this.batch;
  }

  submit(): void {
    if (!this.#encoder) return;
    this.#pass?.end();
    this.#profile?.resolve(this.#encoder);
    this.device.gpu.queue.submit([this.#encoder.finish()]);
    this.#encoder = undefined;
    this.#pass = undefined;
    this.#recorded = 0;
    this.#varyingPending = false;
    this.batch++;
  }

  /** From here until the returned function is called, every dispatch is timed in a pass of its own. */
  startProfile(): () => Promise<KernelTime[]> {
    this.submit();
    const profile = new Profile(this.device);
    this.#profile = profile;
    return async () => {
      this.submit();
      if (this.#profile === profile) this.#profile = undefined;
      return profile.read();
    };
  }

  #slot({ kernel, values }: UniformData): Slot {
    const data = kernel.packUniforms(values instanceof Varying ? values.current : values);
    if (!this.#recording || !(values instanceof Varying)) return this.#intern(data);
    const { varying } = this.#recording;
    const known = varying.get(values);
    if (known) return { page: this.#pages.indexOf(known.page), offset: known.offset };
    const slot = this.#newSlot(data);
    varying.set(values, { kernel, page: this.#pages[slot.page], offset: slot.offset });
    this.#varyingPending = true;
    return slot;
  }

  #intern(data: ArrayBuffer): Slot {
    const key = new Uint32Array(data).join();
    let slot = this.#slots.get(key);
    if (slot) return slot;
    // Never in the midst of a recording, whose pages must stay where they are.
    const full = this.#pages.length >= MAX_PAGES && this.#usedInPage === PAGE_SLOTS;
    if (full && !this.#recording) this.#forgetSlots();
    slot = this.#newSlot(data);
    this.#slots.set(key, slot);
    return slot;
  }

  #newSlot(data: ArrayBuffer): Slot {
    if (this.#usedInPage === PAGE_SLOTS) {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      this.#pages.push(this.device.gpu.createBuffer({ size: PAGE_SLOTS * SLOT, usage }));
      this.#usedInPage = 0;
    }
    const slot = { page: this.#pages.length - 1, offset: this.#usedInPage++ * SLOT };
    this.device.gpu.queue.writeBuffer(this.#pages[slot.page], slot.offset, data);
    return slot;
  }

  #forgetSlots(): void {
    this.submit();
    for (const page of this.#pages) this.#destroyPage(page);
    this.#pages = [];
    this.#slots.clear();
    this.#bindGroups.clear();
    this.#usedInPage = PAGE_SLOTS;
  }

  #destroyPage(page: GPUBuffer): void {
    for (const { pages } of this.#recordings) if (pages.has(page)) return;
    page.destroy();
  }

  #bindGroup(
    pipeline: Pipeline,
    bindings: readonly Binding[],
    uniform?: { index: number; page: number },
  ): GPUBindGroup {
    let key = `${pipeline.id}.${uniform?.page ?? ''}`;
    for (const b of bindings) key += `,${b.block.id}:${b.offset}:${b.bytes}`;
    let group = this.#bindGroups.get(key);
    if (group) return group;
    const entries: GPUBindGroupEntry[] = bindings.map(({ index, block, offset, bytes }) => ({
      binding: index,
      resource: { buffer: block.buffer, offset, size: bytes },
    }));
    if (uniform) entries.push({ binding: uniform.index, resource: { buffer: this.#pages[uniform.page], size: SLOT } });
    group = this.device.gpu.createBindGroup({ layout: pipeline.layout, entries });
    if (this.#bindGroups.size >= MAX_BIND_GROUPS) this.#bindGroups.clear();
    this.#bindGroups.set(key, group);
    return group;
  }
}

/** Timestamp queries of one profile: two for each dispatch, resolved at every submit. */
class Profile {
  #infos: DispatchInfo[] = [];
  #chunks: { readonly resolved: GPUBuffer; readonly readable: GPUBuffer }[] = [];
  #set: GPUQuerySet;
  #used = 0;

  constructor(readonly device: Device) {
    this.#set = device.gpu.createQuerySet({ type: 'timestamp', count: MAX_QUERIES });
  }

  get full(): boolean {
    return this.#used + 2 > MAX_QUERIES;
  }

  next(info: DispatchInfo): GPUComputePassDescriptor {
    this.#infos.push(info);
    const at = this.#used;
    this.#used += 2;
    return { timestampWrites: { querySet: this.#set, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } };
  }

  resolve(encoder: GPUCommandEncoder): void {
    if (this.#used === 0) return;
    const size = this.#used * 8;
    const resolved = this.device.gpu.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const readable = this.device.gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    encoder.resolveQuerySet(this.#set, 0, this.#used, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, size);
    this.#chunks.push({ resolved, readable });
    this.#used = 0;
  }

  async read(): Promise<KernelTime[]> {
    const ticks: bigint[] = [];
    for (const { resolved, readable } of this.#chunks) {
      ticks.push(...new BigUint64Array(await this.device.map(readable)));
      readable.destroy();
      resolved.destroy();
    }
    this.#set.destroy();
    const origin = ticks[0] ?? 0n;
    return this.#infos.map((info, i) => ({
      ...info,
      start: Number(ticks[2 * i] - origin) / 1e3,
      us: Number(ticks[2 * i + 1] - ticks[2 * i]) / 1e3,
    }));
  }
}
