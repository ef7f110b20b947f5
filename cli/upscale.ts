import { existsSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../engine/errors.ts';
import { type Clip, openClip, picturesIn } from '../io/clip.ts';
import { type FrameSink, openSink, sinkKind } from '../io/frame-sink.ts';
import type { Rational } from '../io/video.ts';
import { optionsLike, type VideoWriterOptions } from '../io/video-writer.ts';
import { readWeightFile, type WeightFile } from '../io/weights/read.ts';
import { type RawFrame, type Upscaler, upscaleFrames } from '../train/upscale.ts';
import { counted } from '../train/words.ts';
import { bytes, type CommonOptions, interruptible, openEngine, report, shared, wholeNumber } from './common.ts';
import { loadNet, netEntry, netOf } from './net.ts';
import { startProgress } from './progress.ts';

interface Options extends CommonOptions {
  readonly output: string;
  readonly net?: string;
  readonly weights?: string;
  readonly scale?: number;
  readonly tile?: number;
  readonly memory?: number;
  readonly keep?: number;
  readonly window?: number;
  readonly cuts: boolean;
  readonly start?: number;
  readonly frames?: number;
  readonly fps?: Rational;
  readonly crf?: number;
  readonly force?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('upscale <in>')
    .description('enlarge a video, a picture or a folder of frames; keeps frame rate, colour tags and audio')
    .requiredOption('-o, --output <path>', 'a name with the ending of a video or picture, or a folder')
    .option('--net <name>', 'a network, or bicubic (default: the network that the weights are of)')
    .option('--weights <file>', 'weights of the network, of a training run or published ones')
    .option('--scale <factor>', "how many times larger (default: the network's own, else 4)", wholeNumber(1))
    .option('--memory <size>', 'most device memory in use', bytes, bytes('2GB'))
    .option('--tile <pixels>', "edge of a tile of the network's input (default: what fits the memory)", wholeNumber(1))
    .option('--window <frames>', 'frames that fstrn sees at once (default: as in its training)', wholeNumber(1))
    .option(
      '--keep <frames>',
      'centre frames that fstrn makes of each window: 1 is best, more is faster',
      wholeNumber(1),
    )
    .option('--no-cuts', 'let networks that remember the frame before, as frvsr, go on across cuts')
    .option('--start <frame>', 'first frame, from 0', wholeNumber(0))
    .option('--frames <count>', 'only so many frames', wholeNumber(1))
    .option('--fps <rate>', 'of a video made of pictures, such as 25 or 24000/1001 (default: 25)', frameRate)
    .option('--crf <quality>', 'of H.264: 0 lossless to 51', wholeNumber(0, 51), 18)
    .option('--force', 'replace the file at --output if there is one')
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel upscale small.mp4 -o large.mp4 --weights run/weights.safetensors',
      'subpixel upscale photo.png -o photo-x4.png --weights run/weights.safetensors --memory 512MB',
      'subpixel upscale frames/ -o large.mkv --fps 30 --net bicubic',
    ],
  });
}

async function run(input: string, options: Options): Promise<void> {
  const { output, weights } = options;
  if (options.net === undefined && weights === undefined) {
    throw new UsageError('expected --weights of a network, published or trained; --net bicubic enlarges without any');
  }
  const file = options.net === undefined ? await readWeightFile(weights!) : undefined;
  const name = options.net ?? (await netOf(weights!, file!));
  if (name !== 'bicubic') {
    netEntry(name, ['bicubic']);
    if (weights === undefined) {
      throw new UsageError(
        `${name} needs --weights: published ones, or the weights.safetensors that "subpixel train ${name}" writes into ` +
          'its run folder. --net bicubic enlarges without any',
      );
    }
  }
  if (resolve(input) === resolve(output)) throw new UsageError(`${output}: the output would replace the input`);
  if (sinkKind(output) !== 'folder' && existsSync(output) && !options.force) {
    throw new UsageError(`${output}: there is such a file already; --force replaces it`);
  }
  const clip = await openClip(input);
  const many = clip.kind !== 'image' && options.frames !== 1;
  if (sinkKind(output) === 'image' && many) {
    throw new UsageError(`${output}: a picture holds one frame: name a video or a folder, or add --frames 1`);
  }
  const upscaler = name === 'bicubic' ? undefined : await openNet(name, options, file);
  const scale = upscaler?.net.config.scale ?? options.scale ?? 4;
  const [width, height] = [clip.width * scale, clip.height * scale];

  // Y, U, V of a video stay what they are; everything else goes through RGB.
  const stored = clip.video !== undefined && !clip.video.rgb && upscaler?.net.config.channels !== 3;
  const format = sinkKind(output) === 'video' && stored ? 'yuv' : 'rgb';
  const writer = {
    ...writerOptions(clip, options),
    width,
    height,
    format: format === 'yuv' ? 'yuv420p' : 'rgb24',
  } as const;
  const sink = await openSink(output, writer, await pictureNames(clip, options));
  const began = performance.now();
  const frames = await interruptible(
    () => sink.abort(),
    () => pump(upscaleFrames(rawFrames(clip, format, options), scale, upscaler), sink, clip, options),
  );
  const seconds = (performance.now() - began) / 1000;
  const peakBytes = upscaler?.engine.memory.stats().peak ?? 0;
  report(options, { input, output, net: name, scale, frames, width, height, seconds, peakBytes }, () => {
    const memory = upscaler ? `, at most ${(peakBytes / 2 ** 20).toFixed(0)} MiB of device memory` : '';
    const rate = (frames / seconds).toFixed(2);
    return `${output}: ${counted(frames, 'frame')} of ${width}x${height} in ${seconds.toFixed(1)} s (${rate} a second)${memory}`;
  });
}

