#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { SubpixelError, UsageError } from '../engine/errors.ts';
import { readKnobs } from '../engine/knobs.ts';
import { register as bench } from './bench.ts';
import { noteKnobs, packageVersion } from './common.ts';
import { register as convert } from './convert.ts';
import { register as demo } from './demo.ts';
import { register as doctor } from './doctor.ts';
import { register as evaluate } from './eval.ts';
import { register as learn } from './learn.ts';
import { register as nets } from './nets.ts';
import { register as op } from './op.ts';
import { register as profile } from './profile.ts';
import { register as run } from './run.ts';
import { register as train } from './train.ts';
import { register as upscale } from './upscale.ts';

const ENDS = `
Ends with 0 on success, 1 when something failed, 2 for a command line that makes no sense; stopped by Ctrl-C with 130, by
SIGTERM with 143. Results go to stdout, everything else to stderr.`;

const program = new Command('subpixel')
  .description('Trains and runs video super-resolution networks on WebGPU.')
  .version(packageVersion())
  .configureHelp({ sortSubcommands: true })
  .showHelpAfterError('(--help shows what it takes)')
  .addHelpText('after', ENDS)
  .exitOverride();

for (const register of [bench, convert, demo, doctor, evaluate, learn, nets, op, profile, run, train, upscale])
  register(program);
for (const command of program.commands) command.exitOverride().showHelpAfterError('(--help shows what it takes)');

/** 0 only on success; 2 for a command line that makes no sense, 1 for what failed; what a command set, such as 130 after Ctrl-C. */
async function main(): Promise<number> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1); // whoever reads has seen enough
  });
  try {
    readKnobs(process.env);
    await program.parseAsync();
    noteKnobs();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has said why
    process.stderr.write(`subpixel: ${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** One paragraph; with DEBUG=1, and for what nobody foresaw, the stack too. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof SubpixelError;
  if (foreseen && !process.env.DEBUG) return `${error.name}: ${error.message}`;
  return `${foreseen ? '' : 'unexpected: '}${error.stack}`;
}

// Dawn's threads would keep the process alive; what is written to a pipe must leave first.
const code = await main();
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
