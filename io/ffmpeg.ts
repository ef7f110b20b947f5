import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { UsageError } from '../engine/errors.ts';

export interface Ffmpeg {
  readonly path: string;
  /** Output option that passes each decoded frame on as it is, none repeated or dropped to fit a frame rate. */
  readonly everyFrame: readonly string[];
  /** Output option that repeats or drops frames so that they lie on a constant frame rate. */
  readonly constantRate: readonly string[];
}

let found: { setting: string | undefined; ffmpeg: Promise<Ffmpeg> } | undefined;

/**
 * The ffmpeg to use: $SUBPIXEL_FFMPEG if set, else the system's, else the binary of the optional package @ffmpeg-installer.
 * @throws {UsageError} with the command that installs one on this system
 */
export function findFfmpeg(): Promise<Ffmpeg> {
  const setting = process.env.SUBPIXEL_FFMPEG;
  if (found?.setting !== setting) found = undefined;
  found ??= { setting, ffmpeg: search(setting) };
  return found.ffmpeg;
}

async function search(setting: string | undefined): Promise<Ffmpeg> {
  const candidates = setting ? [setting] : ['ffmpeg', packagedFfmpeg()];
  for (const path of candidates) {
    const version = path && (await versionText(path));
    if (!path || !version) continue;
    const [major, minor] = (/libavutil +(\d+)\. *(\d+)/.exec(version) ?? []).slice(1).map(Number);
    const option = major > 57 || (major === 57 && minor >= 28) ? '-fps_mode' : '-vsync'; // renamed in FFmpeg 5.1
    return { path, everyFrame: [option, 'passthrough'], constantRate: [option, 'cfr'] };
  }
  if (setting) throw new UsageError(`SUBPIXEL_FFMPEG=${setting}: expected the path of an ffmpeg that runs`);
  throw new UsageError(
    `no ffmpeg found, and video needs one. Install it with: ${installCommand()}; ` +
      'or: npm install @ffmpeg-installer/ffmpeg; or set SUBPIXEL_FFMPEG to its path',
  );
}

function versionText(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(path, ['-version'], (error, stdout) => resolve(error ? undefined : stdout));
  });
}

function packagedFfmpeg(): string | undefined {
  try {
    return createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg').path;
  } catch {
    return undefined; // not installed, or no binary for this platform
  }
}

function installCommand(): string {
  const commands = {
    'apt-get': 'sudo apt-get install -y ffmpeg',
    dnf: 'sudo dnf install -y ffmpeg-free',
    pacman: 'sudo pacman -S --needed ffmpeg',
    zypper: 'sudo zypper install -y ffmpeg',
    apk: 'sudo apk add ffmpeg',
    brew: 'brew install ffmpeg',
  };
  if (process.platform === 'win32') return 'winget install ffmpeg';
  const folders = (process.env.PATH ?? '').split(delimiter);
  const manager = Object.entries(commands).find(([name]) => folders.some((folder) => existsSync(join(folder, name))));
  return manager?.[1] ?? "your system's package manager (the package is called ffmpeg)";
}

/** Runs ffmpeg to its end. For small results: all of stdout is kept. */
export async function runFfmpeg(
  args: readonly string[],
  input?: Uint8Array,
): Promise<{ code: number; stdout: Buffer; stderr: string }> {
  const { path } = await findFfmpeg();
  const child = spawn(path, args);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk) => stdout.push(chunk));
  child.stderr.on('data', (chunk) => stderr.push(chunk));
  child.stdin.on('error', () => {}); // it may exit before it has read everything; its exit code tells
  child.stdin.end(input);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? -1));
  });
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}

/** The last two different complaints of ffmpeg, without the addresses of its objects. */
export function complaint(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/ @ 0x[0-9a-f]+\]/g, ']').trim());
  return [...new Set(lines.filter((line) => line !== ''))].slice(-2).join('; ');
}
