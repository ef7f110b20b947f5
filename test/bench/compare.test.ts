import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { meanRatio, ratio, readResults } from '../../bench/compare.ts';
import { compareMarkdown, comparePage, groupTable } from '../../bench/compare-page.ts';
import type { Origin } from '../../bench/result.ts';
import { resultText } from '../../bench/result.ts';

const folder = mkdtempSync(join(tmpdir(), 'subpixel-compare-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: object): string {
  const path = join(folder, name);
  writeFileSync(path, resultText(content));
  return path;
}

const origin: Origin = {
  device: {
    ...{
      name: 'Test GPU 9 (mock)',
      description: 'mock driver 1.2',
      vendor: 'mock',
      software: false,
      processor: 'none',
    },
    ...{ clock: 'device', choices: {}, peak: { gflops: 100, readGbs: 10, copyGbs: 8 } },
  },
  ...{ commit: 'abc', date: '2026-01-02T00:00:00Z', node: '20.0.0', command: 'bench ops' },
};
const op = { op: 'warp', pass: 'forward', shape: [1, 2], quartiles: [1, 1], margin: 0, gbs: 1, share: 0.5 };
const oldRun = file('old.json', { bench: 'ops', ...origin, rows: [{ ...op, ms: 8, gflops: 1 }] });
const newRun = file('new.json', {
  bench: 'ops',
  ...{ ...origin, commit: 'def', date: '2026-02-03T00:00:00Z' },
  rows: [
    { ...op, ms: 2.123456789, gflops: 4 },
    { ...op, op: 'new', ms: 1, gflops: 2 },
  ],
});
const ours = file('ours.json', { peer: 'subpixel', items: { a: { status: 'ok', ms: 2, gflops: 10 } } });
const peer = file('peer.json', {
  peer: 'other',
  info: { version: '1' },
  items: { a: { status: 'ok', ms: 8, gflops: 2.5 }, b: { status: 'fail', note: 'no' } },
});
const modes = file('modes.json', {
  peer: 'native',
  items: { a: { f32: { ms: 1, tflops: 0.02 }, f16: { fail: 'x' } } },
});

describe('bench compare', () => {
  it('holds later runs against the oldest', async () => {
    const [group] = await readResults([newRun, oldRun]);
    expect(group.columns.map(({ label }) => label)).toEqual(['Test GPU 9 abc', 'Test GPU 9 def']);
    expect(ratio(group, 'warp forward 1x2', group.columns[1])).toBeCloseTo(0.26543, 5);
    expect(ratio(group, 'new forward 1x2', group.columns[1])).toBeUndefined();
    expect(meanRatio(group, group.columns[1])).toMatchObject({ items: 1 });
  });

  it('shows ours beside each engine of a shared work list, mode by mode', async () => {
    const [group] = await readResults([peer, modes, ours]);
    expect(groupTable(group)).toEqual([
      ['', 'subpixel', 'native f32', 'native f16', 'other'],
      ['a', '2.00 (10.0)', '1.00 (20.0) 0.50x', 'none', '8.00 (2.50) 4.00x'],
      ['b', '', '', '', 'none'],
      ['geometric mean', '', '0.50x over 1', '', '4.00x over 1'],
    ]);
  });

  it('makes one column of what an engine measured in several files', async () => {
    const rest = file('rest.json', { peer: 'other', items: { c: { status: 'ok', ms: 3 } } });
    const [group] = await readResults([ours, peer, rest]);
    expect(group.columns.length).toBe(2);
    expect(group.items).toEqual(['a', 'b', 'c']);
  });

  it('writes a table for the repository and a page that needs nothing else', async () => {
    const groups = await readResults([oldRun, newRun, ours, peer]);
    expect(compareMarkdown(groups)).toContain('| warp forward 1x2 | 8.00 (1.00, 50 %) | 2.12 (4.00, 50 %) 0.27x |');
    const page = await comparePage(groups);
    expect(page).toContain('mock driver 1.2');
    expect(page).not.toMatch(/(src|href)=["']?http/);
  });

  it('names files that it cannot read', async () => {
    const strange = file('strange.json', { hello: 1 });
    await expect(readResults([strange])).rejects.toThrow(/strange.json: neither/);
    writeFileSync(join(folder, 'torn.json'), '{"bench"');
    await expect(readResults([join(folder, 'torn.json')])).rejects.toThrow(/torn.json/);
  });
});
