import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchConv, type ConvBench, type ConvPlan, convPlan } from '../../bench/conv.ts';
import { multiplies, tapsInside } from '../../bench/conv-count.ts';
import { convPage } from '../../bench/conv-page.ts';
import { comparisonTable, rowTable } from '../../bench/conv-text.ts';
import { compare, explain, reasonKeys } from '../../bench/conv-why.ts';
import { originOf } from '../../bench/result.ts';
import type { Engine } from '../../engine/engine.ts';
import { testEngine } from '../ops/engine.ts';

const peak = { gflops: 10, readGbs: 5, copyGbs: 4 };
const plan: ConvPlan = {
  ...{ channels: [4], frames: [3], sizes: [[6, 5]], kernels: [3] },
  effort: { warmup: 1, spend: 0, least: 2 },
};

describe('bench conv', () => {
  let engine: Engine;
  let found: ConvBench;
  beforeAll(async () => {
    engine = await testEngine();
    const live = engine.memory.stats().live;
    const told: number[] = [];
    found = await benchConv(engine, plan, peak, (share) => told.push(share));
    expect(engine.memory.stats().live).toBe(live);
    expect(told.at(-1)).toBeCloseTo(1, 9);
    expect(told).toEqual([...told].sort());
  });
  afterAll(() => engine.destroy());

  it('counts multiply-adds and bytes', () => {
    const clip = 4 * 90 * 4;
    const row = (form: string, pass: string) => found.rows.find((r) => r.form === form && r.pass === pass);
    expect(row('full', 'forward')).toMatchObject({ macs: 90 * 16 * 27, bytes: 2 * clip + 4 * 16 * 27 });
    expect(row('unfused', 'training')).toMatchObject({
      macs: 3 * 90 * 16 * 12,
      bytes: 3 * (4 * clip + 4 * 16 * 12),
    });
    expect(row('fused', 'forward')).toMatchObject({ macs: 90 * 16 * 12, bytes: 2 * clip + 4 * 16 * 12 });
    expect(row('spatial', 'dx')!.macsInside).toBeCloseTo(90 * 16 * (16 / 6) * (13 / 5), 6);
    for (const { ms, gflops, macs } of found.rows) expect(gflops * ms * 1e6).toBeCloseTo(2 * macs, 0);
  });

  it('explains the whole difference', () => {
    expect(found.comparisons.map(({ pass, promised }) => [pass, promised])).toEqual([
      ['forward', 2.25],
      ['dx', 2.25],
      ['dw', 2.25],
      ['training', 2.25],
    ]);
    for (const { why, unfusedMs, fullMs, obtained } of found.comparisons) {
      const sum = reasonKeys.reduce((total, key) => total + why[key], why.promised);
      expect(sum).toBeCloseTo(unfusedMs, 9);
      expect(obtained).toBe(fullMs / unfusedMs);
    }
  });

  it('names the part that costs most', () => {
    const slow = found.rows.map((row) => ({
      ...row,
      ms: row.form === 'temporal' ? 1000 : 100 * (row.macsInside / 1e5),
    }));
    const comparison = compare(slow, 'forward', peak);
    expect(comparison.why.spatial).toBeCloseTo(-comparison.why.middle / 2, 6);
    expect(explain(comparison).at(-1)).toMatch(/costs most: rate of 3×1×1/);
  });

  it('counts what Winograd multiplies, and takes it out of the rates', () => {
    const setting = { channels: 2, size: [4, 6, 6] as const, k: 3 };
    expect(multiplies(setting, 'full', ['conv3d (winograd)'])).toBeCloseTo(144 * 4 * (10 / 4) * 4, 6);
    expect(multiplies(setting, 'temporal', ['conv3d (rows)'])).toBeCloseTo(144 * 4 * (10 / 4), 6);
    // All at one rate of what they multiply: nothing is left to explain but padding and algorithm.
    const rows = found.rows.map((row) => {
      if (!['full', 'spatial', 'temporal'].includes(row.form)) return row;
      const kernels = row.form === 'temporal' ? [] : ['conv3d (winograd)'];
      return { ...row, kernels, ms: multiplies(row, row.form as 'full', kernels) / 1e4 };
    });
    const { obtained, promisedByKernels, why } = compare(rows, 'forward', peak);
    expect(obtained).toBeCloseTo(promisedByKernels, 9);
    expect([why.spatial, why.temporal, why.middle].map(Math.abs)).toEqual([0, 0, 0].map((n) => expect.closeTo(n, 9)));
  });

  it('writes tables and one page that needs nothing else', async () => {
    for (const table of [rowTable(found), comparisonTable(found)]) {
      expect(new Set(table.map((row) => row.length)).size).toBe(1);
    }
    const page = await convPage(found, originOf(engine, peak, 'bench conv --quick'));
    expect(page).toContain('npx subpixel bench conv --quick');
    expect(page).not.toMatch(/(src|href)=["']?http/);
    const script = page.split('<script>').at(-1)!.split('</script>')[0];
    expect(() => new Function(script)).not.toThrow();
  });

  it('knows the taps inside, and smaller plans', () => {
    expect([tapsInside(1, 3), tapsInside(5, 1), tapsInside(5, 3), tapsInside(3, 5)]).toEqual([1, 1, 13 / 5, 3]);
    expect(convPlan(true, true).kernels).toEqual([3]);
    expect(convPlan(false, false).sizes.flat()).toContain(256);
  });
});
