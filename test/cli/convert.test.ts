import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { readFixture, relativeError } from '../fixtures/read.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const slim = (scale: number) => `node_modules/@upscalerjs/esrgan-slim/models/x${scale}/model.json`;
const load = (name: string) => decodeSafetensors(readFileSync(cli.path(name)));

describe('subpixel convert', () => {
  it('writes a pickled module of Python 2 as weights of the network that it is', async () => {
    const result = await cli.json('convert', fixture('weights_module.pth'), cli.path('vdsr.safetensors'));
    const config = { channels: 1, width: 2, layers: 4, bias: false };
    expect(result).toMatchObject({
      format: 'PyTorch before 1.6',
      wrappers: ['model'],
      net: 'vdsr',
      config,
      numbers: 108,
    });
    const { metadata, tensors } = load('vdsr.safetensors');
    expect(metadata).toEqual({ format: 'subpixel-weights-1', net: 'vdsr', config: JSON.stringify(config) });
    const expected = readFixture('weights').tensors;
    for (const [name, { shape, data }] of tensors) {
      expect(shape).toEqual(expected[`module/${name}`].shape);
      expect([...(data as Float32Array)]).toEqual([...expected[`module/${name}`].data]);
    }
  });

  it('lists what a file holds, and says when it is of no network here', async () => {
    const list = await cli.run('convert', fixture('weights_kinds.pth'), '--list');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toContain('15 tensors of 117 numbers; names and shapes of no network here');
    expect(list.stdout).toMatch(/bfloat16 +BF16 +\(7\) +7/);
    const kept = await cli.run('convert', fixture('weights_ema.pth'), cli.path('plain.safetensors'));
    expect(kept.stderr).toContain('written as they stand');
    expect([...load('plain.safetensors').tensors.keys()]).toEqual(['w']);
    expect(load('plain.safetensors').metadata).toEqual({});
  });

  it('mixes two files of a network: (1 - alpha) in + alpha other', async () => {
    const [a, b] = ['a.safetensors', 'b.safetensors'];
    await cli.json('convert', fixture('weights_module.pth'), cli.path(a));
    const one = load(a);
    const doubled = Array.from(one.tensors, ([name, { shape, data }]) => {
      return [name, { shape, data: (data as Float32Array).map((v) => 2 * v + 1) }] as const;
    });
    await writeSafetensors(cli.path(b), doubled, one.metadata);
    await cli.json('convert', cli.path(a), cli.path('mixed.safetensors'), '--mix', cli.path(b), '--alpha', '0.25');
    for (const [name, { data }] of load('mixed.safetensors').tensors) {
      const from = one.tensors.get(name)!.data as Float32Array;
      expect([...(data as Float32Array)]).toEqual([...from.map((v) => 0.75 * v + 0.25 * Math.fround(2 * v + 1))]);
    }
    const other = await cli.run('convert', cli.path(a), cli.path('c.safetensors'), '--mix', slim(2));
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toContain('Its names and shapes are those of esrgan-slim');
  });

  it.each([
    [['none.pth'], 1, 'no such file'],
    [[slim(2), 'x.bin'], 2, 'ends with .safetensors'],
    [[slim(2), 'x.safetensors', '--net', 'nothing'], 2, 'no network is called "nothing"'],
    [[slim(2), 'x.safetensors', '--net', 'vdsr'], 1, 'input.weight (64, 1, 3, 3) is missing'],
    [[slim(2), '--mix', slim(3)], 2, 'name a file'],
    [[slim(2), 'x.safetensors', '--mix', slim(3), '--alpha', '1.5'], 2, 'a share from 0 to 1'],
    [[slim(2), 'x.safetensors', '--mix', slim(3)], 1, 'cannot be mixed'],
  ])('convert %j ends with %i', async (args, code, message) => {
    const result = await cli.run('convert', ...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
  });
});

it('run takes weights as they were published, and the same once converted', async () => {
  const { x, y2 } = readFixture('rdn_slim_public').tensors;
  await writeSafetensors(cli.path('x.safetensors'), [['x', { shape: x.shape, data: Float32Array.from(x.data) }]]);
  await cli.json('convert', slim(2), cli.path('slim.safetensors'));
  for (const weights of [slim(2), cli.path('slim.safetensors')]) {
    const args = ['--weights', weights, '--in', cli.path('x.safetensors'), '--out', cli.path('y.safetensors')];
    await cli.json('run', 'esrgan-slim', ...args);
    const y = load('y.safetensors').tensors.get('y')!;
    const got = { shape: y.shape, data: Float64Array.from(y.data as Float32Array) };
    expect(relativeError(got, y2)).toBeLessThan(2e-5);
  }
});
