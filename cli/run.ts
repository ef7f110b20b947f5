import type { Command } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { ShapeError, UsageError } from '../engine/errors.ts';
import type { HostTensor, Module } from '../engine/nn/module.ts';
import type { Tensor } from '../engine/tensor.ts';
import { floats, readSafetensors, writeSafetensors } from '../io/safetensors.ts';
import { nets } from '../nets/index.ts';
import { Net, type NetEntry } from '../nets/net.ts';
import { type CommonOptions, jsonObject, note, noteComputed, openEngine, report, shared } from './common.ts';
import { anyEntry, loadModule } from './net.ts';

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
    .description(
      'Runs one network on the arrays of a tensor file (safetensors, float32, PyTorch layouts), as it is used: no dropout, ' +
        `running statistics. Networks and their inputs (?: may be missing): ${described()}.`,
    )
    .summary('run one network on arrays')
    .requiredOption('--in <file>', "holds the network's inputs by name, such as x, and dy with --grad")
    .requiredOption('--out <file>', 'gets y; with --grad also d_<input> and d_<parameter> for every one of them')
    .option('--weights <file>', 'weights of the network; without it they are those that training starts from')
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

/** "fstrn x; frvsr x, previous?", those with the same inputs together. */
function described(): string {
  const byInputs = new Map<string, string[]>();
  for (const [name, { inputs }] of Object.entries(nets)) {
    const key = inputs.join(', ');
    byInputs.set(key, [...(byInputs.get(key) ?? []), name]);
  }
  return [...byInputs].map(([inputs, names]) => `${names.join(', ')}: ${inputs}`).join('; ');
}

async function run(name: string, options: Options): Promise<void> {
  const { weights, attrs: config, seed, grad = false } = options;
  const entry = anyEntry(name);
  const inputs = await readInputs(options.in, entry, grad);
  const engine = await openEngine(options.device);
  const { net } = await loadModule(engine, name, entry, { weights, config, seed });
  if (weights === undefined) note(`${name}: no --weights, so these are the first weights of seed ${seed}`);
  checkShapes(net, entry, inputs);
  const began = performance.now();
  const results = await compute(engine, net, inputs);
  const ms = performance.now() - began;
  await writeSafetensors(options.out, results);
  noteComputed(name, { engine, ms, out: options.out }, inputs, results);
  if (options.json) {
    const shapes = Object.fromEntries(Array.from(results, ([key, { shape }]) => [key, shape]));
    report(options, { net: name, adapter: engine.caps.description, out: options.out, shapes }, () => '');
  }
}

/** The tensors that a network takes, in its order, and dy behind them. */
async function readInputs(path: string, { inputs }: NetEntry, grad: boolean): Promise<Map<string, HostTensor>> {
  const { tensors } = await readSafetensors(path);
  const names = [...inputs.map((input) => input.replace('?', '')), 'dy'];
  const wanted = [...inputs, ...(grad ? ['dy'] : [])];
  const unknown = [...tensors.keys()].find((name) => !names.includes(name));
  const missing = wanted.find((name) => !name.endsWith('?') && !tensors.has(name));
  if (unknown !== undefined || missing !== undefined) {
    const found = [...tensors.keys()].join(', ') || 'none';
    throw new UsageError(`${path}: expected the tensors ${wanted.join(', ')}, found ${found}`);
  }
  const given = names.filter((name) => tensors.has(name) && (grad || name !== 'dy'));
  return new Map(given.map((name) => [name, floats(name, tensors.get(name)!)]));
}

/** Axes by the number of them. */
const AXES: Readonly<Record<number, readonly string[]>> = { 4: ['N', 'C', 'H', 'W'], 5: ['N', 'C', 'T', 'H', 'W'] };

/** @throws {ShapeError} that says what a network takes, where its ops would speak of their own inputs */
function checkShapes(net: Module, { inputs, usual }: NetEntry, given: ReadonlyMap<string, HostTensor>): void {
  for (const [i, input] of inputs.entries()) {
    const name = input.replace('?', '');
    const shape = given.get(name)?.shape;
    const want = net instanceof Net ? (i === 0 ? wantedShape(net) : undefined) : AXES[usual?.[i]?.length ?? 0];
    if (!shape || !want) continue; // forward says it
    const fits = want.every((n, axis) => typeof n === 'string' || n === shape[axis]);
    if (shape.length === want.length && fits && shape.every((n) => n > 0)) continue;
    throw new ShapeError(`${name}: expected (${want.join(', ')}) with sizes of 1 or more, got (${shape.join(', ')})`);
  }
}

/** Letters where any size will do. */
function wantedShape({ form, window, config: { channels } }: Net): readonly (number | string)[] {
  if (form === 'image') return ['N', channels, 'H', 'W'];
  return ['N', channels, form === 'centre' ? window : 'T', 'H', 'W'];
}

async function compute(engine: Engine, net: Module, given: ReadonlyMap<string, HostTensor>) {
  const dy = given.get('dy');
  using _scope = engine.scope();
  using tape = engine.record();
  const inputs = [...given].filter(([name]) => name !== 'dy');
  const tracked = inputs.map(([name, { shape, data }]) => [name, engine.tensor(shape, data).track()] as const);
  const y = net.forward(...tracked.map(([, tensor]) => tensor));
  const results = new Map<string, HostTensor>([['y', await host(y)]]);
  if (!dy) return results;
  if (dy.shape.join() !== y.shape.join()) {
    throw new ShapeError(`dy: expected the shape of y (${y.shape.join(', ')}), got (${dy.shape.join(', ')})`);
  }
  tape.backward(y, engine.tensor(dy.shape, dy.data));
  for (const [name, tensor] of [...tracked, ...net.namedParameters()]) {
    results.set(`d_${name}`, tensor.grad ? await host(tensor.grad) : zeros(tensor));
  }
  return results;
}

const host = async (x: Tensor): Promise<HostTensor> => ({ shape: x.shape, data: await x.read() });
const zeros = ({ shape }: Tensor): HostTensor => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
