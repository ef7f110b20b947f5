import { extname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { shapeText, UsageError } from '../engine/errors.ts';
import type { StateDict } from '../engine/nn/module.ts';
import { size } from '../engine/tensor.ts';
import { ownOf, refuseCheckpoint, refuseMisfit, writeWeights } from '../io/checkpoint.ts';
import { recognise } from '../io/weights/fit.ts';
import { readWeightFile, type WeightFile } from '../io/weights/read.ts';
import { interpolateStates } from '../nets/esrgan.ts';
import { nets } from '../nets/index.ts';
import { type CommonOptions, lookUp, note, report, shared, table } from './common.ts';

interface Options extends CommonOptions {
  readonly net?: string;
  readonly mix?: string;
  readonly alpha: number;
  readonly list?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('convert <in> [out]')
    .summary('weights of any format to ours, or what they hold')
    .description(
      'Reads weights, whatever their format: PyTorch (.pth, .pt), safetensors, HDF5 (.h5), TensorFlow.js (model.json). ' +
        'Nothing in them is executed. Writes them under our names, with the network and its settings, so that every ' +
        'command takes them; without <out> tells what they hold.',
    )
    .option('--net <name>', 'the network that they are of (default: the one whose names and shapes they have)')
    .option('--mix <file>', 'weights of the same network to interpolate with: (1 - alpha) in + alpha other')
    .option('--alpha <share>', 'of the other weights, 0 to 1', share, 0.8)
    .option('--list', 'name every tensor')
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel convert model_epoch_50.pth vdsr.safetensors',
      'subpixel convert RRDB_ESRGAN_x4.pth --list',
      'subpixel convert RRDB_PSNR_x4.pth mixed.safetensors --mix RRDB_ESRGAN_x4.pth --alpha 0.8',
    ],
  });
}

/** Weights under our names where the network is known, else under their own. */
interface Content {
  readonly file: WeightFile;
  readonly tensors: StateDict;
  readonly net?: { readonly name: string; readonly config: Readonly<Record<string, unknown>> };
}

/** What a file of another ending is written by. */
const writers: Readonly<Record<string, (out: string, content: Content) => Promise<void>>> = {
  '.safetensors': (out, { tensors, net, file }) => writeWeights(out, tensors, net, file.metadata),
};

async function run(input: string, out: string | undefined, options: Options): Promise<void> {
  const { net: name, mix, alpha, list = false } = options;
  if (name !== undefined) lookUp('network', name, nets);
  const write = out === undefined ? undefined : writerFor(out);
  if (mix !== undefined && out === undefined) throw new UsageError('--mix makes new weights: name a file for them');
  let content = await open(input, name);
  if (mix !== undefined) content = { ...content, tensors: await mixed(content, mix, alpha) };
  if (out !== undefined) await write?.(out, content);
  if (out !== undefined && !content.net) {
    note(`${input}: the names of no network here, so they are written as they stand; --net tells whose they are`);
  }
  const { file, net } = content;
  const rows = Array.from(file.tensors, ([key, { dtype, shape }]) => ({ name: key, dtype, shape, count: size(shape) }));
  const numbers = rows.reduce((sum, { count }) => sum + count, 0);
  const { format, wrappers } = file;
  report(options, { in: input, out, format, wrappers, ...told(net), numbers, tensors: rows }, () => {
    const within = wrappers.map((key) => ` in ${key}`).join('');
    const whose = net ? `${net.name} ${JSON.stringify(net.config)}` : 'no network here';
    const head = `${input}: ${format}, ${rows.length} tensors of ${numbers} numbers${within}; names and shapes of ${whose}`;
    const lines = rows.map((row) => [row.name, row.dtype, shapeText(row.shape), String(row.count)]);
    return [head, ...(list ? [table(lines)] : []), ...(out === undefined ? [] : [`written to ${out}`])].join('\n');
  });
}

const told = (net: Content['net']) => ({ net: net?.name ?? null, config: net?.config ?? null });

function writerFor(out: string) {
  const ending = extname(out).toLowerCase();
  if (Object.hasOwn(writers, ending)) return writers[ending];
  throw new UsageError(`${out}: expected a name that ends with ${Object.keys(writers).join(' or ')}`);
}

/** @param net as the user names it; else as the file says, or as its names and shapes tell */
async function open(path: string, net: string | undefined): Promise<Content> {
  const file = await readWeightFile(path);
  refuseCheckpoint(path, file);
  const name = net ?? file.metadata.net;
  if (name !== undefined && Object.hasOwn(nets, name)) {
    const weights = ownOf(path, file, name);
    await refuseMisfit(path, name, weights);
    return { file, tensors: weights.tensors, net: { name, config: weights.config } };
  }
  const [best] = await recognise(file.tensors);
  if (best?.problems.length === 0) {
    return { file, tensors: best.tensors, net: { name: best.net, config: best.config } };
  }
  return { file, tensors: file.tensors };
}

async function mixed({ tensors, net }: Content, path: string, alpha: number): Promise<StateDict> {
  const other = await open(path, net?.name);
  return interpolateStates(tensors, other.tensors, alpha);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`expected a share from 0 to 1, got "${text}"`);
}