async function openNet(name: string, options: Options, file?: WeightFile): Promise<Upscaler> {
  const { weights, seed, scale, memory, tile, keep, cuts } = options;
  const engine = await openEngine(options.device);
  const { net, window } = await loadNet(engine, name, { weights, file, seed, scale });
  return { engine, net, infer: { window: options.window ?? window, memoryBytes: memory, tile, keep, cuts } };
}

async function pump(frames: AsyncIterable<RawFrame>, sink: FrameSink, clip: Clip, options: Options): Promise<number> {
  const there = Math.max((clip.frameCount ?? Number.POSITIVE_INFINITY) - (options.start ?? 0), 0);
  const total = Math.min(there, options.frames ?? Number.POSITIVE_INFINITY);
  const progress = startProgress(basename(options.output), Number.isFinite(total) ? total : undefined, 'frames');
  let count = 0;
  try {
    for await (const { data } of frames) {
      await sink.write(data);
      progress.update(++count);
    }
    if (count === 0) throw new UsageError(`${clip.path}: no frame from --start ${options.start ?? 0} on`);
    await sink.close();
  } catch (error) {
    await sink.abort();
    throw error;
  } finally {
    progress.stop();
  }
  return count;
}

async function* rawFrames(clip: Clip, format: RawFrame['format'], options: Options): AsyncGenerator<RawFrame> {
  const timing = sinkKind(options.output) === 'video' ? 'constant' : 'every'; // videos are written at a constant rate
  for await (const frame of clip.frames({ format, start: options.start, count: options.frames, timing })) {
    yield { width: frame.width, height: frame.height, format, data: frame.data as Uint8Array };
  }
}

function writerOptions(
  clip: Clip,
  { start = 0, frames, fps, crf }: Options,
): Omit<VideoWriterOptions, 'width' | 'height' | 'format'> {
  if (!clip.video) return { fps: fps ?? clip.fps, crf };
  if (fps) throw new UsageError('--fps is for pictures: a video keeps its own rate');
  const { audio, ...like } = optionsLike(clip.video);
  const rate = like.fps.num / like.fps.den;
  const part = { start: start / rate, seconds: frames === undefined ? undefined : frames / rate };
  return { ...like, crf, audio: audio && { ...audio, ...part } };
}

/** A folder's pictures keep their names; they are numbered where two differ in nothing but their ending. */
async function pictureNames(clip: Clip, { start = 0 }: Options): Promise<string[]> {
  if (clip.kind !== 'folder') return [];
  const names = (await picturesIn(clip.path)).map((path) => basename(path, extname(path)));
  return new Set(names).size === names.length ? names.slice(start) : [];
}

function frameRate(text: string): Rational {
  const [, num, den] = /^(\d+(?:\.\d+)?)(?:\/(\d+))?$/.exec(text) ?? [];
  const rate = { num: Math.round(Number(num) * (den ? 1 : 1000)), den: den ? Number(den) : 1000 };
  if (!(rate.num > 0 && rate.den > 0)) throw new InvalidArgumentError(`expected a rate such as 25 or 24000/1001`);
  return rate;
}
