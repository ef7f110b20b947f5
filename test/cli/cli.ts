import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { projectFolder } from '../../io/folders.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli {
  /** A folder of this test file's own. */
  readonly folder: string;
  /** Where it is built. */
  readonly dist: string;
  path(name: string): string;
  /** Runs the command line to its end. */
  run(...args: string[]): Promise<Outcome>;
  /** Runs it with --json: exactly one object on stdout. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
  start(...args: string[]): ChildProcess;
}

/** The built command line, as users run it. Each test file builds its own, so that files can run side by side. */
export function builtCli(): Cli {
  const folder = mkdtempSync(join(tmpdir(), 'subpixel-cli-'));
  // Inside the project, where packages are found.
  const dist = join(projectFolder, 'node_modules/.cache', `cli-test-${process.pid}-${folder.slice(-6)}`);
  beforeAll(async () => {
    const build = join(projectFolder, 'scripts/build.mjs');
    await promisify(execFile)(process.execPath, [build, dist], { cwd: projectFolder });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(dist, { recursive: true, force: true });
  });
  const command = (args: string[]) => [join(dist, 'cli/main.js'), ...args];
  const run = (...args: string[]) =>
    new Promise<Outcome>((resolve) => {
      execFile(process.execPath, command(args), { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      });
    });
  return {
    folder,
    dist,
    path: (name) => join(folder, name),
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json');
      if (code !== 0) throw new Error(`subpixel ${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    start: (...args) => spawn(process.execPath, command(args), { stdio: ['ignore', 'pipe', 'pipe'] }),
  };
}
