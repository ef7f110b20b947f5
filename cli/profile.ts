import { type Command, InvalidArgumentError, Option } from 'commander';
import { commit } from '../bench/measure.ts';
import {
  GROUPINGS,
  type Grouping,
  type Profile,
  type ProfileFacts,
  profileFacts,
  profileInference,
  profileStep,
} from '../bench/profile.ts';
import { profilePage } from '../bench/profile-page.ts';
import { chromeTrace } from '../bench/trace.ts';
import { UsageError } from '../engine/errors.ts';
import { writeFileAtomic } from '../io/atomic.ts';
import { nets, srNets } from '../nets/index.ts';
import { nearest } from '../train/near.ts';
import { override } from '../train/overrides.ts';
import { type Recipe, recipeOrNet, recipes } from '../train/recipes.ts';
import { type CommonOptions, note, openEngine, report, shared, table, wholeNumber } from './common.ts';

type Input = readonly [frames: number, height: number, width: number];

interface Options extends CommonOptions {
  readonly batch?: number;
  readonly inference?: boolean;
  readonly input?: Input;
  readonly by: Grouping;
  readonly set: string[];
  readonly trace?: string;
  readonly html?: string;
}

export function register(program: Command): void {
  const command = program
    .command('profile <recipe>')
    .summary('time, rates and memory of every kernel in a step')
    .description(
      'Times every kernel of one training step of a recipe or network, or with --inference of one forward pass, on the ' +
        "device's own clock: rates, share of the roofline, and device memory with its peak explained by tensor. " +
        'Networks that do not enlarge (discriminators, features, recognition, flow) have the forward pass alone.',
    )
    .option('--batch <samples>', "samples in a pass (default: the recipe's own; with --inference 1)", wholeNumber(1))
    .option('--inference', 'profile the network as it is used: one forward pass, no dropout')
    .option('--input <TxHxW>', 'with --inference: frames, height and width that a network enlarges', input)
    .addOption(new Option('--by <what>', 'put rows together by').choices([...GROUPINGS]).default('kernel'))
    .option('--set <key=value...>', 'change a setting of the recipe, such as net.width=32', [])
    .option('--trace <file>', 'write a trace for ui.perfetto.dev: kernels and live bytes')
    .option('--html <file>', 'write a page: timeline, roofline, memory over time and at its peak')
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel profile fstrn-small',
      'subpixel profile fstrn-small --by layer --html profile.html',
      'subpixel profile fstrn --set data.crop=96 --batch 2 --trace trace.json',
      'subpixel profile fstrn --inference --input 5x144x176',
    ],
  });
}

async function run(name: string, options: Options): Promise<void> {
  const known = recipeOrNet(name);
  if (!known) {
    const names = [...new Set([...Object.keys(recipes), ...Object.keys(nets)])];
    throw new UsageError(`no recipe or network is called "${name}"${nearest(name, names)}`);
  }
  if (options.input && !options.inference) {
    throw new UsageError(
      '--input goes with --inference; the input of a training step is set by data.crop and data.frames',
    );
  }
  if (!Object.hasOwn(srNets, known.net.name)) {
    if (!options.inference) {
      throw new UsageError(`${name} enlarges nothing and has no training of its own here: add --inference`);
    }
    if (options.input ?? options.batch) {
      throw new UsageError(`--input and --batch are for networks that enlarge: ${name} is profiled on its usual input`);
    }
  }
  const recipe = override({ ...known, seed: options.seed }, options.set);
  const profile = await measured(recipe, options);
  const origin = { device: profile.device, commit: commit(), recipe: recipe.name };
  const facts = profileFacts(profile, options.by);
  report(options, { ...origin, ...facts }, () => textOf(`${name} on ${origin.device}`, facts));
  if (options.trace) await writeFileAtomic(options.trace, JSON.stringify(chromeTrace(profile)));
  if (options.html) await writeFileAtomic(options.html, await profilePage(profile, origin));
}

