import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { type Choices, knobs } from '../engine/knobs.ts';
import { tune } from '../engine/tuner.ts';
import { writeFileAtomic } from './atomic.ts';
import { fetchedFolder } from './folders.ts';

/** What the tuner found, by adapter, version and precision. Safe to delete: it is then measured again. */
export const choicesFile: string = join(fetchedFolder, 'kernels.json');

/** The kernel variants to prefer on this engine's adapter: as measured before, else measured now and remembered. */
export async function rememberedChoices(engine: Engine, version: string): Promise<Choices> {
  const key = `${engine.caps.description} ${version} ${knobs.precision}`;
  const known = await readKnown();
  if (known[key]) return known[key];
  const found = await tune(engine);
  if (Object.keys(found).length > 0) {
    const text = `${JSON.stringify({ ...known, [key]: found }, null, 1)}\n`;
    await writeFileAtomic(choicesFile, text).catch(() => {}); // a folder that we may not write is no reason to stop
  }
  return found;
}

async function readKnown(): Promise<Record<string, Choices>> {
  try {
    return JSON.parse(await readFile(choicesFile, 'utf8'));
  } catch {
    return {}; // none yet, or unreadable: measuring again mends it
  }
}
