import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import type { StateDict } from '../../engine/nn/module.ts';
import { writeImage } from '../../io/image.ts';
import { writeSafetensors } from '../../io/safetensors.ts';
import { Vdsr } from '../../nets/vdsr.ts';
import { proceduralClip } from '../../train/procedural.ts';
import { buildOn } from '../nets/against-pytorch.ts';
import { testEngine } from '../ops/engine.ts';
import { builtCli } from './cli.ts';

// VDSR's own protocol, computed a second time: in float64 throughout, by formulas alone, with nothing of train/ or engine/.

type Grid = number[][]; // rows of a plane

const cli = builtCli();
const sizes = { wide: [52, 38], tall: [31, 45] } as const;
const layers = 3;
let engine: Engine;
let weights: string;
let state: StateDict;
const pictures: Record<string, Uint8Array> = {};

beforeAll(async () => {
  engine = await testEngine();
  mkdirSync(cli.path('set'));
  for (const [name, [width, height]] of Object.entries(sizes)) {
    [pictures[name]] = proceduralClip({ width, height, frames: 1, seed: width });
    await writeImage(cli.path(`set/${name}.png`), { width, height, data: pictures[name] });
  }
  const config = { width: 6, layers };
  const net = new Vdsr(buildOn(engine), config);
  state = await net.stateDict();
  for (const { data } of state.values()) for (const i of data.keys()) data[i] *= 0.3; // something small to be added
  weights = cli.path('vdsr.safetensors');
  await writeSafetensors(weights, state, { net: 'vdsr', config: JSON.stringify(config) });
  net.dispose();
});
afterAll(() => engine.destroy());

const grid = (h: number, w: number, value: (y: number, x: number) => number): Grid =>
  Array.from({ length: h }, (_, y) => Array.from({ length: w }, (_, x) => value(y, x)));
const transposed = (a: Grid): Grid => grid(a[0].length, a.length, (y, x) => a[x][y]);

/** MATLAB's imresize of the rows of a plane by s. */
function resizedRows(a: Grid, s: number): Grid {
  const n = a.length;
  const keys = (d: number) => {
    const x = Math.abs(d);
    if (x <= 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
    return x <= 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
  };
  const kernel = (d: number) => (s < 1 ? s * keys(s * d) : keys(d));
  const width = s < 1 ? 4 / s : 4;
  const mirrored = (j: number) => {
    const k = (((j - 1) % (2 * n)) + 2 * n) % (2 * n);
    return k < n ? k : 2 * n - 1 - k;
  };
  return Array.from({ length: Math.ceil(n * s) }, (_, i) => {
    const u = (i + 1) / s + 0.5 * (1 - 1 / s);
    const left = Math.floor(u - width / 2);
    const taps = Array.from({ length: Math.ceil(width) + 2 }, (_, p) => left + p);
    const sum = taps.reduce((total, j) => total + kernel(u - j), 0);
    return a[0].map((_, x) => taps.reduce((total, j) => total + (kernel(u - j) / sum) * a[mirrored(j)][x], 0));
  });
}
const resized = (a: Grid, s: number): Grid => transposed(resizedRows(transposed(resizedRows(a, s)), s));

/** 3x3 convolution with zeros around. */
function convolved(planes: Grid[], name: string): Grid[] {
  const { shape, data } = state.get(name)!;
  return Array.from({ length: shape[0] }, (_, o) =>
    grid(planes[0].length, planes[0][0].length, (y, x) => {
      let sum = 0;
      for (const [i, plane] of planes.entries()) {
        for (let t = 0; t < 9; t++) {
          const v = plane[y + Math.floor(t / 3) - 1]?.[x + (t % 3) - 1] ?? 0;
          sum += v * data[(o * shape[1] + i) * 9 + t];
        }
      }
      return sum;
    }),
  );
}

function network(y: Grid): Grid {
  const relu = (planes: Grid[]) => planes.map((plane) => plane.map((row) => row.map((v) => Math.max(v, 0))));
  const x = y.map((row) => row.map((v) => v / 255));
  let deep = relu(convolved([x], 'input.weight'));
  for (let k = 0; k < layers - 2; k++) deep = relu(convolved(deep, `residual_layer.${k}.conv.weight`));
  const [residual] = convolved(deep, 'output.weight');
  return x.map((row, i) => row.map((v, j) => 255 * (v + residual[i][j])));
}

function psnr(truth: Grid, result: Grid, border: number): number {
  let [sum, count] = [0, 0];
  for (let y = border; y < truth.length - border; y++) {
    for (let x = border; x < truth[0].length - border; x++, count++) {
      sum += (truth[y][x] - Math.min(Math.max(result[y][x], 0), 255)) ** 2;
    }
  }
  return 20 * Math.log10(255 / Math.sqrt(sum / count));
}

/** The five steps. */
function expected(name: keyof typeof sizes, scale: number): { bicubic: number; psnr: number } {
  const [width, height] = sizes[name];
  const y = grid(height - (height % scale), width - (width % scale), (row, column) => {
    const [r, g, b] = pictures[name].subarray(3 * (row * width + column), 3 * (row * width + column) + 3);
    return 255 * ((65.481 * (r / 255) + 128.553 * (g / 255) + 24.966 * (b / 255) + 16) / 255);
  });
  const input = resized(resized(y, 1 / scale), scale);
  return { bicubic: psnr(y, input, scale), psnr: psnr(y, network(input), scale) };
}

interface Report {
  readonly protocol: Record<string, unknown>;
  readonly clips: { name: string; frames: number; psnr: number; bicubic: { psnr: number } }[];
  readonly mean: { psnr: number };
}

describe("VDSR's protocol", () => {
  it.each([2, 3, 4])('at x%i is the one computed by formulas, for each picture of a folder', async (scale) => {
    const args = ['--weights', weights, '--protocol', 'vdsr', '--scale', String(scale)];
    const { protocol, clips, mean } = await cli.json<Report>('eval', 'vdsr', ...args, cli.path('set'));
    expect(protocol).toMatchObject({ lowResolution: 'exact', quantise: 'clip', crop: scale, degradation: 'bicubic' });
    expect(clips.map(({ name, frames }) => [name, frames])).toEqual([
      ['tall', 1],
      ['wide', 1],
    ]);
    for (const clip of clips) {
      const own = expected(clip.name as keyof typeof sizes, scale);
      expect(Math.abs(own.psnr - own.bicubic)).toBeGreaterThan(0.01); // the network does something
      expect(clip.psnr).toBeCloseTo(own.psnr, 4);
      expect(clip.bicubic.psnr).toBeCloseTo(own.bicubic, 4);
    }
    expect(mean.psnr).toBeCloseTo((clips[0].psnr + clips[1].psnr) / 2, 9);
  });
});

describe('other protocols', () => {
  const evaluate = (...args: string[]) => cli.json<Report>('eval', ...args, cli.path('set/wide.png'));

  it('are named after papers, and know the scale', async () => {
    const { protocol } = await evaluate('bicubic', '--protocol', 'rcan', '--scale', '3', '--ssim', 'pytorch');
    expect(protocol).toMatchObject({ crop: 3, lowResolution: '8 bit after each pass', ssim: 'pytorch', scale: 3 });
    const { code, stderr } = await cli.run('eval', 'bicubic', '--protocol', 'rcam', cli.path('set/wide.png'));
    expect(code).toBe(2);
    expect(stderr).toContain('no protocol is called "rcam", did you mean rcan');
  });

  it("make low resolution as the network's training did", async () => {
    expect((await evaluate('vespcn')).protocol).toMatchObject({ degradation: 'duf', scale: 4, crop: 8 });
  });
});
