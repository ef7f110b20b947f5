import { signal } from '@preact/signals';
import { Engine } from '../../engine/engine.ts';
import { DeviceLostError, UsageError } from '../../engine/errors.ts';
import { type Choices, readKnobs } from '../../engine/knobs.ts';
import { tune } from '../../engine/tuner.ts';

/** The reader's GPU, or what stands for it. */
export interface Lab {
  readonly engine: Engine;
  /** As the browser names it. */
  readonly name: string;
  /** Computed on the processor: figures then take smaller sizes. */
  readonly software: boolean;
}

export type LabState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'ready'; readonly lab: Lab }
  /** No WebGPU: `why` says what to do. Text and recorded pictures remain. */
  | { readonly kind: 'none'; readonly why: string };

export const labState = signal<LabState>({ kind: 'opening' });

const ADVICE =
  'Chrome and Edge have WebGPU since version 113, Safari since 26, Firefox on Windows since 141. On Linux, Chromium takes ' +
  'chrome://flags/#enable-unsafe-webgpu, or the command line --enable-unsafe-webgpu --enable-features=Vulkan.';

/** Opens the GPU: hardware if there is any, else the browser's own software. */
export async function openLab(): Promise<void> {
  labState.value = { kind: 'opening' };
  try {
    readKnobs(Object.fromEntries(new URLSearchParams(location.search))); // such as ?KERNEL=conv:direct
    const { gpu } = navigator;
    if (!gpu) throw new Error('this browser has no WebGPU');
    const adapter =
      (await gpu.requestAdapter({ powerPreference: 'high-performance' })) ??
      (await gpu.requestAdapter({ forceFallbackAdapter: true }));
    if (!adapter) throw new Error('this browser has WebGPU, but no adapter for it');
    const engine = await Engine.create(adapter);
    engine.device.gpu.lost.then(() => queueMicrotask(reopen));
    const { description, vendor, architecture, isFallbackAdapter } = adapter.info;
    const software = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`);
    labState.value = { kind: 'ready', lab: { engine, name: description || `${vendor} ${architecture}`, software } };
    // Where it fails, the order that is built in stays.
    if (!software) inTurn(new AbortController().signal, preferKernels).catch(() => {});
  } catch (error) {
    const { message } = error as Error;
    labState.value = { kind: 'none', why: error instanceof UsageError ? message : `${message}. ${ADVICE}` };
  }
}

/** What the tuner measured; a device in a lost one's place is the same again. */
let measured: Choices | undefined;

/** Orders the engine's kernels by their speed on this device, before any figure has its turn. */
async function preferKernels({ engine }: Lab): Promise<void> {
  measured ??= await tune(engine);
  engine.choices = measured;
}

/** More losses within a minute than this are no accident: what asks too much of the device would do so for ever. */
const MOST_LOSSES = 5;
let losses: number[] = [];

/** A lost device takes its tensors along; figures start again on a new one. */
function reopen(): void {
  if (labState.peek().kind !== 'ready') return;
  const now = performance.now();
  losses = [...losses.filter((at) => now - at < 60_000), now];
  if (losses.length <= MOST_LOSSES) void openLab();
  else
    labState.value = { kind: 'none', why: `The GPU was lost ${losses.length} times within a minute. Reload the page.` };
}

/** Work that was given up because something newer took its place. */
export class Superseded extends Error {}

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `work` when all that was asked for before is done. Figures share one engine, whose scopes and tape follow one thing
 * at a time.
 * @param signal gives it up before it starts
 * @throws {Superseded} when it was given up; what `work` throws
 */
export function inTurn<T>(signal: AbortSignal, work: (lab: Lab) => Promise<T>): Promise<T> {
  const turn = last.then(async () => {
    const state = labState.peek();
    if (signal.aborted || state.kind !== 'ready') throw new Superseded();
    try {
      return await work(state.lab);
    } catch (error) {
      if (error instanceof DeviceLostError) throw new Superseded();
      throw error;
    }
  });
  last = turn.catch(() => {});
  return turn;
}

/** Lets the browser draw and listen: between two pieces of work that together would hold the page for too long. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
