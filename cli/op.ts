import type { Command } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { ShapeError, UsageError } from '../engine/errors.ts';
import type { HostTensor } from '../engine/nn/module.ts';
import type { AnyOp } from '../engine/op.ts';
import { ops } from '../engine/ops/index.ts';
import { size, type Tensor } from '../engine/tensor.ts';
import { floats, readSafetensors, writeSafetensors } from '../io/safetensors.ts';
import { type CommonOptions, jsonObject, lookUp, noteComputed, openEngine, report, shared, table } from './common.ts';

interface Options extends CommonOptions {
  readonly list?: boolean;
  readonly in?: string;
  readonly out?: string;
  readonly attrs: Record<string, unknown>;
  readonly grad?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('op [name]')
    .description('run one operation on the arrays of a tensor file (safetensors, float32, PyTorch layouts)')
    .option('--list', 'list all operations with their inputs and attributes')
    .option('--in <file>', 'the inputs by name, and dy with --grad')
    .option('--out <file>', 'gets y, inputs that the operation moves, and with --grad d_<input> for every input')
    .option('--attrs <json>', 'attributes by name', jsonObject, {})
    .option('--grad', 'also run the backward pass')
    .action(run);
  shared(command, {
    json: true,
    examples: [
      'subpixel op --list',
      `subpixel op conv2d --in x.safetensors --attrs '{"padding":1}' --out y.safetensors`,
      'subpixel op warp --grad --in x.safetensors --out y.safetensors',
    ],
  });
}

async function run(name: string | undefined, options: Options): Promise<void> {
  if (options.list || !name) {
    if (!options.list && !options.json) throw new UsageError('op: expected the name of an operation, or --list');
    return list(options);
  }
  const op = lookUp('operation', name, ops);
  if (!options.in || !options.out) throw new UsageError(`op ${name}: expected --in and --out`);
  const inputs = await readInputs(options.in, name, op, options.grad ?? false);
  const attrs = checkedAttrs(name, op, options.attrs);
  const engine = await openEngine(options.device);
  const began = performance.now();
  const results = await compute(engine, op, inputs, { ...options, attrs });
  const ms = performance.now() - began;
  await writeSafetensors(options.out, results);
  noteComputed(name, { engine, ms, out: options.out }, inputs, results);
  if (options.json) {
    const shapes = Object.fromEntries(Array.from(results, ([key, { shape }]) => [key, shape]));
    report(options, { op: name, adapter: engine.caps.description, out: options.out, shapes }, () => '');
  }
}

function list(options: Options): void {
  const described = Object.entries(ops).map(([name, { spec }]) => {
    const attrs = Object.fromEntries(Object.entries(spec.attrs).map(([key, value]) => [key, value ?? null]));
    return { name, inputs: [...spec.inputs] as string[], attrs };
  });
  report(options, { ops: described }, () => {
    const lines = described.map(({ name, inputs, attrs }) => {
      const settings = Object.entries(attrs).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return [name, inputs.join(' '), settings.join(' ')];
    });
    return table([['operation', 'inputs', 'attributes'], ...lines], 'left');
  });
}

const inputNames = (op: AnyOp): string[] => op.spec.inputs.map((name: string) => name.replace('?', ''));

/** The file's tensors, which must be the op's inputs, all that it needs and no others. */
async function readInputs(path: string, name: string, op: AnyOp, grad: boolean): Promise<Map<string, HostTensor>> {
  const { tensors } = await readSafetensors(path);
  const known = [...inputNames(op), 'dy'];
  const unknown = [...tensors.keys()].find((key) => !known.includes(key));
  const needed = [...op.spec.inputs.filter((key: string) => !key.endsWith('?')), ...(grad ? ['dy'] : [])];
  const missing = needed.find((key) => !tensors.has(key));
  const wanted = `${name} takes ${op.spec.inputs.join(', ')}${grad ? ', dy' : ''}`;
  if (unknown !== undefined) throw new UsageError(`${path}: ${name} has no input "${unknown}"; ${wanted}`);
  if (missing !== undefined) {
    throw new UsageError(
      `${path}: the tensor "${missing}" is missing; ${wanted}, the file holds ${[...tensors.keys()].join(', ') || 'none'}`,
    );
  }
  const there = known.filter((key) => tensors.has(key)); // in the order of the op's own inputs
  return new Map(there.map((key) => [key, floats(key, tensors.get(key)!)]));
}

/** null stands for the default. @throws {UsageError} for unknown names, and values of another kind than the defaults */
function checkedAttrs(name: string, op: AnyOp, given: Record<string, unknown>): Record<string, unknown> {
  const kind = (value: unknown) =>
    Array.isArray(value) ? (value.map((v) => typeof v).find((t) => t !== 'number') ?? 'number') : typeof value;
  const known: Record<string, unknown> = op.spec.attrs;
  const attrs = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  for (const [key, value] of Object.entries(attrs)) {
    if (!Object.hasOwn(known, key)) {
      throw new UsageError(`${name} has no attribute "${key}"; there are: ${Object.keys(known).join(', ') || 'none'}`);
    }
    const expected = known[key] === undefined || known[key] === null ? 'number' : kind(known[key]);
    if (kind(value) !== expected) {
      throw new UsageError(`${name} ${key}: expected a ${expected}, got ${JSON.stringify(value)}`);
    }
  }
  return attrs;
}

async function compute(engine: Engine, op: AnyOp, given: Map<string, HostTensor>, { attrs, grad }: Options) {
  using _scope = engine.scope();
  const filters: readonly string[] = op.spec.filters ?? [];
  const inputs = new Map<string, Tensor>();
  for (const name of inputNames(op)) {
    const host = given.get(name);
    if (!host) continue;
    if (size(host.shape) === 0)
      throw new ShapeError(`${name}: expected sizes of 1 or more, got (${host.shape.join(', ')})`);
    const x = engine.tensor(host.shape, host.data, filters.includes(name) ? 'filter' : 'image');
    inputs.set(name, grad ? x.track() : x);
  }
  using tape = engine.record();
  const y = op(...inputNames(op).map((name) => inputs.get(name)), attrs);
  const results = new Map<string, HostTensor>([['y', { shape: y.shape, data: await y.read() }]]);
  for (const name of op.spec.moves?.({ ...op.spec.attrs, ...attrs }) ?? []) {
    const moved = inputs.get(name);
    if (moved) results.set(name, { shape: moved.shape, data: await moved.read() });
  }
  if (!grad) return results;
  const dy = given.get('dy')!;
  if (dy.shape.join() !== y.shape.join()) {
    throw new ShapeError(`dy: expected the shape of y (${y.shape.join(', ')}), got (${dy.shape.join(', ')})`);
  }
  tape.backward(y, engine.tensor(dy.shape, dy.data));
  for (const [name, x] of inputs) {
    const data = x.grad ? await x.grad.read() : new Float32Array(size(x.shape));
    results.set(`d_${name}`, { shape: x.shape, data });
  }
  return results;
}
