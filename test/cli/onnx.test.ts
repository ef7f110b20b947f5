import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Noise } from '../../engine/nn/module.ts';
import { Random } from '../../engine/random.ts';
import { writeWeights } from '../../io/checkpoint.ts';
import { decodeModel } from '../../io/onnx/proto.ts';
import { silentEngine } from '../../io/silent-engine.ts';
import { nets } from '../../nets/index.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();
const SMALL = '{"width":8,"blocks":1}';

it('convert writes a network by its name, and tells what it takes', async () => {
  const out = cli.path('first.onnx');
  const facts = await cli.json('convert', 'fstrn', out, '--attrs', SMALL, '--size', '6x7');
  const bytes = readFileSync(out);
  expect(facts).toMatchObject({
    ...{ in: 'fstrn', out, net: 'fstrn', config: { width: 8, blocks: 1 }, opset: 18, bytes: bytes.length },
    ...{ inputs: [{ name: 'x', shape: ['n', 1, 't', 6, 7] }], free: ['n', 't'], fixed: {} },
  });
  expect(decodeModel(bytes).graph.node).toHaveLength(facts.nodes as number);
  const { stdout } = await cli.run('convert', 'esrgan-discriminator', out, '--attrs', '{"width":2,"size":32}');
  expect(stdout).toContain(': x (n, 3, 32, 32) -> y (n, 1)');
  expect(stdout).toContain('fixed: h, w, as');
});

it('convert writes a network with the weights of a file', async () => {
  const [weights, out] = [cli.path('weights.safetensors'), cli.path('net.onnx')];
  const { engine, valuesOf } = await silentEngine();
  const net = nets.vdsr.create({ engine, random: new Random(5), noise: new Noise(5) }, { width: 4, layers: 3 });
  const state = new Map(
    Array.from(net.namedTensors(), ([name, x]) => [name, { shape: x.shape, data: valuesOf(x)! }] as const),
  );
  await writeWeights(weights, state, { name: 'vdsr', config: { width: 4, layers: 3 } });
  expect(await cli.json('convert', weights, out)).toMatchObject({ net: 'vdsr', config: { width: 4, layers: 3 } });
  const stored = new Map(decodeModel(readFileSync(out)).graph.initializer.map(({ name, rawData }) => [name, rawData]));
  for (const [name, { data }] of state) {
    expect(Buffer.from(stored.get(name)!).equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(
      true,
    );
  }
});

it.each([
  ['a setting that there is none of', ['fstrn', 'no.onnx', '--attrs', '{"wide":8}'], 'fstrn has no setting wide'],
  ['a size that is none', ['fstrn', 'no.onnx', '--size', '6'], 'expected height and width such as 270x480'],
  [
    'a size for weights',
    ['fstrn', 'no.safetensors', '--size', '6x7'],
    '--size goes with an <out> that ends with .onnx',
  ],
  ['another ending', ['fstrn', 'no.pb'], 'expected a name that ends with .safetensors or .onnx'],
])('refuses %s', async (_, args, message) => {
  const { code, stderr } = await cli.run('convert', ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(existsSync('no.onnx')).toBe(false);
});
