import { extname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { shapeText, UsageError } from '../engine/errors.ts';
import type { StateDict } from '../engine/nn/module.ts';
import { size } from '../engine/tensor.ts';
import { ownOf, refuseCheckpoint, refuseMisfit, writeWeights } from '../io/checkpoint.ts';
import { writeOnnx } from '../io/onnx/export.ts';
import type { Named } from '../io/onnx/write.ts';
import { recognise } from '../io/weights/fit.ts';
import { readWeightFile, type WeightFile } from '../io/weights/read.ts';
import { interpolateStates } from '../nets/esrgan.ts';
import { nets } from '../nets/index.ts';
import {
  type CommonOptions,
  jsonObject,
  lookUp,
  note,
  packageVersion,
  report,
  shared,
  table,
  wholeNumber,
} from './common.ts';
import { refuseUnknownSettings } from './net.ts';

interface Options extends CommonOptions {
  readonly net?: string;
  readonly mix?: string;
  readonly alpha: number;
  readonly list?: boolean;
  readonly size?: readonly [h: number, w: number];
  readonly frames?: number;
  readonly attrs: Readonly<Record<string, unknown>>;
}

export function register(program: Command): void {
  const command = program
    .command('convert <in> [out]')
    .summary('weights of any format to ours, or what they hold; networks to ONNX')
    .description(
      'Reads weights, whatever their format: PyTorch (.pth, .pt), safetensors, HDF5 (.h5), TensorFlow.js (model.json). ' +
        'Nothing in them is executed. Writes them under our names, with the network and its settings, so that every ' +
        'command takes them; without <out> tells what they hold. An <out> that ends with .onnx gets the network itself, as ' +
        'ONNX; there <in> may also be the name of a network, for its first weights.',
    )
    .option('--net <name>', 'the network that they are of (default: the one whose names and shapes they have)')
    .option('--mix <file>', 'weights of the same network to interpolate with: (1 - alpha) in + alpha other')
    .option('--alpha <share>', 'of the other weights, 0 to 1', share, 0.8)
    .option('--list', 'name every tensor')
    .option(
      '--size <HxW>',
      'to ONNX: the one height and width that it will take (default: any, where operators allow)',
      plane,
    )
    .option('--frames <count>', 'to ONNX: frames that it will take (default: any, or the window)', wholeNumber(1))
    .option('--attrs <json>', "to ONNX: the network's settings, above those of the weights", jsonObject, {})
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel convert model_epoch_50.pth vdsr.safetensors',
      'subpixel convert RRDB_ESRGAN_x4.pth --list',
      'subpixel convert weights.safetensors net.onnx',
      `subpixel convert fstrn first.onnx --attrs '{"width":16}' --size 270x480`,
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

const ONNX = '.onnx';

/** What a file of another ending is written by. */
const writers: Readonly<Record<string, (out: string, content: Content) => Promise<void>>> = {
  '.safetensors': (out, { tensors, net, file }) => writeWeights(out, tensors, net, file.metadata),
};

async function run(input: string, out: string | undefined, options: Options): Promise<void> {
  const { net: name, mix, alpha, list = false } = options;
  if (name !== undefined) lookUp('network', name, nets);
  const toOnnx = out !== undefined && extname(out).toLowerCase() === ONNX;
  if (!toOnnx) refuseOnnxOptions(options);
  if (toOnnx && Object.hasOwn(nets, input) && mix === undefined) return writeNetwork(input, out, options);
  const write = out === undefined || toOnnx ? undefined : writerFor(out);
  if (mix !== undefined && out === undefined) throw new UsageError('--mix makes new weights: name a file for them');
  let content = await open(input, name);
  if (mix !== undefined) content = { ...content, tensors: await mixed(content, mix, alpha) };
  if (toOnnx) return writeNetwork(input, out, options, content);
  if (out !== undefined) await write?.(out, content);
  if (out !== undefined && !content.net) {
    note(`${input}: the names of no network here, so they are written as they stand; --net tells whose they are`);
  }
  const { file, net } = content;
  const broken = [...content.tensors].find(([, { data }]) => !data.every(Number.isFinite));
  if (broken) note(`${input}: ${broken[0]} holds values that are not finite, which no network takes`);
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
  throw new UsageError(`${out}: expected a name that ends with ${[...Object.keys(writers), ONNX].join(' or ')}`);
}

/** A network as ONNX, with the weights of a file or with the first ones of the seed. */
async function writeNetwork(input: string, out: string, options: Options, content?: Content): Promise<void> {
  const net = content ? content.net : { name: input, config: {} };
  if (!net) throw new UsageError(`${input}: the names of no network here; --net tells whose they are`);
  const { name } = net;
  refuseUnknownSettings(name, nets[name], options.attrs);
  const config = { ...net.config, ...options.attrs };
  const { size, frames, seed } = options;
  const given = { net: name, config, tensors: content?.tensors, seed, size, frames, version: packageVersion() };
  const { bytes, fixed, ...model } = await writeOnnx(out, given);
  if (!content) note(`${name}: no weights, so these are the first ones of seed ${seed}`);
  const facts = { net: name, config, ...model, bytes: bytes.length, fixed: Object.fromEntries(fixed) };
  report(options, { in: input, out, ...facts }, () => {
    const { opset, nodes, inputs, output } = model;
    const described = ({ name: of, shape }: Named) => `${of} (${shape.join(', ')})`;
    const sizes = `${inputs.map(described).join(', ')} -> ${described(output)}`;
    const head = `${out}: ${name} as ONNX, opset ${opset}, ${nodes} nodes, ${bytes.length} bytes: ${sizes}`;
    const axes = (reason: string) => [...fixed.keys()].filter((axis) => fixed.get(axis) === reason).join(', ');
    const reasons = Array.from(new Set(fixed.values()), (reason) => `fixed: ${axes(reason)}, as ${reason}`);
    return [head, ...reasons].join('\n');
  });
}

function refuseOnnxOptions({ size, frames, attrs }: Options): void {
  const given = { '--size': size, '--frames': frames, '--attrs': Object.keys(attrs)[0] };
  const foreign = Object.entries(given).find(([, value]) => value !== undefined);
  if (foreign) throw new UsageError(`${foreign[0]} goes with an <out> that ends with ${ONNX}`);
}

function plane(text: string): readonly [h: number, w: number] {
  const [h, w] = (/^(\d+)x(\d+)$/.exec(text) ?? []).slice(1).map(Number);
  if (h > 0 && w > 0) return [h, w];
  throw new InvalidArgumentError(`expected height and width such as 270x480, got "${text}"`);
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