async function measured(recipe: Recipe, options: Options): Promise<Profile & { device: string }> {
  const { batch, inference, device } = options;
  const engine = await openEngine(device);
  const profile = inference
    ? await profileInference(engine, recipe, { samples: batch ?? 1, input: options.input }, { tell: note })
    : await profileStep(engine, recipe, { batch, tell: note });
  return { ...profile, device: engine.caps.description };
}

/** @throws {InvalidArgumentError} */
function input(text: string): Input {
  const [t, h, w, more] = text.split('x').map(Number);
  if (more !== undefined || ![t, h, w].every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw new InvalidArgumentError(`expected frames, height and width such as 5x48x48, got "${text}"`);
  }
  return [t, h, w];
}

// --- text

/** Idle tensors at the peak: how many, and from what share of it on. */
const HELD_SHOWN = 8;
const WORTH_TELLING = 0.002;

function textOf(title: string, facts: ProfileFacts): string {
  const { what, shape, passes, parameters, steps, roof, ms, rows, by, memory } = facts;
  const many = passes > 1 ? `${passes} passes of ` : '';
  const head = [by, 'phase', 'calls', 'ms', '%', 'GFLOP/s', 'GB/s', 'FLOP/B', 'of roof', 'bound by'];
  const rates = (r: ProfileFacts['phases'][number]) => [
    ...[r.flops > 0 ? number(r.gflops) : '', number(r.gbs), r.flops > 0 ? number(r.intensity) : ''],
    ...[percent(r.roofline), r.bound],
  ];
  const line = (name: string, phase: string, r: ProfileFacts['phases'][number]) => [
    ...[name, phase, String(r.calls), r.ms.toFixed(3), ((100 * r.ms) / ms.step).toFixed(1)],
    ...rates(r),
  ];
  const total = ['all', '', String(rows.reduce((sum, { calls }) => sum + calls, 0)), ms.step.toFixed(3), '100.0'];
  return [
    `${title}: ${what}, ${parameters.toLocaleString('en')} parameters, input ${many}${shape.join('x')}; median of ${steps}`,
    `peak ${number(roof.gflops)} GFLOP/s, ${number(roof.gbs)} GB/s; an empty dispatch ${number(roof.launchUs)} µs (measured)`,
    '',
    table([
      head,
      ...rows.map((row) => line(row.name, row.phase, row)),
      head.map(() => ''),
      ...facts.phases.map((part) => line('', part.phase, part)),
      [...total, ...head.slice(total.length).map(() => '')],
    ]),
    'GB/s: each binding counted once a dispatch. Over 100 % of the roof: arrays that lie in caches; operations counted as the',
    'direct algorithm has them, where a kernel saves some; or a machine that was busy while its peak was measured.',
    '',
    ...memoryText(memory),
  ].join('\n');
}

function memoryText(memory: ProfileFacts['memory']): string[] {
  const { peakBytes, neededBytes, usedBytes, idleBytes, slackBytes, peakBy, atPeak } = memory;
  const uses = Object.entries(peakBy).filter(([, bytes]) => bytes > 0);
  const held = atPeak.filter(({ idle, bytes }) => idle && bytes > WORTH_TELLING * peakBytes);
  const shown = held.slice(0, HELD_SHOWN).map(({ name, bytes, idle }) => `  ${mib(bytes)}  ${name}, idle ${idle}`);
  if (held.length > shown.length) shown.push(`  and ${held.length - shown.length} more`);
  return [
    `memory: at most ${mib(peakBytes)}, in ${memory.peakDuring}: ${uses.map(([use, b]) => `${use} ${mib(b)}`).join(', ')}`,
    `liveness: ${mib(neededBytes)} would do, in ${memory.neededDuring}; the peak is ${memory.ratio.toFixed(2)} times that`,
    `at the peak: ${mib(usedBytes)} in use, ${mib(idleBytes)} idle, ${mib(slackBytes)} slack of blocks`,
    ...shown,
  ];
}

const number = (n: number): string => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const mib = (bytes: number): string =>
  bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(0)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
