import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { openClip } from '../../io/clip.ts';
import { writeImage } from '../../io/image.ts';
import { readSafetensors, writeSafetensors } from '../../io/safetensors.ts';
import { nets } from '../../nets/index.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { buildOn } from '../nets/against-pytorch.ts';
import { testEngine } from '../ops/engine.ts';
import { smallSettings } from '../train/small-nets.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();
let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
  mkdirSync(cli.path('frames'));
  for (const [i, data] of proceduralClip({ width: 33, height: 21, frames: 3 }).entries()) {
    await writeImage(cli.path(`frames/${i}.png`), { width: 33, height: 21, data });
  }
});
afterAll(() => engine.destroy());

/** A file of a small network's first weights. */
async function weightsOf(name: string, more: object = {}): Promise<string> {
  const config = { ...smallSettings[name], ...more };
  const net = nets[name].create(buildOn(engine), config);
  const path = cli.path(`${name}.safetensors`);
  await writeSafetensors(path, await net.stateDict(), { net: name, config: JSON.stringify(config) });
  net.dispose();
  return path;
}

const file = async (name: string, tensors: Record<string, readonly number[]>): Promise<string> => {
  const path = cli.path(`${name}.safetensors`);
  const values = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => 0.5 + 0.4 * Math.sin(i));
  await writeSafetensors(
    path,
    Object.entries(tensors).map(([key, shape]) => [key, { shape: [...shape], data: values(shape) }]),
  );
  return path;
};

describe('subpixel upscale', () => {
  it.each([
    ['frvsr', [], 4],
    ['vespcn', ['--tile', '12'], 4],
    ['rcan', [], 4],
    ['vdsr', ['--scale', '3', '--memory', '64MB'], 3],
  ])('%s makes large frames of small ones', async (name, args, scale) => {
    const out = cli.path(`${name}-large`);
    const command = ['upscale', cli.path('frames'), '-o', out, '--net', name, '--weights', await weightsOf(name)];
    expect(await cli.json(...command, ...args)).toMatchObject({
      frames: 3,
      width: 33 * scale,
      height: 21 * scale,
      scale,
    });
    expect(await openClip(out)).toMatchObject({ frameCount: 3, width: 33 * scale });
  });

  it.each([
    ['rcan', ['--scale', '3'], '--scale 3: this network enlarges 4 times'],
    ['frvsr', ['--window', '3'], 'window: this network sees one frame after the other'],
    ['vespcn', ['--keep', '2'], 'keep: this network makes one frame at a time, so expected 1, got 2'],
  ])('%s does not take %s', async (name, args, message) => {
    const command = ['upscale', cli.path('frames'), '-o', cli.path('none'), '--net', name];
    const { code, stderr } = await cli.run(...command, '--weights', await weightsOf(name), ...args);
    expect([code, stderr.includes(message)]).toEqual([2, true]);
  });
});

describe('subpixel run', () => {
  it('takes several inputs by name, and gives the gradient of each', async () => {
    const shape = [1, 3, 1, 32, 32];
    const x = await file('step', { x: [1, 3, 2, 8, 8], previous: shape, dy: shape });
    const out = cli.path('step-y.safetensors');
    await cli.json('run', 'frvsr', '--weights', await weightsOf('frvsr'), '--in', x, '--out', out, '--grad');
    const { tensors } = await readSafetensors(out);
    expect(tensors.get('y')!.shape).toEqual(shape);
    expect(tensors.get('d_x')!.shape).toEqual([1, 3, 2, 8, 8]);
    expect(tensors.get('d_previous')!.shape).toEqual(shape);
  });

  it('knows networks that do not enlarge', async () => {
    const x = await file('pair', { image: [1, 1, 8, 12], reference: [1, 1, 8, 12] });
    const out = cli.path('flow.safetensors');
    const { shapes } = await cli.json<{ shapes: Record<string, number[]> }>('run', 'easyflow', '--in', x, '--out', out);
    expect(shapes).toEqual({ y: [1, 2, 8, 12] });
  });

  it.each([
    ['rcan', { x: [1, 3, 1, 8, 8] }, 'x: expected (N, 3, H, W) with sizes of 1 or more, got (1, 3, 1, 8, 8)'],
    ['vespcn', { x: [1, 1, 5, 8, 8] }, 'x: expected (N, 1, 3, H, W) with sizes of 1 or more, got (1, 1, 5, 8, 8)'],
    ['frvsr', { x: [1, 1, 2, 8, 8] }, 'x: expected (N, 3, T, H, W)'],
    ['easyflow', { image: [1, 1, 8, 8] }, 'expected the tensors image, reference, found image'],
    ['frvsr', { x: [1, 3, 2, 8, 8], z: [1] }, 'expected the tensors x, previous?, found x, z'],
    ['srgan-discriminator', { x: [3, 8, 8] }, 'x: expected (N, C, H, W) with sizes of 1 or more, got (3, 8, 8)'],
  ])('tells %s what it takes', async (name, tensors, message) => {
    const command = ['run', name, '--in', await file('wrong', tensors), '--out', cli.path('wrong-y.safetensors')];
    const { code, stderr } = await cli.run(...command);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });
});
