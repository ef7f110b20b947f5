import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { commit } from '../bench/measure.ts';
import { Engine } from '../engine/engine.ts';
import { shapeText, UsageError } from '../engine/errors.ts';
import { knobsText, unheeded } from '../engine/knobs.ts';
import type { Shape } from '../engine/tensor.ts';
import { rememberedChoices } from '../io/choices.ts';
import { commandLine } from '../io/command-line.ts';
import { projectFolder } from '../io/folders.ts';
import { type DeviceChoice, nodeGpu } from '../io/gpu.ts';
import { toJson } from '../io/json.ts';
import { nearest } from '../train/near.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly device: DeviceChoice;
  readonly seed: number;
  readonly json?: boolean;
}

/** Adds --device and --seed, --json where the command reports, and examples below the help. */
export function shared(command: Command, { json, examples }: { json?: boolean; examples: readonly string[] }): Command {
  if (json) command.option('--json', 'print one JSON object and nothing else; an infinite number stands as "Infinity"');
  return command
    .addOption(
      new Option('--device <kind>', 'auto: hardware if there is any; gpu: hardware only; cpu: software only')
        .choices(['auto', 'gpu', 'cpu'])
        .default('auto'),
    )
    .option('--seed <number>', 'seed of everything random', wholeNumber(0), 1)
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
}

const engines: Engine[] = [];

/** An engine on the adapter that the user asked for, with the kernel variants that are fastest there. */
export async function openEngine(device: DeviceChoice): Promise<Engine> {
  const engine = await Engine.create((await nodeGpu(device)).adapter);
  engines.push(engine);
  engine.choices = await rememberedChoices(engine, packageVersion());
  return engine;
}

/** What the user should know of the knobs: what VALIDATE=1 checked on the engines that were opened, and what had no effect. */
export function noteKnobs(): void {
  const idle = engines.length > 0 ? unheeded() : undefined;
  if (idle) note(idle);
  for (const { validator } of engines) if (validator) note(validator.summary());
}

/** One JSON object, or text for people. Infinite numbers stand in JSON as "Infinity", undefined ones as "NaN". */
export function report(options: { json?: boolean }, result: object, text: () => string): void {
  process.stdout.write(`${options.json ? toJson(result) : text()}\n`);
}

/** Colours of notes, on terminals alone: picocolors by itself also colours pipes where CI is set. */
export const colours = pc.createColors(Boolean(process.stderr.isTTY) && !process.env.NO_COLOR);

/** For progress and remarks: stderr, so that stdout holds results alone. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** What was typed, so that it can be typed again, and which sources ran. */
export const origin = (): { command: string; commit: string } => {
  return { command: knobsText() + commandLine(...process.argv.slice(2)), commit: commit() ?? 'unknown' };
};

/** One line on what was computed: "conv2d: input (1, 3, 8, 8), weight (4, 3, 3, 3) -> y (1, 4, 6, 6) in 12 ms on ...: y.safetensors". */
export function noteComputed(
  what: string,
  { engine, ms, out }: { engine: Engine; ms: number; out: string },
  inputs: ReadonlyMap<string, { shape: Shape }>,
  results: ReadonlyMap<string, { shape: Shape }>,
): void {
  const names = (tensors: ReadonlyMap<string, { shape: Shape }>) =>
    Array.from(tensors, ([name, { shape }]) => `${name} ${shapeText(shape)}`);
  const [y, ...gradients] = names(results);
  const more = gradients.length > 4 ? [`${gradients.length} gradients`] : gradients;
  const computed = `${names(inputs).join(', ')} -> ${[y, ...more].join(', ')}`;
  note(`${what}: ${computed} in ${ms.toFixed(0)} ms on ${engine.caps.description}: ${out}`);
}

export const packageVersion = (): string =>
  JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')).version as string;

/** Columns as wide as their widest cell. Numbers stand to the right: all but the first column, if not told otherwise. */
export function table(rows: readonly (readonly string[])[], align: 'left' | 'right' = 'right'): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const cell = (text: string, i: number) =>
    i === 0 || align === 'left' ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

// --- options as commander parses them

export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const n = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(n) || n < least || n > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
      throw new InvalidArgumentError(`expected a whole number ${range}, got "${text}"`);
    }
    return n;
  };

const UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** "2GB", "512M", "100000": binary units. */
export function bytes(text: string): number {
  const [, number, unit] = /^([\d.]+)\s*([KMG]?)i?B?$/i.exec(text.trim()) ?? [];
  const value = Math.floor(Number(number) * UNITS[unit?.toUpperCase() ?? '']);
  if (!(value > 0)) throw new InvalidArgumentError(`expected a size such as 2GB or 512MB, got "${text}"`);
  return value;
}

/** A JSON object given on the command line. */
export function jsonObject(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // told below
  }
  throw new InvalidArgumentError(`expected a JSON object such as '{"padding":1}', got "${text}"`);
}

/** Looks a name up. @throws {UsageError} that lists what exists */
export function lookUp<T>(
  what: string,
  name: string,
  known: Readonly<Record<string, T>>,
  others: readonly string[] = [],
): T {
  if (Object.hasOwn(known, name)) return known[name];
  throw new UsageError(`no ${what} is called "${name}"${nearest(name, [...Object.keys(known), ...others])}`);
}

// --- interruption

/** What a process ends with that a signal stopped, as shells have it: 128 and the signal's number. */
export const exitCode = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/**
 * While `work` runs, Ctrl-C and SIGTERM call `cleanUp` and end the process as such signals do, so that nothing half-written
 * stays behind.
 */
export async function interruptible<T>(cleanUp: () => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  let stopped = false;
  const stop = (signal: NodeJS.Signals) => {
    stopped = true;
    note(`\nstopped by ${signal}`);
    cleanUp().finally(() => process.exit(exitCode(signal)));
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work();
  } catch (error) {
    if (stopped) await new Promise(() => {}); // it failed because it was stopped: the end of cleanUp ends the process
    throw error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
