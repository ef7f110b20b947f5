import type { Device } from './device.ts';
import { KernelError } from './errors.ts';
import { knobs } from './knobs.ts';

/** Values of top-level consts, and types of top-level aliases, by name. */
export type Constants = Readonly<Record<string, number | boolean | `vec${number}f` | 'f32'>>;
export type Uniforms = Readonly<Record<string, number | readonly number[]>>;

interface Binding {
  readonly name: string;
  readonly index: number;
  readonly type: GPUBufferBindingType;
}

/**
 * Uniforms that change from step to step (a learning rate, a dropout counter): asked for by the first dispatch, and again at
 * each replay of a captured step. All dispatches that are given the same one share its values; they must be of one kernel.
 */
export class Varying {
  #current: Uniforms | undefined;
  constructor(readonly next: () => Uniforms) {}
  get current(): Uniforms {
    this.#current ??= this.next();
    return this.#current;
  }
  refresh(): void {
    this.#current = this.next();
  }
}

interface UniformField {
  readonly name: string;
  readonly type: 'u' | 'i' | 'f';
  readonly lanes: number;
  readonly offset: number;
}

/** One .wgsl file: its text, and what its declarations say about bindings and uniforms. */
export class Kernel {
  readonly bindings = new Map<string, Binding>();
  /** Fields of the uniform struct: scalars, and vectors of four, each with its byte offset. */
  readonly uniforms: UniformField[] = [];
  readonly uniformBinding: Binding | undefined;

  constructor(
    /** The file's name, without its ending; errors and profiles show it. */
    readonly name: string,
    readonly source: string,
  ) {
    for (const m of source.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<([^>]+)>\s*(\w+)\s*:\s*(\w+)/g)) {
      const [, index, space, id, type] = m;
      const kind = space === 'uniform' ? 'uniform' : space.includes('read_write') ? 'storage' : 'read-only-storage';
      const binding: Binding = { name: id, index: Number(index), type: kind };
      if (kind !== 'uniform') {
        this.bindings.set(id, binding);
        continue;
      }
      this.uniformBinding = binding;
      const body = source.match(new RegExp(`struct\\s+${type}\\s*\\{([^}]*)\\}`))?.[1] ?? '';
      let offset = 0;
      for (const [, name, vector, scalar, short] of body.matchAll(/(\w+)\s*:\s*(?:(vec4)([uif])|([uif])32)/g)) {
        const lanes = vector ? 4 : 1;
        offset = Math.ceil(offset / (4 * lanes)) * 4 * lanes;
        this.uniforms.push({ name, type: (scalar ?? short) as UniformField['type'], lanes, offset });
        offset += 4 * lanes;
      }
    }
  }

  /** The source with its top-level consts and aliases replaced by name; each const keeps its own suffix (u, f, none). */
  withConstants(constants: Constants): string {
    let text = this.source;
    for (const [name, value] of Object.entries(constants)) {
      const keyword = typeof value === 'string' ? 'alias' : 'const';
      const declaration = new RegExp(`^${keyword} ${name}(\\s*:\\s*\\w+)?\\s*=\\s*([^;]*);`, 'm');
      const found = text.match(declaration);
      if (!found) throw new KernelError(`${this.name}.wgsl: no top-level ${keyword} ${name} to set`);
      const suffix =
        typeof value === 'number' ? (/u$/.test(found[2]) ? 'u' : /(f|\d\.\d*)$/.test(found[2]) ? 'f' : '') : '';
      text = text.replace(declaration, `${keyword} ${name}${found[1] ?? ''} = ${value}${suffix};`);
    }
    return text;
  }

  /** Uniform values by name, packed as the struct says. Vectors given short are filled with zeros. */
  packUniforms(values: Uniforms): ArrayBuffer {
    const end = this.uniforms.reduce((n, f) => Math.max(n, f.offset + 4 * f.lanes), 0);
    const bytes = new DataView(new ArrayBuffer(Math.ceil(end / 16) * 16));
    for (const { name, type, lanes, offset } of this.uniforms) {
      const value = values[name];
      if (value === undefined) throw new KernelError(`${this.name}.wgsl: uniform ${name} was not given`);
      const put = type === 'f' ? bytes.setFloat32 : type === 'i' ? bytes.setInt32 : bytes.setUint32;
      const list = typeof value === 'number' ? [value] : value;
      for (let i = 0; i < lanes; i++) put.call(bytes, offset + 4 * i, list[i] ?? 0, true);
    }
    return bytes.buffer;
  }
}

export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly id: number;
}

