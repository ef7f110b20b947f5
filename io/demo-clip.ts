import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { proceduralClip } from '../train/procedural.ts';
import { fetchedFolder, projectFolder } from './folders.ts';
import { writeVideo } from './video-writer.ts';

export interface DemoClip {
  path: string;
  origin: 'cityCC0' | 'procedural';
  /** What it is, where it is from, and its licence: one line for the user. */
  note: string;
}

const city = {
  package: 'python-kivy-examples',
  file: 'usr/share/kivy-examples/widgets/cityCC0.mpg',
};

/**
 * The demo's footage: tall buildings, 720x405, 190 frames, CC0 by its name, from one of Debian's packages, fetched once and without
 * root; where that cannot be had, a drawn clip. Both are kept in .subpixel/.
 */
export async function demoClip(): Promise<DemoClip> {
  const unpacked = join(fetchedFolder, city.package);
  const path = join(unpacked, city.file);
  if (!existsSync(path)) {
    const failure = await unpackDebs(unpacked, city.package);
    if (!existsSync(path)) return drawnClip(failure);
  }
  const note = `cityCC0.mpg: real footage of tall buildings, CC0 by its name, from Debian's package ${city.package}`;
  return { path, origin: 'cityCC0', note };
}

/** @returns why it failed, if it did */
async function unpackDebs(into: string, ...packages: string[]): Promise<string> {
  try {
    await promisify(execFile)('bash', [join(projectFolder, 'scripts/unpack-debs.sh'), into, ...packages]);
    return '';
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return (stderr || message).trim().split('\n').at(-1)!;
  }
}

async function drawnClip(reason: string): Promise<DemoClip> {
  const [width, height, seed] = [480, 272, 1];
  const folder = writableFolder();
  const path = join(folder, `procedural-${width}x${height}-seed${seed}.mkv`);
  if (!existsSync(path)) {
    const frames = proceduralClip({ width, height, frames: 100, seed });
    await writeVideo(path, { width, height, fps: { num: 25, den: 1 }, format: 'rgb24' }, frames);
  }
  const note = `a drawn clip of moving textures, as real footage could not be fetched (${reason || 'no such file in the package'})`;
  return { path, origin: 'procedural', note };
}

/** .subpixel/, or the system's temporary folder where the project may not be written to. */
function writableFolder(): string {
  try {
    mkdirSync(fetchedFolder, { recursive: true });
    const probe = join(fetchedFolder, `.writable-${process.pid}`);
    mkdirSync(probe);
    rmSync(probe, { recursive: true });
    return fetchedFolder;
  } catch {
    return tmpdir();
  }
}
