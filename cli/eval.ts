import { type Command, InvalidArgumentError, Option } from 'commander';
import { areAlike, type Clip, openClip, picturesIn } from '../io/clip.ts';
import { toPlanes } from '../train/colour.ts';
import { DEGRADATIONS, type Degradation } from '../train/degrade.ts';
import { type ClipEvaluation, type EvaluateOptions, evaluateClip } from '../train/evaluate.ts';
import type { InferOptions } from '../train/infer.ts';
import { DEFAULT_PROTOCOL, type Picture, PROTOCOLS, type Protocol, QUANTISE } from '../train/metrics.ts';
import {
  bytes,
  type CommonOptions,
  interruptible,
  lookUp,
  note,
  openEngine,
  report,
  shared,
  table,
  wholeNumber,
} from './common.ts';
import { type LoadedNet, loadNet, netEntry } from './net.ts';
import { startProgress } from './progress.ts';

interface Options extends CommonOptions {
  readonly weights?: string;
  readonly scale?: number;
  readonly degradation?: Degradation;
  readonly pictures?: boolean;
  readonly protocol?: string;
  readonly crop?: number;
  readonly channel?: Protocol['channel'];
  readonly quantise?: Protocol['quantise'];
  readonly ssim?: Protocol['ssimVariant'];
  readonly skip?: readonly [number, number];
  readonly frames?: number;
  readonly memory?: number;
  readonly tile?: number;
  readonly keep?: number;
  readonly window?: number;
}

