import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { openClip } from '../io/clip.ts';
import { demoClip } from '../io/demo-clip.ts';
import { heldOutFrom } from '../io/footage.ts';
import { writeReport } from '../io/report.ts';
import { RunFolder } from '../io/run-folder.ts';
import { type Showcase, writeShowcase } from '../io/showcase.ts';
import { openRun, type RunRequest, type TrainingRun, train } from '../io/training-run.ts';
import { macsFor } from '../nets/net.ts';
import { measureRate } from '../train/rate.ts';
import { type Recipe, recipeNamed } from '../train/recipes.ts';
import { protocolFor } from '../train/validation.ts';
import { besideBicubic, counted } from '../train/words.ts';
import { type CommonOptions, colours, exitCode, note, openEngine, origin, report, shared, table } from './common.ts';
import { clock, startProgress } from './progress.ts';
import { interruption, TrainingProgress } from './training-progress.ts';

interface DemoOptions extends CommonOptions {
  readonly out: string;
  readonly quick?: boolean;
}

/** What is aimed at: the whole demo ends within six minutes on two cores without a GPU. */
interface Plan {
  readonly iterations: number;
  /** Seconds meant for training; fewer iterations are planned where they do not suffice for all. */
  readonly training: number;
  /** Seconds after which training ends, finished or not: the machine may get other work on the way. */
  readonly deadline: number;
  /** Seconds meant for the last part. */
  readonly showing: number;
}
const FULL: Plan = { iterations: 2500, training: 200, deadline: 245, showing: 45 };
const QUICK: Plan = { iterations: 10, training: 20, deadline: 40, showing: 5 };
const FEWEST = { iterations: 10, frames: 3 };
const MOST_BYTES = 2 ** 28; // of decoded footage: a demo has no time for more

export function register(program: Command): void {
  const command = program
    .command('demo [clip]')
    .summary('train a small network on a clip and show what it gained over bicubic')
    .description(
      'Trains fstrn-small on most of a clip for a few minutes, enlarges frames that it never saw, and leaves pictures, a ' +
        'video, a report and the checkpoint. Without a clip it takes free footage, or draws some.',
    )
    .option('--out <folder>', 'where the results go; an earlier demo there is replaced', 'demo-out')
    .option('--quick', 'a few iterations only, to see that everything works');
  shared(command, { json: true, examples: ['subpixel demo', 'subpixel demo holiday.mp4 --out holiday-demo'] });
  command.action(demo);
}

async function demo(given: string | undefined, options: DemoOptions): Promise<void> {
  const began = performance.now();
  const plan = options.quick ? QUICK : FULL;
  const footage = given ? { path: given, note: `your clip ${basename(given)}` } : await demoClip();
  note(`${colours.bold('clip')}      ${footage.note}`);
  const { width, height } = await openClip(footage.path);
  await RunFolder.clearDemo(options.out);

  const engine = await openEngine(options.device);
  const { recipe, flopsPerSecond } = await planned(engine, plan, { seed: options.seed, side: Math.min(width, height) });
  const run = await trained(
    {
      recipe: () => recipe,
      ...{ data: [footage.path], val: [], out: options.out, resume: false, maxBytes: MOST_BYTES },
      ...{ openEngine: async () => engine, origin: origin(), demo: true },
    },
    plan.deadline,
  );
  if (!run) return;
  const shown = await show(run, flopsPerSecond * plan.showing);
  await conclude(run, shown, { options, origin: footage.note, seconds: (performance.now() - began) / 1000 });
}

/** Trains until the recipe's or the plan's end. Undefined if the user stopped it. */
async function trained(request: RunRequest, deadline: number): Promise<TrainingRun | undefined> {
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), 1000 * deadline);
  const progress = new TrainingProgress();
  const run = await openRun({ ...request, onLoad: progress.loading });
  const stop = interruption(); // until here there is nothing to save, and Ctrl-C ends at once
  stop.signal.addEventListener('abort', () => end.abort());
  try {
    progress.begin(run);
    const finished = await train(run, progress, { signal: end.signal });
    progress.end();
    const { iteration, recipe } = run.trainer;
    if (stop.by) {
      note(`stopped; go on with: subpixel train ${recipe.name} --resume --out ${request.out}`);
      process.exitCode = exitCode(stop.by);
      return undefined;
    }
    if (!finished) note(`time is up at iteration ${iteration} of ${recipe.iterations}`);
    return run;
  } finally {
    clearTimeout(timer);
    progress.end();
    stop.forget();
  }
}

