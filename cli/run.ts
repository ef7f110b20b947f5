import type { Command } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { ShapeError, UsageError } from '../engine/errors.ts';
import type { HostTensor } from '../engine/nn/module.ts';
import type { Tensor } from '../engine/tensor.ts';
import { floats, readSafetensors, writeSafetensors } from '../io/safetensors.ts';
import type { Net } from '../nets/net.ts';
import { type CommonOptions, jsonObject, note, noteComputed, openEngine, report, shared } from './common.ts';
import { loadNet, netEntry } from './net.ts';

interface Options extends CommonOptions {
  readonly weights?: string;
  readonly in: string;
  readonly out: string;
  readonly attrs: Record<string, unknown>;
  readonly grad?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('run <net>')
    .description('run one network on the array x of a tensor file (safetensors, float32, PyTorch layouts); no dropout')
    .requiredOption('--in <file>', 'holds x (N, C, D, H, W), and dy with --grad')
    .requiredOption('--out <file>', 'gets y; with --grad also d_x and d_<parameter> for every parameter')
    .option('--weights <file>', 'weights.safetensors; without it the network is as training starts it')
    .option('--attrs <json>', "the network's settings by name", jsonObject, {})
    .option('--grad', 'also run the backward pass')
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel run fstrn --weights run/weights.safetensors --in x.safetensors --out y.safetensors',
      `subpixel run fstrn --attrs '{"width":16,"blocks":2}' --weights w.safetensors --grad --in x.safetensors --out y.safetensors`,
    ],
  });
}

async function run(name: string, options: Options): Promise<void> {
  const { weights, attrs: config, seed, grad = false } = options;
  netEntry(name);
  const inputs = await readInputs(options.in, grad);
  const engine = await openEngine(options.device);
  const { net } = await loadNet(engine, name, { weights, config, seed });
  if (weights === undefined) note(`${name}: no --weights, so these are the first weights of seed ${seed}`);
  const began = performance.now();
  const results = await compute(engine, net, inputs);
  const ms = performance.now() - began;
  await writeSafetensors(options.out, results);
  noteComputed(name, { engine, ms, out: options.out }, new Map(Object.entries(inputs)), results);
  if (options.json) {
    const shapes = Object.fromEntries(Array.from(results, ([key, { shape }]) => [key, shape]));
    report(options, { net: name, adapter: engine.caps.description, out: options.out, shapes }, () => '');
  }
}

async function readInputs(path: string, grad: boolean): Promise<{ x: HostTensor; dy?: HostTensor }> {
  const { tensors } = await readSafetensors(path);
  const wanted = grad ? ['x', 'dy'] : ['x'];
  const found = [...tensors.keys()];
  const unknown = found.find((name) => name !== 'x' && name !== 'dy');
  const missing = wanted.find((name) => !found.includes(name));
  if (unknown !== undefined || missing !== undefined) {
    throw new UsageError(`${path}: expected the tensors ${wanted.join(', ')}, found ${found.join(', ') || 'none'}`);
  }
  const tensor = (name: string) => floats(name, tensors.get(name)!);
  return grad ? { x: tensor('x'), dy: tensor('dy') } : { x: tensor('x') };
}

async function compute(engine: Engine, net: Net, { x, dy }: { x: HostTensor; dy?: HostTensor }) {
  const { channels } = net.config;
  if (x.shape.length !== 5 || x.shape[1] !== channels || x.data.length === 0) {
    throw new ShapeError(`x: expected (N, ${channels}, D, H, W) with sizes of 1 or more, got (${x.shape.join(', ')})`);
  }
  using _scope = engine.scope();
  using tape = engine.record();
  const input = engine.tensor(x.shape, x.data).track();
  const y = net.forward(input);
  const results = new Map<string, HostTensor>([['y', await host(y)]]);
  if (!dy) return results;
  if (dy.shape.join() !== y.shape.join()) {
    throw new ShapeError(`dy: expected the shape of y (${y.shape.join(', ')}), got (${dy.shape.join(', ')})`);
  }
  tape.backward(y, engine.tensor(dy.shape, dy.data));
  for (const [name, tensor] of [['x', input] as const, ...net.namedParameters()]) {
    results.set(`d_${name}`, tensor.grad ? await host(tensor.grad) : zeros(tensor));
  }
  return results;
}

const host = async (x: Tensor): Promise<HostTensor> => ({ shape: x.shape, data: await x.read() });
const zeros = ({ shape }: Tensor): HostTensor => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