export function register(program: Command): void {
  const command = program
    .command('eval <net> <clips...>')
    .description('PSNR and SSIM of a network, or of "bicubic", on clips (files or folders of pictures)')
    .option('--weights <file>', 'weights of the network, of a training run or published ones')
    .option(
      '--scale <factor>',
      "how much smaller the low resolution is (default: the network's own, else 4)",
      wholeNumber(2),
    )
    .addOption(
      new Option(
        '--degradation <kind>',
        "how low resolution is made (default: as in the network's training, else bicubic)",
      ).choices(DEGRADATIONS),
    )
    .option('--pictures', 'each picture of a folder is a clip of its own, as where their sizes differ')
    .option('--protocol <name>', `what follows, as in a paper: ${Object.keys(PROTOCOLS).join(', ')}`)
    .option('--crop <pixels>', 'border left out of the comparison (default: 8)', wholeNumber(0))
    .addOption(new Option('--channel <channel>', 'what is compared (default: y)').choices(['y', 'rgb']))
    .addOption(
      new Option('--quantise <how>', 'the result to 8 bits (default: round); clip limits it only').choices(QUANTISE),
    )
    .addOption(new Option('--ssim <variant>', 'its window (default: matlab)').choices(['matlab', 'skimage', 'pytorch']))
    .option('--skip <frames>', 'frames left out at each end, or at the head,tail (default: 0)', skipPair)
    .option('--frames <count>', 'only the first frames of each clip', wholeNumber(1))
    .option('--memory <size>', 'most device memory in use, such as 2GB', bytes)
    .option('--tile <pixels>', "edge of a tile of the network's input (default: what fits)", wholeNumber(1))
    .option('--window <frames>', 'frames that fstrn sees at once (default: as in its training)', wholeNumber(1))
    .option('--keep <frames>', 'centre frames that fstrn makes of each window', wholeNumber(1))
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel eval bicubic --scale 4 --crop 8 --channel y clips/*.mkv',
      'subpixel eval fstrn --weights run/weights.safetensors --frames 20 city.mp4 calendar/',
      'subpixel eval vdsr --weights model_epoch_50.pth --scale 3 --protocol vdsr --pictures Set5/',
    ],
  });
}

async function run(name: string, paths: string[], options: Options): Promise<void> {
  if (name !== 'bicubic') netEntry(name, ['bicubic']);
  if (options.protocol !== undefined) lookUp('protocol', options.protocol, PROTOCOLS);
  const clips: Clip[] = [];
  for (const path of paths) clips.push(...(await clipsAt(path, options.pictures))); // all of them, before any work
  const judged = name === 'bicubic' ? undefined : await openNet(name, options);
  const scale = options.scale ?? judged?.net.config.scale ?? 4;
  const degradation = options.degradation ?? judged?.degradation ?? 'bicubic';
  const protocol = protocolOf(options, scale);
  const results: { name: string; result: ClipEvaluation }[] = [];
  for (const clip of clips) {
    const total = Math.min(clip.frameCount ?? Number.POSITIVE_INFINITY, options.frames ?? Number.POSITIVE_INFINITY);
    const progress = startProgress(clip.name, Number.isFinite(total) ? total : undefined, 'frames');
    const evaluate: EvaluateOptions = { scale, degradation, protocol, net: judged, onFrame: progress.update };
    const pictures = frames(clip, protocol, options.frames, judged?.net.config.channels);
    try {
      const result = await interruptible(
        async () => progress.stop(),
        () => evaluateClip(pictures, evaluate),
      );
      results.push({ name: clip.name, result });
    } finally {
      progress.stop();
    }
  }
  const made = { scale, degradation, weights: options.weights };
  const summary = summarise(name, made, protocol, results);
  report(options, summary, () => text(name, summary));
}

/** A folder of pictures is a clip, or as many as there are pictures. */
async function clipsAt(path: string, apart = false): Promise<Clip[]> {
  const clip = await openClip(path);
  if (clip.kind !== 'folder') return [clip];
  const files = await picturesIn(path);
  return apart || !(await areAlike(files)) ? Promise.all(files.map(openClip)) : [clip];
}

type Judged = NonNullable<EvaluateOptions['net']> & Pick<LoadedNet, 'degradation'>;

async function openNet(name: string, options: Options): Promise<Judged> {
  const { weights, seed, scale, memory, tile, keep } = options;
  if (weights === undefined) note(`${name}: no --weights, so these are the first weights of seed ${seed}`);
  const engine = await openEngine(options.device);
  const { net, window, degradation } = await loadNet(engine, name, { weights, seed, scale });
  const infer: InferOptions = { window: options.window ?? window, memoryBytes: memory, tile, keep };
  return { engine, net, infer, degradation };
}

function protocolOf(options: Options, scale: number): Protocol {
  const base = options.protocol === undefined ? DEFAULT_PROTOCOL : PROTOCOLS[options.protocol](scale);
  const { crop, skip, channel, quantise, ssim } = options;
  return {
    channel: channel ?? base.channel,
    border: crop === undefined ? base.border : [crop, crop, crop, crop],
    skipHead: skip?.[0] ?? base.skipHead,
    skipTail: skip?.[1] ?? base.skipTail,
    quantise: quantise ?? base.quantise,
    ssimVariant: ssim ?? base.ssimVariant,
    lowResolution: base.lowResolution,
  };
}

/** Y where only Y is needed and the file stores it, which is then untouched; else planes of RGB. */
async function* frames(clip: Clip, { channel }: Protocol, count: number | undefined, channels = 1) {
  const stored = clip.video !== undefined && !clip.video.rgb;
  const format = channel === 'y' && channels === 1 && stored ? 'y' : 'rgb';
  for await (const { width, height, data } of clip.frames({ format, count })) {
    yield { width, height, data: format === 'y' ? data : toPlanes(data) } satisfies Picture;
  }
}

function summarise(
  name: string,
  { weights, ...made }: { scale: number; degradation: Degradation; weights?: string },
  protocol: Protocol,
  results: readonly { name: string; result: ClipEvaluation }[],
) {
  const clips = results.map(({ name: clip, result: { width, height, bicubic, net } }) => {
    const { frames, psnr, ssim } = net ?? bicubic;
    const beside = net && { bicubic: { psnr: bicubic.psnr, ssim: bicubic.ssim }, gain: psnr - bicubic.psnr };
    return { name: clip, frames, width, height, psnr, ssim, ...beside };
  });
  const mean = (value: (clip: (typeof clips)[number]) => number) =>
    clips.reduce((sum, clip) => sum + value(clip) / clips.length, 0);
  const beside = name !== 'bicubic' && {
    bicubic: { psnr: mean((c) => c.bicubic?.psnr ?? 0), ssim: mean((c) => c.bicubic?.ssim ?? 0) },
    gain: mean((c) => c.gain ?? 0),
  };
  return {
    net: name,
    weights: weights ?? null,
    protocol: described(made, protocol),
    clips,
    mean: { psnr: mean((c) => c.psnr), ssim: mean((c) => c.ssim), ...beside },
  };
}

/** In the words of the command line. */
function described(made: { scale: number; degradation: Degradation }, protocol: Protocol) {
  const { border, channel, quantise, ssimVariant, skipHead, skipTail } = protocol;
  const lowResolution = { round: '8 bit', passes: '8 bit after each pass', none: 'exact' }[protocol.lowResolution];
  const crop = border.every((n) => n === border[0]) ? border[0] : border;
  const skip = [skipHead, skipTail];
  return { ...made, lowResolution, channel, luma: 'BT.601', crop, quantise, ssim: ssimVariant, skip };
}

function text(name: string, { protocol, clips, mean }: ReturnType<typeof summarise>): string {
  const alone = name === 'bicubic';
  const head = ['clip', 'frames', `${name} dB`, 'SSIM', ...(alone ? [] : ['bicubic dB', 'SSIM', 'gain dB'])];
  const row = (label: string, count: string, c: Pick<(typeof clips)[number], 'psnr' | 'ssim' | 'bicubic' | 'gain'>) => [
    ...[label, count, c.psnr.toFixed(2), c.ssim.toFixed(4)],
    ...(c.bicubic ? [c.bicubic.psnr.toFixed(2), c.bicubic.ssim.toFixed(4), (c.gain ?? 0).toFixed(2)] : []),
  ];
  const rows = clips.map((clip) => row(clip.name, String(clip.frames), clip));
  const settings = Object.entries(protocol).map(([key, value]) => `${key} ${value}`);
  return `${table([head, ...rows, row('mean', '', mean)])}\n${settings.join('; ')}`;
}

function skipPair(text: string): [number, number] {
  const [head, tail = head, ...more] = text.split(',').map(Number);
  if (more.length > 0 || ![head, tail].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new InvalidArgumentError(`expected a number of frames, or two as in 2,3; got "${text}"`);
  }
  return [head, tail];
}
