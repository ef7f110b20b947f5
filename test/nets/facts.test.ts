import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countNet, type NetFacts } from '../../bench/nets.ts';
import { inOrder, markdown, rowsOf } from '../../cli/nets.ts';
import { projectFolder } from '../../io/folders.ts';
import { silentEngine } from '../../io/silent-engine.ts';
import known from '../../nets/facts.json' with { type: 'json' };
import { nets } from '../../nets/index.ts';

const facts: Readonly<Record<string, NetFacts>> = known;
const silent = await silentEngine();

describe('the table of networks', () => {
  it('stands in the README as the command prints it', () => {
    const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');
    expect(readme).toContain(markdown(rowsOf(inOrder(), facts)));
  });

  it.each(Object.keys(nets))('%s is counted as it says, and as published', (name) => {
    const counted = countNet(silent, name);
    expect(facts[name]).toEqual(JSON.parse(JSON.stringify(counted)));
    const { published } = nets[name];
    if (published) expect(counted.parameters).toBe(published.parameters);
  });

  it('agrees with the arithmetic that papers state', () => {
    expect(facts.vdsr.macs / 1e9).toBeCloseTo(612.6, 1); // vdsr: 664,704 multiply-adds a pixel of 1280x720
    const perPixel = (name: string) => facts[name].macs / (320 * 180) / 1e6;
    expect(perPixel('duf-16')).toBeCloseTo(4.863, 2);
    expect(perPixel('duf-28')).toBeCloseTo(7.21, 2);
    expect(perPixel('duf')).toBeCloseTo(28.575, 1);
  });
});
