import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../engine/errors.ts';
import { type HostTensor, Noise, type StateDict } from '../../../engine/nn/module.ts';
import { readWeights, refuseMisfit } from '../../../io/checkpoint.ts';
import { encodeSafetensors } from '../../../io/safetensors.ts';
import { silentEngine } from '../../../io/silent-engine.ts';
import { recognise, resemblance, StillRandom } from '../../../io/weights/fit.ts';
import { nets } from '../../../nets/index.ts';

/** Some networks in a small size, with as many tensors as their own. */
const small: Record<string, object> = {
  vdsr: { width: 4, layers: 5 },
  esrgan: { width: 8, blocks: 2, growth: 4 },
  srgan: { width: 8, blocks: 2 },
  'esrgan-slim': { width: 8, blocks: 3, layers: 2 },
};

async function tensorsOf(name: string, config: object = small[name]): Promise<StateDict> {
  const { engine } = await silentEngine();
  const net = nets[name].create({ engine, random: new StillRandom(), noise: new Noise(0) }, { ...config });
  return new Map(
    Array.from(net.namedTensors(), ([key, { shape }]): [string, HostTensor] => {
      return [key, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }];
    }),
  );
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(tensors: Iterable<readonly [string, HostTensor]>, metadata = {}): string {
  const path = join(folder, 'given.safetensors');
  writeFileSync(path, encodeSafetensors(tensors, metadata));
  return path;
}

describe('networks are recognised by names and shapes', () => {
  it.each(Object.keys(small))('%s', async (name) => {
    const [best] = await recognise(await tensorsOf(name));
    expect(best).toMatchObject({ net: name, problems: [] });
    expect(best.config).toMatchObject(small[name]);
  });

  it('by the names of all generations, and with what DataParallel puts before them', async () => {
    const old = Array.from(await tensorsOf('esrgan'), ([name, tensor]): [string, HostTensor] => {
      const trunk = name.replace(/^body\.(\d+)\.rdb(\d)/, 'RRDB_trunk.$1.RDB$2').replace('conv_body', 'trunk_conv');
      return [`module.${trunk.replace(/conv_up/, 'upconv').replace('conv_hr', 'HRconv')}`, tensor];
    });
    const path = put(old);
    const weights = await readWeights(path, 'esrgan');
    expect([...weights.tensors.keys()].sort()).toEqual([...(await tensorsOf('esrgan')).keys()].sort());
    expect(weights.config).toMatchObject(small.esrgan);
    await refuseMisfit(path, 'esrgan', weights);
  });

  it('and none where there is none', async () => {
    const strange: StateDict = new Map([['a', { shape: [2, 3], data: new Float32Array(6) }]]);
    expect(await resemblance(strange)).toContain('no network here');
  });
});

describe('what does not fit is told by name', () => {
  const misfit = async (net: string, tensors: Iterable<readonly [string, HostTensor]>, metadata = {}) => {
    const path = put(tensors, metadata);
    const error = await readWeights(path, net)
      .then((weights) => refuseMisfit(path, net, weights))
      .catch((e) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(path);
    return error.message as string;
  };

  it('missing, unknown and misshapen tensors', async () => {
    const tensors = await tensorsOf('vdsr');
    tensors.delete('residual_layer.1.conv.weight');
    tensors.set('output.weight', { shape: [1, 5, 3, 3], data: new Float32Array(45) });
    tensors.set('more', { shape: [2], data: new Float32Array(2) });
    const message = await misfit('vdsr', tensors);
    expect(message).toContain('output.weight: expected (1, 4, 3, 3), got (1, 5, 3, 3)');
    expect(message).toContain('more (2) is unknown');
    expect(message).toContain('resemble those of vdsr most: 2 of 5');
  });

  it('weights of another network, and which', async () => {
    const message = await misfit('vdsr', await tensorsOf('srgan'));
    expect(message).toContain('input.weight (64, 1, 3, 3) is missing');
    expect(message).toContain('Its names and shapes are those of srgan');
    expect(await misfit('vdsr', await tensorsOf('srgan'), { net: 'srgan' })).toContain('found those of srgan');
  });

  it.each([
    ['blocks without number', { blocks: 1e9 }],
    ['endless width', { width: 1e9 }],
    ['a width of gigabytes', { width: 20_000 }],
    ['no blocks', { blocks: -1 }],
    ['text for a width', { width: '64' }],
  ])('settings of %s build nothing', async (_, config) => {
    const began = process.cpuUsage().user;
    await misfit('esrgan', await tensorsOf('esrgan'), { net: 'esrgan', config: JSON.stringify(config) });
    expect((process.cpuUsage().user - began) / 1e6).toBeLessThan(10);
  });
});

describe('names and shapes that were made to do harm', () => {
  const harms: [string, (name: string, tensor: HostTensor) => [string, HostTensor]][] = [
    ['indices of a billion', (name, tensor) => [name.replace(/\d+/g, '999999999'), tensor]],
    ['indices of a hundred digits', (name, tensor) => [name.replace(/\d+/g, '9'.repeat(100)), tensor]],
    ['no axes', (name) => [name, { shape: [], data: new Float32Array(1) }]],
    ['no values', (name, { shape }) => [name, { shape: [100_000, ...shape.slice(1), 0], data: new Float32Array() }]],
    ['wide vectors', (name) => [name, { shape: [1000], data: new Float32Array(1000) }]],
  ];
  it.each(harms)('%s', async (_, harm) => {
    for (const net of Object.keys(small)) {
      const tensors = new Map(Array.from(await tensorsOf(net), ([name, tensor]) => harm(name, tensor)));
      const path = put(tensors);
      const began = process.cpuUsage().user;
      const error = await readWeights(path, net)
        .then((weights) => refuseMisfit(path, net, weights))
        .catch((e) => e);
      expect(error).toBeInstanceOf(FormatError);
      expect((process.cpuUsage().user - began) / 1e6).toBeLessThan(10);
    }
  });
});

it('the real files of a public package are those of a network here', async () => {
  const model = fileURLToPath(
    new URL('../../../node_modules/@upscalerjs/esrgan-slim/models/x8/model.json', import.meta.url),
  );
  const { tensors, config } = await readWeights(model, 'esrgan-slim');
  expect(config).toMatchObject({ scale: 8, channels: 3 });
  expect(tensors.size).toBe(24);
});
