import { arch, cpus, release, totalmem, type } from 'node:os';
import type { Command } from 'commander';
import { commit } from '../bench/measure.ts';
import { measurePeak } from '../bench/peak.ts';
import { Engine } from '../engine/engine.ts';
import { NoAdapterError, SubpixelError } from '../engine/errors.ts';
import { gatherVariants } from '../engine/kernels/conv/gather.ts';
import { correlateVariants } from '../engine/kernels/conv/weight-gradient.ts';
import { type Choices, knobs } from '../engine/knobs.ts';
import { choicesFile, rememberedChoices } from '../io/choices.ts';
import { findFfmpeg, runFfmpeg } from '../io/ffmpeg.ts';
import { fetchedFolder } from '../io/folders.ts';
import { nodeGpu } from '../io/gpu.ts';
import { type CommonOptions, packageVersion, report, shared, table } from './common.ts';

export function register(program: Command): void {
  const command = program
    .command('doctor')
    .description('what this machine has: adapter, driver, features, limits, measured peak rates, ffmpeg, versions')
    .action(run);
  shared(command, { json: true, examples: ['subpixel doctor', 'subpixel doctor --device cpu --json'] });
}

/** @throws {NoAdapterError} after all that can be said without an adapter; its message says what to install */
async function run(options: CommonOptions): Promise<void> {
  const machine = {
    subpixel: { version: packageVersion(), commit: commit() },
    node: process.version,
    system: `${type()} ${release()} ${arch()}`,
    processors: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryBytes: totalmem(),
    ffmpeg: await ffmpeg(),
    folder: fetchedFolder,
    knobs: { DEBUG: knobs.debug, VALIDATE: knobs.validate, KERNEL: knobs.kernel, PRECISION: knobs.precision },
  };
  const adapter = await adapterFacts(options).catch((error) => {
    if (!(error instanceof NoAdapterError)) throw error;
    if (options.json) report(options, { ...machine, adapter: null, problem: error.message }, () => '');
    else report(options, machine, () => lines(machine));
    throw error;
  });
  report(options, { ...machine, ...adapter }, () => lines({ ...machine, ...adapter }));
}

async function adapterFacts(options: CommonOptions) {
  const { adapter, fallback, timestampsExact } = await nodeGpu(options.device);
  const features = [...adapter.features].sort();
  const engine = await Engine.create(adapter);
  const preferred = await rememberedChoices(engine, packageVersion());
  const { description, vendor, architecture, subgroupSize, matrices, limits } = engine.caps;
  const tensorCores = matrices.length > 0 ? matrices.map(({ m, n, k }) => `${m}x${n}x${k}`) : 'none (f16 to f32)';
  const peak = await measurePeak(engine, { spend: 300 });
  return {
    adapter: {
      description,
      vendor,
      architecture,
      software: fallback,
      timestampsExact,
      subgroupSize,
      tensorCores,
      features,
    },
    limits,
    peak,
    kernels: { order: kernelOrder(preferred), ...kernelChoices(engine, preferred) },
  };
}

/** Among the variants of a family that can do a shape the first runs; `subpixel profile` shows which. KERNEL forces one. */
function kernelChoices(engine: Engine, measured: Choices): Record<string, readonly string[]> {
  const names = (variants: readonly { name: string }[]) => variants.map(({ name }) => name);
  const builtIn = { conv: names(gatherVariants(engine)), conv_dw: names(correlateVariants(engine)) };
  return { ...builtIn, ...measured };
}

function kernelOrder(measured: Choices): string {
  if (Object.keys(measured).length === 0) return 'built in: software adapters are not measured';
  return `measured on this adapter, remembered in ${choicesFile}`;
}

async function ffmpeg(): Promise<{ path: string; version: string } | { problem: string }> {
  try {
    const { path } = await findFfmpeg();
    const { stdout } = await runFfmpeg(['-version']);
    return { path, version: /ffmpeg version (\S+)/.exec(stdout.toString())?.[1] ?? 'unknown' };
  } catch (error) {
    if (error instanceof SubpixelError) return { problem: error.message };
    throw error;
  }
}

/** One line per fact, names of groups before their members. */
function lines(facts: object): string {
  const rows = (tree: object, prefix: string): string[][] =>
    Object.entries(tree).flatMap(([key, value]) => {
      const name = prefix + key;
      if (value && typeof value === 'object' && !Array.isArray(value)) return rows(value, `${name} `);
      return [[name, show(key, value)]];
    });
  return table(rows(facts, ''), 'left');
}

function show(key: string, value: unknown): string {
  if (Array.isArray(value)) return value.join(' ');
  if (typeof value !== 'number') return String(value ?? 'unknown');
  if (/bytes$/i.test(key) && value >= 2 ** 20) return `${(value / 2 ** 20).toFixed(0)} MiB`;
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
