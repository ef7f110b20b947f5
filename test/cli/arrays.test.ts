import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import { decodeSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();

const array = (shape: number[], value = (i: number) => Math.sin(i)): NDArray => {
  return {
    shape,
    data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.fround(value(i))),
  };
};

async function save(
  name: string,
  tensors: Record<string, NDArray>,
  metadata?: Record<string, string>,
): Promise<string> {
  const floats = Object.entries(tensors).map(([key, { shape, data }]) => {
    return [key, { shape, data: Float32Array.from(data) }] as const;
  });
  await writeSafetensors(cli.path(name), floats, metadata);
  return cli.path(name);
}

function load(path: string): Record<string, NDArray> {
  const { tensors } = decodeSafetensors(readFileSync(path));
  return Object.fromEntries(
    Array.from(tensors, ([key, { shape, data }]) => [key, { shape, data: Float64Array.from(data as Float32Array) }]),
  );
}

const shapes = (tensors: Record<string, NDArray>) =>
  Object.fromEntries(Object.entries(tensors).map(([k, v]) => [k, v.shape]));

describe('subpixel op', () => {
  const inputs = { input: array([2, 3, 5, 7]), weight: array([4, 3, 3, 2]), bias: array([4]) };
  const attrs = { stride: [2, 1], padding: 1 };

  it('computes y and every gradient, as the reference does', async () => {
    const y = references.conv2d.forward(inputs, attrs);
    const dy = array([...y.shape], Math.cos);
    const file = await save('conv.safetensors', { ...inputs, dy });
    const out = cli.path('conv-y.safetensors');
    const result = await cli.run(
      'op',
      'conv2d',
      '--in',
      file,
      '--out',
      out,
      '--grad',
      '--attrs',
      JSON.stringify(attrs),
    );
    expect(result).toMatchObject({ code: 0, stdout: '' });
    expect(result.stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^conv2d: input \(2, 3, 5, 7\), .*-> y \(2, 4, 3, 8\), d_input \(2, 3, 5, 7\), .* in \d+ ms on .*: .*conv-y\.safetensors$/,
    );
    const found = load(out);
    const gradients = references.conv2d.backward(dy, inputs, attrs);
    expect(Object.keys(found).sort()).toEqual(['d_bias', 'd_input', 'd_weight', 'y']);
    expect(relativeError(found.y, y)).toBeLessThan(1e-6);
    for (const [name, d] of Object.entries(gradients)) expect(relativeError(found[`d_${name}`], d)).toBeLessThan(1e-6);
  });

  it('takes scalars, leaves out what is optional, and gives losses the shape ()', async () => {
    const file = await save('loss.safetensors', {
      input: array([3, 2]),
      target: array([3, 2], Math.cos),
      dy: array([], () => 2),
    });
    const out = cli.path('loss-y.safetensors');
    const report = await cli.json('op', 'mse_loss', '--in', file, '--out', out, '--grad');
    expect(report).toMatchObject({ op: 'mse_loss', shapes: { y: [], d_input: [3, 2], d_target: [3, 2] } });
    expect(shapes(load(out))).toEqual({ y: [], d_input: [3, 2], d_target: [3, 2] });
  });

  it('returns the running statistics that training moves', async () => {
    const running = { running_mean: array([3], () => 1), running_var: array([3], () => 2) };
    const file = await save('norm.safetensors', { input: array([2, 3, 4, 5], () => 5), ...running });
    const out = cli.path('norm-y.safetensors');
    const attrs = '{"training":true,"momentum":0.25}';
    expect(await cli.run('op', 'batch_norm', '--in', file, '--out', out, '--attrs', attrs)).toMatchObject({ code: 0 });
    const found = load(out);
    expect(Object.keys(found).sort()).toEqual(['running_mean', 'running_var', 'y']);
    expect([...found.running_mean.data]).toEqual([2, 2, 2]); // 1 + (5 - 1) / 4
    expect([...found.running_var.data]).toEqual([1.5, 1.5, 1.5]);
  });

  it('says with VALIDATE=1 what was checked', async () => {
    const file = await save('checked.safetensors', { input: array([3, 4]) });
    vi.stubEnv('VALIDATE', '1');
    const { code, stderr } = await cli.run('op', 'tanh', '--in', file, '--out', cli.path('checked-y.safetensors'));
    vi.unstubAllEnvs();
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /VALIDATE: 1 forward result held against float64 references; the largest error is [\d.]+e-\d+ .*, in tanh/,
    );
  });

  it('lets NaN through', async () => {
    const file = await save('nan.safetensors', { input: array([4], (i) => (i === 1 ? Number.NaN : i)) });
    const out = cli.path('nan-y.safetensors');
    expect((await cli.run('op', 'abs', '--in', file, '--out', out)).code).toBe(0);
    expect([...load(out).y.data]).toEqual([0, Number.NaN, 2, 3]);
  });

  it('lists what there is', async () => {
    const { ops } = await cli.json<{ ops: { name: string; inputs: string[]; attrs: object }[] }>('op', '--list');
    expect(ops.find(({ name }) => name === 'conv2d')).toEqual({
      ...{ name: 'conv2d', inputs: ['input', 'weight', 'bias?'] },
      attrs: { stride: 1, padding: 0, dilation: 1, groups: 1 },
    });
    expect((await cli.run('op', '--list')).stdout).toMatch(/^clamp +input +min=null max=null$/m);
  });

  it.each([
    ['an operation', ['op', 'conv9', '--in', 'x', '--out', 'y'], 2, /no operation is called "conv9"/],
    [
      'a missing file',
      ['op', 'relu', '--in', 'none.safetensors', '--out', 'y'],
      1,
      /FormatError: none.safetensors: no such file/,
    ],
    [
      'an attribute',
      ['op', 'conv2d', '--in', 'conv', '--attrs', '{"pad":1}'],
      2,
      /no attribute "pad"; there are: stride/,
    ],
    [
      'its kind',
      ['op', 'conv2d', '--in', 'conv', '--attrs', '{"padding":"1"}'],
      2,
      /padding: expected a number, got "1"/,
    ],
    ['JSON', ['op', 'conv2d', '--in', 'conv', '--attrs', 'padding=1'], 2, /expected a JSON object/],
    ['its value', ['op', 'conv2d', '--in', 'conv', '--attrs', '{"stride":0}'], 1, /ShapeError: conv2d stride/],
    ['a tensor', ['op', 'prelu', '--in', 'conv'], 2, /prelu has no input "bias"; prelu takes input, weight/],
    ['a tensor that is not there', ['op', 'warp', '--in', 'one'], 2, /no input "input"; warp takes image, flow/],
    ['shapes', ['op', 'add', '--in', 'misfit'], 1, /ShapeError: add/],
    ['a truncated file', ['op', 'relu', '--in', 'cut'], 1, /FormatError: .*cut\.safetensors.*truncated/],
    ['a foreign file', ['op', 'relu', '--in', 'text'], 1, /FormatError: .*text\.safetensors/],
    [
      'a folder that is a file',
      ['op', 'abs', '--in', 'one', '--out', `${import.meta.filename}/y`],
      1,
      /its folder is a file/,
    ],
    ['dy of another shape', ['op', 'relu', '--grad', '--in', 'dy'], 1, /dy: expected the shape of y \(3\), got \(2\)/],
  ])('refuses %s in one paragraph, and writes nothing', async (_, args, code, message) => {
    const file = await save('conv.safetensors', inputs);
    await save('one.safetensors', { input: array([3]) });
    await save('misfit.safetensors', { a: array([2, 3]), b: array([2, 4]) });
    await save('dy.safetensors', { input: array([3]), dy: array([2]) });
    writeFileSync(cli.path('cut.safetensors'), readFileSync(file).subarray(0, -8));
    writeFileSync(cli.path('text.safetensors'), 'no tensors in this file\n');
    const at = args.indexOf('--in') + 1;
    const named = args.map((arg, i) =>
      i === at && !arg.includes('.') && arg !== 'x' ? cli.path(`${arg}.safetensors`) : arg,
    );
    const out = cli.path('refused.safetensors');
    const result = await cli.run(...named, ...(args.includes('--out') ? [] : ['--out', out]));
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    expect(result.stderr).not.toMatch(/\n {4}at /);
    expect(() => readFileSync(out)).toThrow();
  });
});

