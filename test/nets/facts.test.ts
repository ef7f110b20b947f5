import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { measureNet, type NetFacts } from '../../bench/nets.ts';
import { markdown, rowsOf } from '../../cli/nets.ts';
import { Noise } from '../../engine/nn/module.ts';
import type { Random } from '../../engine/random.ts';
import { projectFolder } from '../../io/folders.ts';
import known from '../../nets/facts.json' with { type: 'json' };
import { nets } from '../../nets/index.ts';
import { useEngine } from '../ops/walk.ts';

const facts: Readonly<Record<string, NetFacts>> = known;
const engine = useEngine();

describe('the table of networks', () => {
  it('stands in the README as the command prints it', () => {
    const readme = readFileSync(join(projectFolder, 'README.md'), 'utf8');
    expect(readme).toContain(markdown(rowsOf(Object.keys(nets), facts)));
  });

  it.each(Object.keys(nets))('%s has as many parameters as the table says', (name) => {
    const random = { uniform: () => 0.5, normal: () => 0 } as Random;
    const net = nets[name].create({ engine: engine(), random, noise: new Noise(1) }, {});
    expect(facts[name].parameters).toBe(net.parameterCount());
    net.dispose();
    engine().memory.trim();
  });

  it('counts arithmetic as measured again', async () => {
    const { macs } = await measureNet(engine(), 'fstrn');
    expect(macs).toBe(facts.fstrn.macs);
  });
});