/** What a pipeline is made of. */
export type Wanted = readonly [
  kernel: Kernel,
  entry: string,
  constants: Constants,
  bound: readonly string[],
  uniform: boolean,
];

const keyOf = ([kernel, entry, constants, bound, uniform]: Wanted): string =>
  `${kernel.name}/${entry}/${bound.join()}${uniform ? '+' : ''}/${Object.entries(constants).join(';')}`;

const MAX_PIPELINES = 2048;

/** Compiled pipelines by file, entry point, constants and the set of buffers bound. */
export class Pipelines {
  #cache = new Map<string, Pipeline>();
  #loading = new Map<string, Promise<void>>();
  #nextId = 1;

  constructor(readonly device: Device) {}

  /** Compiled now, where it is not yet. */
  get(...wanted: Wanted): Pipeline {
    const key = keyOf(wanted);
    return this.#cache.get(key) ?? this.#keep(key, this.#compile(wanted));
  }

  /** Compiles what `get` will then find, beside everything else. What cannot be compiled is left to `get`, which says why. */
  load(...wanted: Wanted): Promise<void> {
    const key = keyOf(wanted);
    if (this.#cache.has(key)) return Promise.resolve();
    const loading = this.#loading.get(key) ?? this.#load(key, wanted).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  #keep(key: string, pipeline: Pipeline): Pipeline {
    if (this.#cache.size >= MAX_PIPELINES) this.#cache.clear();
    this.#cache.set(key, pipeline);
    return pipeline;
  }

  async #load(key: string, wanted: Wanted): Promise<void> {
    const { gpu } = this.device;
    const text = textOf(wanted);
    gpu.pushErrorScope('validation');
    const { layout, descriptor } = this.#describe(text);
    const compiled = gpu.createComputePipelineAsync(descriptor);
    gpu.popErrorScope().catch(() => {}); // the device is lost, which is reported on its own
    const pipeline = await compiled.catch(() => undefined);
    if (pipeline && !this.#cache.has(key)) this.#keep(key, { gpu: pipeline, layout, id: this.#nextId++ });
  }

  #compile(wanted: Wanted): Pipeline {
    const { gpu } = this.device;
    const text = textOf(wanted);
    const { label, code } = text;
    gpu.pushErrorScope('validation');
    const { layout, module, descriptor } = this.#describe(text);
    const pipeline = gpu.createComputePipeline(descriptor);
    this.device.watch(
      gpu.popErrorScope(),
      async ({ message }) => new KernelError(await explain(module, label, code, message)),
    );
    return { gpu: pipeline, layout, id: this.#nextId++ };
  }

  #describe({ label, code, entry, entries }: Text) {
    const { gpu } = this.device;
    const layout = gpu.createBindGroupLayout({ entries });
    const module = gpu.createShaderModule({ label, code });
    const pipelineLayout = gpu.createPipelineLayout({ bindGroupLayouts: [layout] });
    const descriptor = { label, layout: pipelineLayout, compute: { module, entryPoint: entry } };
    return { layout, module, descriptor };
  }
}

interface Text {
  readonly label: string;
  readonly code: string;
  readonly entry: string;
  readonly entries: GPUBindGroupLayoutEntry[];
}

function textOf([kernel, entry, constants, bound, uniform]: Wanted): Text {
  const label = `${kernel.name}.${entry}`;
  const code = kernel.withConstants(constants);
  if (knobs.debug >= 4) console.error(`--- ${kernel.name}.wgsl ${entry}\n${code}`);
  const entries = bound.map((name): GPUBindGroupLayoutEntry => {
    const binding = kernel.bindings.get(name);
    if (!binding) throw new KernelError(`${kernel.name}.wgsl: no binding named ${name}`);
    return { binding: binding.index, visibility: GPUShaderStage.COMPUTE, buffer: { type: binding.type } };
  });
  if (uniform && kernel.uniformBinding) {
    const buffer: GPUBufferBindingLayout = { type: 'uniform', hasDynamicOffset: true };
    entries.push({ binding: kernel.uniformBinding.index, visibility: GPUShaderStage.COMPUTE, buffer });
  }
  return { label, code, entry, entries };
}

/** File, line and text of a shader's errors. */
async function explain(module: GPUShaderModule, label: string, code: string, fallback: string): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter((m) => m.type === 'error');
  if (errors.length === 0) return `${label}: ${fallback}`;
  const lines = code.split('\n');
  return errors
    .map((m) => `${label}: line ${m.lineNum}:${m.linePos}: ${m.message}\n  ${lines[m.lineNum - 1]?.trim()}`)
    .join('\n');
}
