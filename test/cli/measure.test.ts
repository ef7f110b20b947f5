import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchConv } from '../../bench/conv.ts';
import { benchOps, cases } from '../../bench/ops.ts';
import type { Engine } from '../../engine/engine.ts';
import { ops } from '../../engine/ops/index.ts';
import { testEngine } from '../ops/engine.ts';
import { builtCli } from './cli.ts';

const cli = builtCli();

describe('subpixel', () => {
  it('helps, fast and with examples, for every command', async () => {
    const { stdout, code } = await cli.run('--help');
    expect(code).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name).filter((name) => name !== 'help');
    expect(commands).toEqual(expect.arrayContaining(['bench', 'doctor', 'eval', 'op', 'profile', 'run', 'upscale']));
    for (const command of commands) {
      const help = await cli.run(command, '--help');
      expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:') });
    }
  });

  it.each([[['frobnicate']], [['op', '--colour']], [['eval', 'bicubic']], [['doctor', '--device', 'quantum']], [[]]])(
    'ends with 2 for %j',
    async (args) => expect(await cli.run(...args)).toMatchObject({ code: 2, stdout: '' }),
  );
});

describe('subpixel doctor', () => {
  it('tells what there is, with measured rates', async () => {
    const report = await cli.json<{ peak: { gflops: number; copyGbs: number }; adapter: object; limits: object }>(
      'doctor',
    );
    expect(report).toMatchObject({
      adapter: { features: expect.any(Array) },
      limits: { bindingBytes: expect.any(Number) },
    });
    expect(report.peak.gflops).toBeGreaterThan(0.1);
    expect(report.peak.copyGbs).toBeGreaterThan(0.01);
  });
});

describe('benches', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.destroy());

  it('conv counts multiply-adds and compares separable with full', async () => {
    const live = engine.memory.stats().live;
    const { rows, speedUps } = await benchConv(engine, { channels: [4], sizes: [[3, 6, 5]], taps: [3] }, 10);
    expect(rows.length).toBe(12);
    expect(rows[0]).toMatchObject({ op: 'conv3d', pass: 'forward', kernel: [3, 3, 3], macs: 90 * 16 * 27 });
    for (const { ms, gflops, macs } of rows) expect(gflops * ms * 1e6).toBeCloseTo(2 * macs, 0);
    expect(speedUps.map(({ pass, promised }) => [pass, promised])).toEqual([
      ['forward', 2.25],
      ['dx', 2.25],
      ['dw', 2.25],
    ]);
    expect(engine.memory.stats().live).toBe(live);
  });

  it('ops measures forward and every gradient', async () => {
    const rows = await benchOps(engine, { gflops: 10, readGbs: 5, copyGbs: 5 }, { only: ['warp', 'add'], quick: true });
    expect(rows.map(({ op, pass }) => `${op} ${pass}`)).toEqual([
      'warp forward',
      'warp image',
      'warp flow',
      'add forward',
    ]);
    expect(Object.keys(cases).sort()).toEqual(Object.keys(ops).sort());
  });
});
