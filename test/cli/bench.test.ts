import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtCli } from './cli.ts';

const cli = builtCli();

describe('subpixel bench', () => {
  it('conv: JSON, a page and a file that compare reads', async () => {
    const [html, out] = [cli.path('conv.html'), cli.path('conv.json')];
    const small = ['--quick', '--channels', '4', '--sizes', '6x8', '--frames', '2', '--kernels', '3'];
    const found = await cli.json<{ bench: string; device: object; rows: { size: number[] }[]; comparisons: object[] }>(
      ...['bench', 'conv', ...small, '--html', html, '--out', out],
    );
    expect(found).toMatchObject({ bench: 'conv', device: { peak: { gflops: expect.any(Number) } } });
    expect(found.comparisons.length).toBe(4);
    expect(found.rows[0].size).toEqual([2, 6, 8]);
    expect(readFileSync(html, 'utf8')).toContain('npx subpixel bench conv --quick --channels 4');
    expect(JSON.parse(readFileSync(out, 'utf8')).rows.length).toBe(found.rows.length);

    const { stdout, code } = await cli.run('bench', 'compare', out, '--out', cli.path('compared'));
    expect(code).toBe(0);
    for (const file of stdout.trim().split('\n')) expect(existsSync(file)).toBe(true);
  });

  it('step and ops print tables', async () => {
    const ops = await cli.run('bench', 'ops', '--quick', '--only', 'relu');
    expect(ops).toMatchObject({ code: 0, stdout: expect.stringMatching(/relu +d_input/) });
    expect(ops.stdout).toContain('±');
  });

  it.each([
    [['bench', 'frobnicate']],
    [['bench', 'conv', '--kernels', '4']],
    [['bench', 'conv', '--sizes', '4x4x4']],
    [['bench', 'ops', '--only', 'rellu']],
    [['bench', 'step', '--recipe', 'fstrn-smal']],
  ])('ends with 2 for %j', async (args) => {
    expect(await cli.run(...args)).toMatchObject({ code: 2, stdout: '' });
  });
});
