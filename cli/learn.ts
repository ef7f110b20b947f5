import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import openInBrowser from 'open';
import sirv from 'sirv';
import { SubpixelError, UsageError } from '../engine/errors.ts';
import { projectFolder } from '../io/folders.ts';
import { exitCode, note, wholeNumber } from './common.ts';

interface Options {
  readonly port: number;
  readonly open: boolean;
}

export function register(program: Command): void {
  program
    .command('learn')
    .description('serve the laboratory, how video super-resolution works inside, to the browser of this machine')
    .option('--port <number>', 'where to listen; 0 takes any that is free', wholeNumber(0, 65_535), 4173)
    .option('--no-open', 'tell the address only')
    .addHelpText('after', '\nExamples:\n  $ subpixel learn\n  $ subpixel learn --port 8080 --no-open')
    .action(run);
}

/** Serves until Ctrl-C. Only this machine is answered: browsers have WebGPU on localhost, or behind HTTPS. */
async function run({ port, open }: Options): Promise<void> {
  const folder = join(projectFolder, 'dist-web');
  if (!existsSync(join(folder, 'index.html'))) {
    throw new UsageError(`the laboratory is not built: "npm run build:web" does it, into ${folder}`);
  }
  const server = createServer(sirv(folder, { etag: true }));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(new SubpixelError(taken ? `port ${port} is taken: --port names another, 0 any` : error.message));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = `http://localhost:${(server.address() as AddressInfo).port}/`;
  process.stdout.write(`${address}\n`);
  note('the laboratory is open; Ctrl-C ends it');
  if (open) await openInBrowser(address).catch(() => note('no browser could be opened: go to the address above'));
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  server.closeAllConnections();
  server.close();
  process.exitCode = exitCode(signal);
}
