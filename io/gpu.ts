import { NoAdapterError, UsageError } from '../engine/errors.ts';
import { keepShaderCache, loadUnpackedMesa, systemHasVulkan, systemLavapipe } from './mesa.ts';
import { adapterAdvice } from './os-advice.ts';
import { withoutNativeWarnings } from './quiet.ts';

/** auto: hardware if there is any, else software; gpu: hardware only; cpu: software only (Mesa's lavapipe). */
export type DeviceChoice = 'auto' | 'gpu' | 'cpu';

/** Dawn's toggles, beyond those we always set. The environment's DAWN_FLAGS adds more (separated by `;`). */
export interface Toggles {
  enable?: string[];
  disable?: string[];
}

export interface NodeGpu {
  gpu: GPU;
  adapter: GPUAdapter;
  /** A software adapter: right, but slow. */
  fallback: boolean;
  /** Timestamp queries exist and are not rounded (Dawn rounds to 65.5 µs otherwise). */
  timestampsExact: boolean;
}

/**
 * What `create()` returned, one per set of flags. They stay referenced for the life of the process: once such an object
 * is collected, Dawn crashes in the middle of unrelated work.
 */
const held = globalThis as typeof globalThis & {
  subpixelDawn?: { flags: string; gpus: GPU[]; driverFixed: boolean };
  slowImmediates?: true;
};

/**
 * WebGPU in Node: starts Dawn on the first call, and finds an adapter.
 * @throws {NoAdapterError} when there is none of that kind; the message names the command that installs one
 */
export async function nodeGpu(choice: DeviceChoice = 'auto', toggles: Toggles = {}): Promise<NodeGpu> {
  const { create, globals } = await import('webgpu').catch((cause) => {
    throw new NoAdapterError(`Dawn does not load on ${process.platform}-${process.arch}: ${cause.message}`, { cause });
  });
  const flags = dawnFlags(toggles);
  const driverFixed = Boolean(process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES); // by the user, who is obeyed
  held.subpixelDawn ??= { flags: flags.join(';'), gpus: [], driverFixed };
  const dawn = held.subpixelDawn;
  if (dawn.flags !== flags.join(';')) {
    throw new UsageError(`Dawn's toggles are fixed once it runs: expected ${dawn.flags}, got ${flags.join(';')}`);
  }
  const start = (): GPU => {
    const gpu = create(flags);
    dawn.gpus.push(gpu);
    return gpu;
  };
  if (dawn.gpus.length === 0) {
    Object.assign(globalThis, globals);
    keepShaderCache();
    // With hardware present, naming the software driver alone also keeps a broken hardware driver from being loaded.
    const lavapipe = choice === 'cpu' ? systemLavapipe() : undefined;
    if (lavapipe && !driverFixed) process.env.VK_DRIVER_FILES = lavapipe;
    if (choice !== 'gpu' && !driverFixed && !systemHasVulkan()) loadUnpackedMesa();
    start();
  }
  let gpu = dawn.gpus.at(-1)!;
  let adapter = await request(gpu, choice);
  // A system's Mesa may be too old for Dawn, as Debian 12's is.
  if (!adapter && choice !== 'gpu' && !dawn.driverFixed && loadUnpackedMesa()) {
    gpu = start();
    adapter = await request(gpu, choice);
  }
  if (!adapter) throw noAdapter(choice);

  const fallback = adapter.info.isFallbackAdapter;
  if (fallback) slowImmediates();
  const timestampsExact =
    adapter.features.has('timestamp-query') && flags.some((flag) => /^disable.*timestamp_quantization/.test(flag));
  return { gpu, adapter, fallback, timestampsExact };
}

async function request(gpu: GPU, choice: DeviceChoice): Promise<GPUAdapter | null> {
  const wish: GPURequestAdapterOptions =
    choice === 'cpu' ? { forceFallbackAdapter: true } : { powerPreference: 'high-performance' };
  const adapter = await withoutNativeWarnings(async () => {
    // Until Dawn has been asked for any adapter, it looks for its own software adapter alone, and not for Vulkan's.
    if (choice === 'cpu') await gpu.requestAdapter();
    return gpu.requestAdapter(wish);
  });
  return choice === 'gpu' && adapter?.info.isFallbackAdapter ? null : adapter;
}

/** Dawn takes each key once, so the lists of all sources are joined. */
function dawnFlags({ enable = [], disable = [] }: Toggles): string[] {
  const flags = new Map<string, string[]>([
    ['enable-dawn-features', ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia', ...enable]],
    ['disable-dawn-features', ['timestamp_quantization', ...disable]],
  ]);
  for (const flag of (process.env.DAWN_FLAGS ?? '').split(';').filter(Boolean)) {
    const [key, values = ''] = flag.trim().split(/=(.*)/s);
    flags.set(key, [...(flags.get(key) ?? []), ...values.split(',')]);
  }
  return Array.from(flags, ([key, values]) => `${key}=${values.join(',')}`);
}

/**
 * While it waits, Dawn polls from setImmediate without a pause and takes a core from a software adapter that needs it:
 * half of the processor time on two cores. With hardware the added millisecond would only be latency.
 */
function slowImmediates(): void {
  if (held.slowImmediates) return;
  held.slowImmediates = true;
  const later = (run: (...args: unknown[]) => void, ...args: unknown[]) => setTimeout(run, 1, ...args);
  globalThis.setImmediate = later as unknown as typeof setImmediate;
  globalThis.clearImmediate = clearTimeout as unknown as typeof clearImmediate;
}

function noAdapter(choice: DeviceChoice): NoAdapterError {
  if (choice === 'gpu') {
    return new NoAdapterError(
      'no hardware WebGPU adapter: a GPU needs its Vulkan driver and the loader libvulkan.so.1; --device cpu runs without one',
    );
  }
  return new NoAdapterError(
    `no WebGPU adapter. "npm run setup" installs Mesa's lavapipe where it can; on this system by hand: ${adapterAdvice()}`,
  );
}
