import { describe, expect, it, vi } from 'vitest';
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

  it('tells of a knob that does not exist, in a line', async () => {
    vi.stubEnv('KERNEL', 'convdw:direct');
    const { code, stderr } = await cli.run('doctor');
    vi.unstubAllEnvs();
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^subpixel: UsageError: KERNEL=convdw:direct: expected family:variant.*\n$/),
    });
  });
});

describe('subpixel doctor', () => {
  it('tells what there is, with measured rates', async () => {
    const report = await cli.json<{ peak: { gflops: number; copyGbs: number }; adapter: object; limits: object }>(
      'doctor',
    );
    expect(report).toMatchObject({
      adapter: { features: expect.any(Array) },
      limits: { bindingBytes: expect.any(Number) },
      kernels: {
        order: expect.stringMatching(/^(built in|measured on this adapter, remembered in .*kernels\.json)/),
        conv: expect.arrayContaining(['rows', 'tiled', 'direct']),
        conv_dw: expect.arrayContaining(['rows', 'tiled', 'direct']),
      },
    });
    expect(report.peak.gflops).toBeGreaterThan(0.1);
    expect(report.peak.copyGbs).toBeGreaterThan(0.01);
  });
});