/** The report, the table, and what lies where. */
async function conclude(
  run: TrainingRun,
  shown: Shown,
  { options, origin, seconds }: { options: DemoOptions; origin: string; seconds: number },
): Promise<void> {
  const { ours, bicubic } = shown;
  const { recipe, iteration, net } = run.trainer;
  const rows = scoreTable(recipe.name, shown);
  const clip = basename(run.info.data[0]);
  const trained = counted(run.footage.training[0].frames.length, 'frame');
  await writeReport(
    run.folder,
    run.info,
    { parameters: net.parameterCount() },
    {
      title: 'subpixel: demo',
      summary: `${counted(iteration, 'iteration')} of ${recipe.name}: ${besideBicubic(ours.psnr - bicubic.psnr)} on frames that it never saw.`,
      notes: [`${origin}. Trained on ${trained} before those below. The whole demo took ${clock(seconds)} minutes.`],
      table: { caption: tableCaption(run, shown, clip), rows },
      pictures: [{ caption: pictureCaption(shown), path: shown.picture }],
    },
  );
  const files = ['before-after.png', 'upscaled.mp4', 'report.html', 'checkpoint.safetensors', 'weights.safetensors'];
  const scores = { bicubic: pick(bicubic), ours: pick(ours), gain: ours.psnr - bicubic.psnr };
  const result = { out: resolve(options.out), frames: ours.frames, iterations: iteration, ...scores, files, seconds };
  const what = `${counted(ours.frames, 'held-out frame')} of ${clip}, x${net.config.scale}, ${protocolText(shown)}`;
  const lines = [`\n${what}`, table(rows), '', ...files.map((name) => join(options.out, name))];
  report(options, result, () => [...lines, `\ndone in ${clock(seconds)} minutes`].join('\n'));
}

const protocolText = ({ width, height }: Shown): string =>
  `${width}x${height}, Y, ${protocolFor({ width, height }).border[0]} pixels of border left out`;

function tableCaption({ footage }: TrainingRun, shown: Shown, clip: string): string {
  const { start, ours } = shown;
  const range = `${start} to ${start + ours.frames - 1} of ${clip}`;
  const all = footage.heldOut[0].frames.length;
  return `The table: means over ${ours.frames} of the ${counted(all, 'held-out frame')} (${range}), ${protocolText(shown)}.`;
}

const pictureCaption = ({ shown }: Shown): string =>
  `Frame ${shown}, the middle of these: low resolution, bicubic, the network, the truth. ` +
  'The labels give the PSNR of this frame alone.';

/** fstrn-small with as many iterations as the plan has, or as the machine has time for; crops no larger than the clip. */
async function planned(
  engine: Engine,
  plan: Plan,
  { seed, side }: { seed: number; side: number },
): Promise<{ recipe: Recipe; flopsPerSecond: number }> {
  const whole = recipeNamed('fstrn-small');
  const crop = Math.max(Math.min(whole.data.crop, side - (side % 4)), 4);
  const base = { ...whole, data: { ...whole.data, crop } };
  note(`${colours.bold('adapter')}   ${engine.caps.description}`);
  const { stepsPerSecond, flopsPerSecond } = await measureRate(engine, base);
  const possible = Math.floor(plan.training * stepsPerSecond);
  const iterations = Math.max(Math.min(plan.iterations, possible), FEWEST.iterations);
  note(
    `${colours.bold('training')}  ${iterations} iterations, as many as fit into ${plan.training} s at ` +
      `${stepsPerSecond.toFixed(1)} a second: about ${clock(iterations / stepsPerSecond)} minutes`,
  );
  const validation = { ...base.validation, every: Math.max(5, Math.round(iterations / 10)) };
  return { recipe: { ...base, seed, iterations, validation }, flopsPerSecond };
}

type Scores = Pick<Showcase, 'bicubic' | 'ours'>;
type Shown = Showcase & { readonly picture: string; readonly start: number };

/** Enlarges as many held-out frames as so much arithmetic allows. */
async function show({ trainer, folder, footage, info }: TrainingRun, flops: number): Promise<Shown> {
  const clip = await openClip(info.data[0]);
  const { engine, recipe, net } = trainer;
  const window = recipe.data.frames;
  const { scale } = net.config;
  const each = 2 * macsFor(engine, net, window, clip.height / scale, clip.width / scale);
  const heldOut = footage.heldOut[0].frames.length;
  const count = Math.min(Math.max(Math.floor(flops / each), FEWEST.frames), heldOut);
  const progress = startProgress('upscaling held-out frames', count, 'frames');
  const picture = folder.file('before-after.png');
  const start = heldOutFrom(clip, footage);
  try {
    const result = await trainer.evaluating((net) =>
      writeShowcase({
        ...{ clip, start, count, degradation: recipe.data.degradation },
        upscaler: { engine, net, infer: { window } },
        ...{ video: folder.file('upscaled.mp4'), picture, onFrame: progress.update },
      }),
    );
    return { ...result, picture, start };
  } finally {
    progress.stop();
  }
}

const pick = ({ psnr, ssim }: Showcase['ours']) => ({ psnr, ssim });

function scoreTable(name: string, { bicubic, ours }: Scores): string[][] {
  const signed = (n: number, digits: number) => `${n >= 0 ? '+' : ''}${n.toFixed(digits)}`;
  return [
    ['', 'PSNR dB', 'SSIM'],
    ['bicubic', bicubic.psnr.toFixed(2), bicubic.ssim.toFixed(4)],
    [name, ours.psnr.toFixed(2), ours.ssim.toFixed(4)],
    ['gain', signed(ours.psnr - bicubic.psnr, 2), signed(ours.ssim - bicubic.ssim, 4)],
  ];
}
