import { cpus } from 'node:os';
import type { Engine } from '../engine/engine.ts';
import { type Choices, knobsText } from '../engine/knobs.ts';
import { commit } from './measure.ts';
import type { Peak } from './peak.ts';

/** Where and when something was measured: the head of every result file. */
export interface Origin {
  readonly device: {
    /** The GPU; of a software adapter, its driver. */
    readonly name: string;
    /** The driver and its version, in the driver's own words. */
    readonly description: string;
    readonly vendor: string;
    readonly software: boolean;
    readonly processor: string;
    /** device: timestamp queries; host: our clock, around a wait for the device. */
    readonly clock: 'device' | 'host';
    /** Which kernel variants the tuner prefers there; empty for the default order. */
    readonly choices: Choices;
    /** Measured in the same run. */
    readonly peak: Peak;
  };
  /** The commit, with + for changes on top of it; null outside a clone. */
  readonly commit: string | null;
  /** ISO 8601. */
  readonly date: string;
  readonly node: string;
  /** What repeats it, a forced kernel variant included. */
  readonly command: string;
}

/** @param command what was asked of the command line */
export function originOf(engine: Engine, peak: Peak, command: string): Origin {
  const { description, vendor, fallback, timestamps } = engine.caps;
  const [first] = cpus();
  return {
    device: {
      name: (fallback ? '' : engine.device.gpu.adapterInfo?.device) || description,
      description,
      vendor,
      software: fallback,
      processor: `${first?.model.trim() || 'unknown'}, ${cpus().length} threads`,
      clock: timestamps ? 'device' : 'host',
      choices: engine.choices,
      peak,
    },
    commit: commit(),
    date: new Date().toISOString(),
    node: process.versions.node,
    command: `${knobsText()}npx subpixel ${command}`,
  };
}

/** A result file: a line for each row, six digits for each number, which say all that a measurement knows. */
export function resultText(result: object): string {
  const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);
  const parts = Object.entries(result).map(([key, value]) => {
    const text = Array.isArray(value)
      ? `[\n${value.map((row) => `  ${JSON.stringify(row, rounded)}`).join(',\n')}\n ]`
      : JSON.stringify(value, rounded);
    return ` ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${parts.join(',\n')}\n}\n`;
}
