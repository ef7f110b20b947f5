import type { Command } from 'commander';
import { UsageError } from '../engine/errors.ts';
import { openRun, type RunRequest, train } from '../io/training-run.ts';
import { override } from '../train/overrides.ts';
import { type Recipe, recipeNamed, recipes } from '../train/recipes.ts';
import { type CommonOptions, exitCode, openEngine, origin, report, shared, wholeNumber } from './common.ts';
import { interruption, TrainingProgress } from './training-progress.ts';

interface TrainOptions extends CommonOptions {
  readonly data: string[];
  readonly val: string[];
  readonly iters?: number;
  readonly batch?: number;
  readonly out?: string;
  readonly stopAfter?: number;
  readonly resume?: boolean;
  readonly weights?: string;
  readonly set: string[];
}

export function register(program: Command): void {
  const command = program
    .command('train <recipe>')
    .summary('train a network on video')
    .description(
      `Trains a network as a recipe says: ${Object.keys(recipes).join(', ')}. Ctrl-C saves; --resume goes on from there, ` +
        'to the same bits. Without --val the last part of each clip is held out and never trained on. Networks of single ' +
        'pictures take frames of clips, or folders of pictures; those of different sizes are clips of one frame. A recipe has ' +
        "the numbers of its network's paper, which are for days on a GPU: --set makes networks and samples smaller.\n\n" +
        'For less memory: --set memory.checkpoint=true computes blocks twice instead of keeping them; ' +
        '--set memory.activations=f16 lets activations wait rounded, in half the bytes; a smaller --batch with as much ' +
        'more gradients.accumulate takes a step in smaller passes.',
    )
    .option('--data <clips...>', 'video files, folders of pictures, or folders of either', [])
    .option('--val <clips...>', 'clips to measure PSNR on', [])
    .option('--iters <n>', 'optimizer steps', wholeNumber(1))
    .option('--batch <n>', 'samples in one forward pass', wholeNumber(1))
    .option('--out <folder>', 'run folder (default: runs/<recipe>)')
    .option('--stop-after <n>', 'end at iteration n as an interruption would', wholeNumber(1))
    .option('--resume', 'go on with the run in --out; with a larger --iters, also with one that is finished')
    .option('--weights <file>', 'start from these weights, of another run or published ones: fine-tuning')
    .option('--set <key=value...>', 'change a setting of the recipe, such as net.width=32', []);
  shared(command, {
    json: true,
    examples: [
      'subpixel train fstrn-small --data clips/ --out runs/first',
      'subpixel train fstrn-small --data clips/ --out runs/first --resume',
      'subpixel train fstrn-small --out runs/first --resume --iters 3000',
      'subpixel train fstrn-small --data mine.mp4 --out runs/mine --weights runs/first/weights.safetensors',
      'subpixel train rcan --data DIV2K_train_HR/ --iters 2000 --set net.groups=2 net.blocks=4 data.batch=4',
      'subpixel train fstrn --data a.mp4 b.mkv --val c.mp4 --set net.width=32 optimizer.lr=3e-4',
    ],
  }).action(async (name: string, options: TrainOptions) => {
    const seedGiven = command.getOptionValueSource('seed') === 'cli';
    await run(name, { ...options, seed: seedGiven ? options.seed : undefined });
  });
}

type Given = Omit<TrainOptions, 'seed'> & { seed?: number };

async function run(name: string, options: Given): Promise<void> {
  const progress = new TrainingProgress();
  const training = await openRun({ ...requestOf(name, options), onLoad: progress.loading });
  const stop = interruption(); // until here there is nothing to save, and Ctrl-C ends at once
  try {
    progress.begin(training);
    const finished = await train(training, progress, { stopAfter: options.stopAfter, signal: stop.signal });
    progress.end();
    const { trainer, folder } = training;
    const { iteration } = trainer;
    const score = (await folder.metrics()).findLast((metric) => 'psnr' in metric);
    const result = { out: folder.path, iteration, iterations: trainer.recipe.iterations, finished, score };
    report(options, result, () =>
      finished ? `done: ${folder.path}/report.html` : `stopped at iteration ${iteration}; --resume goes on from there`,
    );
    if (!finished && stop.by) process.exitCode = exitCode(stop.by);
  } finally {
    progress.end();
    stop.forget();
  }
}

function requestOf(name: string, { set, iters, batch, seed, device, ...given }: Given): RunRequest {
  const named = recipeNamed(name);
  const settings = [...set];
  for (const [key, value] of Object.entries({ iterations: iters, 'data.batch': batch, seed })) {
    if (value !== undefined) settings.push(`${key}=${value}`);
  }
  const recipe = (started?: Recipe): Recipe => {
    if (started && started.name !== name) {
      throw new UsageError(`a resumed run keeps its recipe: expected ${started.name}, got ${name}`);
    }
    return override(started ?? named, settings);
  };
  return {
    recipe,
    ...{ data: given.data, val: given.val, out: given.out ?? `runs/${name}` },
    ...{ resume: given.resume ?? false, weights: given.weights, origin: origin() },
    openEngine: () => openEngine(device),
  };
}