describe('subpixel run', () => {
  const { tensors, metadata } = readFixture('fstrn_default');
  const config = JSON.stringify({ width: Number(metadata.width), blocks: Number(metadata.blocks) });
  const parameters = Object.fromEntries(
    Object.entries(tensors).filter(([name]) => name.includes('.') && !name.startsWith('grad.')),
  );
  let files: { weights: string; input: string };

  beforeAll(async () => {
    const { y, target, x } = tensors;
    // Of the fixture's loss, mean √(d² + 1e-6).
    const slope = y.data.map((v, i) => (v - target.data[i]) / Math.hypot(v - target.data[i], 1e-3) / y.data.length);
    files = {
      weights: await save('weights.safetensors', parameters, { net: 'fstrn' }),
      input: await save('clip.safetensors', { x, dy: { shape: y.shape, data: slope } }),
    };
  });

  it('equals PyTorch in its output and every gradient', async () => {
    const out = cli.path('fstrn.safetensors');
    const { weights, input } = files;
    const args = ['run', 'fstrn', '--weights', weights, '--in', input, '--out', out, '--attrs', config, '--grad'];
    const { shapes } = await cli.json<{ shapes: Record<string, number[]> }>(...args);
    expect(shapes.y).toEqual(tensors.y.shape);
    const found = load(out);
    expect(relativeError(found.y, tensors.y)).toBeLessThan(1e-4);
    const gradients = Object.entries(tensors).filter(([name]) => name.startsWith('grad.'));
    expect(gradients.length).toBe(Object.keys(found).length - 1);
    for (const [name, d] of gradients) expect(relativeError(found[`d_${name.slice(5)}`], d), name).toBeLessThan(1e-4);
  });

  it('takes the configuration from the weights where the file has it', async () => {
    const weights = await save('own.safetensors', parameters, { net: 'fstrn', config });
    const out = cli.path('own-y.safetensors');
    expect((await cli.run('run', 'fstrn', '--weights', weights, '--in', files.input, '--out', out)).code).toBe(0);
    expect(relativeError(load(out).y, tensors.y)).toBeLessThan(1e-4);
  });

  it.each([
    ['an unknown network', ['fstrm'], 2, /no network is called "fstrm", did you mean fstrn/],
    [
      'an unknown setting',
      ['fstrn', '--attrs', '{"depth":3}'],
      2,
      /fstrn has no setting depth; there are: channels, width/,
    ],
    [
      'weights that do not fit',
      ['fstrn', '--attrs', '{"width":16,"blocks":2}'],
      1,
      /expected \(16, 1, 3, 3, 3\), got \(8, 1, 3, 3, 3\)/,
    ],
    ['a setting that makes no network', ['fstrn', '--attrs', '{"width":7}'], 2, /width: expected a multiple of 4/],
  ])('refuses %s', async (_, args, code, message) => {
    const out = cli.path('refused.safetensors');
    const result = await cli.run('run', ...args, '--weights', files.weights, '--in', files.input, '--out', out);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    expect(() => readFileSync(out)).toThrow();
  });
});
