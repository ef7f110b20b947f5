import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FormatError, UsageError } from '../../engine/errors.ts';
import { Noise } from '../../engine/nn/module.ts';
import { add, mul } from '../../engine/ops/binary.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { imresize } from '../../engine/ops/imresize.ts';
import { l1_loss } from '../../engine/ops/losses.ts';
import { reshape } from '../../engine/ops/reshape.ts';
import { slice } from '../../engine/ops/slice.ts';
import { relu } from '../../engine/ops/unary.ts';
import { Random } from '../../engine/random.ts';
import { type Shape, size, type Tensor } from '../../engine/tensor.ts';
import { exportOnnx, writeOnnx } from '../../io/onnx/export.ts';
import { decodeModel } from '../../io/onnx/proto.ts';
import { type Axis, generalise, type Program, type Sizes } from '../../io/onnx/sizes.ts';
import { type Call, trace } from '../../io/onnx/trace.ts';
import { writeProgram } from '../../io/onnx/write.ts';
import { type SilentEngine, silentEngine } from '../../io/silent-engine.ts';
import { nets } from '../../nets/index.ts';
import { cropped, padded } from '../../nets/multiple.ts';
import { makeArray } from '../cases.ts';
import { relativeError } from '../fixtures/read.ts';
import { testEngine } from '../ops/engine.ts';
import { refer, runOnnx } from './onnx-runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'subpixel-onnx-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = { net: 'fstrn', config: { width: 8, blocks: 2 }, version: '1.2.3' };
const start: Sizes = { n: 1, t: 1, h: 17, w: 19 };
const pictures = ({ n, h, w }: Sizes): Shape[] => [[n, 2, h, w]];

function programOf(silent: SilentEngine, forward: (x: Tensor) => Tensor, free: Axis[] = ['n', 'h', 'w']): Program {
  return generalise((sizes) => trace(silent, pictures(sizes), forward), start, free);
}

const write = (program: Program) =>
  writeProgram(program, {
    ...{ graph: 'net', inputs: ['x'], output: 'y' },
    ...{ parameters: new Map(), producerVersion: '', metadata: {} },
  });

describe('a network as ONNX', () => {
  it('says what it is, and names the axes that are free', async () => {
    const path = join(folder, 'fstrn.onnx');
    const { free, bytes } = await writeOnnx(path, small);
    expect(free).toEqual(['n', 't', 'h', 'w']);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    const model = decodeModel(bytes);
    expect(model).toMatchObject({ irVersion: 8, producerName: 'subpixel', producerVersion: '1.2.3' });
    expect(model.opsetImport).toEqual([expect.objectContaining({ version: 18 })]);
    const metadata = Object.fromEntries(model.metadataProps!.map(({ key, value }) => [key, value]));
    expect(metadata.net).toBe('fstrn');
    expect(JSON.parse(metadata.config)).toMatchObject({ ...small.config, scale: 4 });
    const [{ name, type }] = model.graph.input;
    expect([name, ...type.tensorType.shape.dim.map((d) => d.dimParam || d.dimValue)]).toEqual([
      ...['x', 'n', 1, 't', 'h', 'w'],
    ]);
    expect(model.graph.output.map((output) => output.name)).toEqual(['y']);
    const names = model.graph.node.flatMap(({ output }) => output);
    expect(new Set(names).size).toBe(names.length);
  });

  it('takes the sizes that it is told', async () => {
    const { inputs, free } = await exportOnnx({ ...small, size: [6, 7], frames: 3 });
    expect(inputs).toEqual([{ name: 'x', shape: ['n', 1, 3, 6, 7] }]);
    expect(free).toEqual(['n']);
  });

  it('is the same file again, and another with another seed', async () => {
    const [one, again, other] = [
      await exportOnnx(small),
      await exportOnnx(small),
      await exportOnnx({ ...small, seed: 2 }),
    ];
    expect(Buffer.from(one.bytes).equals(again.bytes)).toBe(true);
    expect(Buffer.from(one.bytes).equals(other.bytes)).toBe(false);
  });

  it('gives what the device gives', async () => {
    const { bytes } = await exportOnnx(small);
    const engine = await testEngine();
    const net = nets.fstrn.create({ engine, random: new Random(1), noise: new Noise(1) }, small.config).train(false);
    const x = makeArray([1, 1, 3, 5, 7], 'x');
    const y = net.forward(engine.tensor(x.shape, x.data));
    const want = { shape: y.shape, data: Float64Array.from(await y.read()) };
    expect(relativeError(await runOnnx(bytes, { x }), want)).toBeLessThan(1e-5);
    engine.destroy();
  });

  it('a step of a recurrent network goes on from a result', async () => {
    const { inputs } = await exportOnnx({ net: 'frvsr', config: { width: 8, blocks: 1 }, version: '0' });
    expect(inputs).toEqual([
      { name: 'x', shape: ['n', 3, 2, 'h', 'w'] },
      { name: 'previous', shape: ['n', 3, 1, '4h', '4w'] },
    ]);
  });
});

