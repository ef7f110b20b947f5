import type { Command } from 'commander';
import { commit } from '../bench/measure.ts';
import { chromeTrace, type KernelRow, profileStep } from '../bench/profile.ts';
import { UsageError } from '../engine/errors.ts';
import { writeFileAtomic } from '../io/atomic.ts';
import { nets } from '../nets/index.ts';
import { nearest } from '../train/near.ts';
import { override } from '../train/overrides.ts';
import { recipeOrNet, recipes } from '../train/recipes.ts';
import { type CommonOptions, openEngine, report, shared, table, wholeNumber } from './common.ts';

interface Options extends CommonOptions {
  readonly batch: number;
  readonly set: string[];
  readonly trace?: string;
}

export function register(program: Command): void {
  const command = program
    .command('profile <recipe>')
    .description('time of every kernel in one training step of a recipe or network: forward, backward, update')
    .option('--batch <samples>', 'samples in the step', wholeNumber(1), 1)
    .option('--set <key=value>', 'another setting of the recipe', (text, all: string[]) => [...all, text], [])
    .option('--trace <file>', 'write a trace for ui.perfetto.dev')
    .action(run);
  shared(command, {
    json: true,
    examples: ['subpixel profile fstrn-small', 'subpixel profile fstrn --set data.crop=96 --trace trace.json'],
  });
}

async function run(name: string, options: Options): Promise<void> {
  const known = recipeOrNet(name);
  if (!known) {
    const names = [...new Set([...Object.keys(recipes), ...Object.keys(nets)])];
    throw new UsageError(`no recipe or network is called "${name}"${nearest(name, names)}`);
  }
  const recipe = override({ ...known, seed: options.seed }, options.set);
  const engine = await openEngine(options.device);
  const profile = await profileStep(engine, recipe, options.batch);
  if (options.trace) await writeFileAtomic(options.trace, JSON.stringify(chromeTrace(profile)));
  const { times: _, ...facts } = profile;
  const { description } = engine.caps;
  report(options, { device: description, commit: commit(), recipe: recipe.name, ...facts }, () => {
    const { ms, parameters, shape, peakBytes, rows } = profile;
    const phases = Object.entries(ms).map(([phase, t]) => `${phase} ${t.toFixed(2)} ms`);
    return [
      `${name}: ${parameters} parameters, input ${shape.join('x')}, on ${description}`,
      `${phases.join(', ')}; at most ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
      table([['kernel', 'phase', 'calls', 'ms', '%', 'GFLOP/s', 'GB/s'], ...rows.map(line)]),
    ].join('\n');
  });
}

const line = ({ kernel, phase, calls, ms, share, gflops, gbs }: KernelRow): string[] => [
  ...[kernel, phase, String(calls), ms.toFixed(3), (100 * share).toFixed(1)],
  ...[gflops > 0 ? gflops.toFixed(2) : '', gbs.toFixed(2)],
];
