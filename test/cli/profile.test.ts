import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtCli } from './cli.ts';

const cli = builtCli();

describe('subpixel profile', () => {
  it('lists the kernels of a step, and writes a trace', async () => {
    const small = ['net.width=8', 'net.blocks=1', 'data.crop=32'].flatMap((setting) => ['--set', setting]);
    const trace = cli.path('trace.json');
    interface Profile {
      ms: Record<string, number>;
      rows: { kernel: string; phase: string; ms: number; share: number; calls: number }[];
      peakBytes: number;
    }
    const profile = await cli.json<Profile>('profile', 'fstrn-small', ...small, '--trace', trace);
    const total = profile.rows.reduce((sum, { ms }) => sum + ms, 0);
    expect(total).toBeCloseTo(profile.ms.step, 6);
    expect(new Set(profile.rows.map(({ phase }) => phase))).toEqual(new Set(['forward', 'backward', 'update']));
    expect(profile.peakBytes).toBeGreaterThan(0);
    const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8'));
    const calls = profile.rows.reduce((sum, { calls }) => sum + calls, 0);
    expect(traceEvents.filter(({ ph }: { ph: string }) => ph === 'X').length).toBe(calls);
  });

  it('refuses unknown names', async () => {
    expect(await cli.run('profile', 'fstrn-smal')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean'),
    });
  });
});