describe('what ONNX has no form for', () => {
  it.each([
    ['an op', (x: Tensor) => l1_loss(x, relu(x)), 'no ONNX form is known for l1_loss'],
    ['dropout that drops', (x: Tensor) => dropout(x, { p: 0.5 }), 'no ONNX form is known for dropout'],
    ['a factor that is not whole', (x: Tensor) => imresize(x, { scale: 1.5 }), 'imresize by 1.5 has no ONNX form'],
  ])('%s is refused by name', async (_, forward, message) => {
    const program = programOf(await silentEngine(), forward);
    expect(() => write(program)).toThrow(UsageError);
    expect(() => write(program)).toThrow(message);
  });

  it('attributes and inputs that a form does not heed are refused', async () => {
    const program = programOf(await silentEngine(), relu);
    const [call] = program.calls;
    const changed = (change: Partial<Call>): Program => ({ ...program, calls: [{ ...call, ...change }] });
    expect(() => write(changed({ attrs: { bend: 2 } }))).toThrow('no ONNX form is known for relu with bend');
    expect(() => write(changed({ inputs: { ...call.inputs, mask: 0 } }))).toThrow('relu with mask');
  });

  it('frames of a network that takes pictures are refused', async () => {
    const given = { net: 'vdsr', config: { width: 4, layers: 3 }, frames: 3, version: '0' };
    await expect(exportOnnx(given)).rejects.toThrow(/^vdsr takes pictures/);
  });

  it('nothing is written then', async () => {
    const path = join(folder, 'none.onnx');
    await expect(writeOnnx(path, { ...small, config: { width: 6 } })).rejects.toThrow(UsageError);
    expect(existsSync(path)).toBe(false);
  });

  it('other bytes are no model', () => {
    expect(() => decodeModel(Uint8Array.of(7, 255, 255))).toThrow(FormatError);
  });
});

describe('what follows from sizes', () => {
  const networks: [string, (x: Tensor) => Tensor][] = [
    ['padding to even sizes', (x) => padded(x, 2)],
    ['padding to a multiple of 4', (x) => padded(x, 4)],
    ['padding to a multiple of 64, and back', (x) => cropped(relu(padded(x, 64)), x.shape[2], x.shape[3])],
    ['cropping to a multiple of 8', (x) => cropped(x, 8 * (x.shape[2] >> 3), 8 * (x.shape[3] >> 3))],
    ['half of the rows', (x) => slice(x, { axis: 2, end: x.shape[2] >> 1 })],
    ['all but two columns', (x) => slice(x, { axis: 3, start: 2, end: x.shape[3] })],
    ['a product of sizes', (x) => reshape(x, { shape: [x.shape[0], 2, x.shape[2] * x.shape[3]] })],
    ['a field of equal numbers', (x) => add(x, x.engine.tensor(x.shape, new Float32Array(size(x.shape)).fill(3)))],
  ];

  it.each(networks)('%s: the same at any size', async (_, forward) => {
    const silent = await silentEngine();
    const program = programOf(silent, forward);
    expect(program.free).toEqual(['n', 'h', 'w']);
    const { bytes } = write(program);
    for (const [n, h, w] of [
      [1, 17, 20],
      [2, 64, 21],
      [3, 20, 128],
      [1, 333, 8],
    ]) {
      const x = makeArray([n, 2, h, w], `${h} ${w}`);
      const want = refer(trace(silent, [x.shape], forward), [x]);
      expect(relativeError(await runOnnx(bytes, { x }), want), `${h} x ${w}`).toBeLessThan(1e-6);
    }
  });

  it('an axis is fixed where a network does other steps, or what follows from it is not known', async () => {
    const silent = await silentEngine();
    const filter = silent.engine.tensor([2, 2, 1, 1], new Float32Array(4), 'filter');
    const cases: [Axis, (x: Tensor) => Tensor, string][] = [
      ['h', (x) => Array.from({ length: x.shape[2] }).reduce<Tensor>((y) => conv2d(y, filter), x), 'other steps'],
      ['w', (x) => slice(x, { axis: 3, end: Math.round(Math.sqrt(x.shape[3])) }), "slice's end follows from it"],
      ['w', (x) => mul(x, x.engine.tensor([1, x.shape[3]], [...Array(x.shape[3]).keys()])), 'a table'],
      ['h', (x) => cropped(padded(x, 2), x.shape[2], x.shape[3]), 'other steps'],
    ];
    for (const [axis, forward, reason] of cases) {
      const { free, reasons } = programOf(silent, forward, [axis]);
      expect(free).toEqual([]);
      expect(reasons.get(axis)).toContain(reason);
    }
  });
});
