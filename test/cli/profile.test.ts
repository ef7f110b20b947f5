import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Category, explainPeak, type Held, liveness } from '../../bench/memory-timeline.ts';
import {
  GROUPINGS,
  type Profile,
  type ProfileFacts,
  profileFacts,
  profileInference,
  profileRows,
  profileStep,
  type Roof,
} from '../../bench/profile.ts';
import { profilePage } from '../../bench/profile-page.ts';
import { chromeTrace } from '../../bench/trace.ts';
import type { Engine } from '../../engine/engine.ts';
import { LimitError, UsageError } from '../../engine/errors.ts';
import { nets } from '../../nets/index.ts';
import { override } from '../../train/overrides.ts';
import { recipeOrNet, recipes } from '../../train/recipes.ts';
import { findChromium } from '../browser/chromium.ts';
import { testEngine } from '../ops/engine.ts';
import { asSettings } from '../train/small-nets.ts';
import { builtCli } from './cli.ts';

const tiny = ['net.width=8', 'net.blocks=1', 'data.crop=32'];
const roof: Roof = { gflops: 40, readGbs: 4, copyGbs: 5, gbs: 5, launchUs: 30 };
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const partsOf = ({ memory }: Profile, category: Category) =>
  memory.held.filter((held) => held.category === category).flatMap(({ parts }) => [...parts.keys()]);

describe('a profile', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => engine.destroy());

  function expectConsistent(profile: Profile) {
    const { ms, memory, times } = profile;
    for (const by of GROUPINGS) {
      const rows = profileRows(profile, by);
      expect(sum(rows.map((row) => row.ms))).toBeCloseTo(ms.step, 6);
      expect(sum(rows.map((row) => row.share))).toBeCloseTo(1, 6);
      expect(sum(rows.map((row) => row.calls))).toBe(times.length);
      for (const row of rows) {
        expect(row.bytes).toBeGreaterThan(0);
        expect(row.roofline).toBeGreaterThan(0);
        expect(row.roofline * (1 + 1e-9)).toBeGreaterThanOrEqual(
          Math.max(row.gflops / roof.gflops, row.gbs / roof.gbs),
        );
        expect(row.intensity).toBeCloseTo(row.gflops / row.gbs, 6);
      }
    }
    expect(ms.transfer + ms.forward + ms.backward + ms.update).toBeCloseTo(ms.step, 6);
    const { liveBytes, peak, points } = memory;
    expect(liveBytes[1]).toBe(liveBytes[0]);
    expect(points.at(-1)?.live).toBe(liveBytes[1]);
    expect(Math.max(...points.map(({ live }) => live))).toBe(peak.live);
    expect(sum(peak.alive.map(({ blockBytes }) => blockBytes)) + memory.baseBytes).toBe(peak.live);
    expect(memory.liveness.bytes).toBeLessThanOrEqual(peak.live);
    const { usedBytes, idleBytes, slackBytes, ratio } = explainPeak(memory);
    expect(usedBytes + idleBytes + slackBytes).toBe(peak.live);
    expect(usedBytes).toBeLessThanOrEqual(memory.liveness.bytes);
    expect(ratio).toBeGreaterThanOrEqual(1);
    for (const { uses, born, freed } of memory.held) {
      if (uses) expect(born <= uses[0] && uses[0] <= uses[1] && uses[1] < freed).toBe(true);
    }
  }

  // one of each form, and one with motion
  it.each(['fstrn', 'fstrn-small', 'vdsr', 'vespcn', 'frvsr', 'rbpn'])(
    'of a step of %s: times and memory add up',
    async (name) => {
      const before = engine.memory.stats().live;
      const { net } = recipes[name];
      const settings = ['data.crop=32', 'optimizer.name=adam', ...asSettings(net.name)];
      const profile = await profileStep(engine, override(recipes[name], settings), { batch: 1, roof });
      expectConsistent(profile);
      expect(engine.memory.stats().live - before).toBeLessThan(8192); // the engine keeps tables of interpolation
      expect(engine.watcher).toBeUndefined();
      // The engine's own count stands where the last step of several left it; all have the same peak.
      expect(engine.memory.stats().peak).toBe(profile.memory.peak.live);
      expect(profile.passes).toBe(recipes[name].gradients.accumulate);
      expect(Math.min(...Object.values(profile.ms))).toBeGreaterThan(0);
      const peak = profile.memory.peak.by;
      expect(peak.optimizer).toBe(2 * peak.parameters); // Adam's moments
      expect(peak.activations).toBeGreaterThan(0);
      if (net.name === 'fstrn') expect(partsOf(profile, 'gradients')).toContain('d lfe.weight');
    },
  );

  it('of a step holds less than a third more than liveness asks for', async () => {
    const recipe = override(recipes['fstrn-small'], ['data.crop=48', 'data.frames=3']);
    const { memory } = await profileStep(engine, recipe, { batch: 1, roof });
    expect(explainPeak(memory).ratio).toBeLessThan(1.2); // of what liveness needs
  });

  it('knows clipping, moving averages and SGD', async () => {
    const settings = [
      'gradients.clipNorm=1',
      'gradients.clipValue=1',
      'ema=0.9',
      'optimizer.name=sgd',
      'loss.frames=centre',
    ];
    const profile = await profileStep(engine, override(recipes['fstrn-small'], [...tiny, ...settings]), {
      batch: 2,
      roof,
    });
    expectConsistent(profile);
    const update = profileRows(profile).filter(({ phase }) => phase === 'update');
    expect(update.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['clip.square', 'clip.by_norm', 'clip.by_value', 'sgd.step', 'ema.update']),
    );
    for (const { gflops } of update) expect(gflops).toBeGreaterThan(0);
    expect(partsOf(profile, 'optimizer')).toEqual(expect.arrayContaining(['optimizer.v.lfe.weight', 'ema.lfe.weight']));
  });

  it.each(['fstrn'])('of inference by %s: times and memory add up', async (name) => {
    const profile = await profileInference(engine, recipeOrNet(name)!, { samples: 1, input: [2, 7, 5] }, { roof });
    expectConsistent(profile);
    expect(profile).toMatchObject({
      what: 'inference',
      shape: [1, nets[name].defaults.channels, 2, 7, 5],
      ms: { backward: 0, update: 0 },
    });
    expect(profile.memory.peak.by).toMatchObject({ gradients: 0, optimizer: 0, activations: 0 });
    const layers = new Set(profileRows(profile, 'layer').map((row) => row.name));
    const parameters = partsOf(profile, 'parameters');
    const owners = parameters
      .filter((path) => /weight$/.test(path) && !/prelu/.test(path))
      .map((path) => path.replace(/\.weight$/, ''));
    // A block that is one op names itself, not the layers that hold its filters.
    for (const owner of owners)
      expect(
        [...layers].some((layer) => `${owner}.`.startsWith(`${layer}.`)),
        owner,
      ).toBe(true);
  });

  it('as a trace: complete events in lanes, named, and counters of live bytes', async () => {
    const profile = await profileStep(engine, override(recipes['fstrn-small'], tiny), { batch: 1, roof });
    const { traceEvents } = JSON.parse(JSON.stringify(chromeTrace(profile)));
    interface Event {
      ph: string;
      name: string;
      ts: number;
      dur: number;
      pid: number;
      tid: number;
      args: Record<string, unknown>;
    }
    const of = (ph: string): Event[] => traceEvents.filter((event: Event) => event.ph === ph);
    expect(of('X').length + of('C').length + of('M').length).toBe(traceEvents.length);
    expect(of('X')).toHaveLength(profile.times.length);
    for (const { name, ts, dur, pid, tid, args } of of('X')) {
      expect(name).not.toBe('');
      expect(ts).toBeGreaterThanOrEqual(0);
      expect(dur).toBeGreaterThanOrEqual(0);
      expect([pid, Number.isInteger(tid)]).toEqual([1, true]);
      for (const key of ['flops', 'bytes', 'GFLOP/s', 'GB/s']) expect(args[key]).toBeTypeOf('number');
    }
    const lanes = of('M').filter(({ name }) => name === 'thread_name');
    expect(lanes.map(({ args }) => args.name)).toEqual(['transfer', 'forward', 'backward', 'update']);
    const live = of('C').filter(({ name }) => name === 'live bytes');
    expect(Math.max(...live.map(({ args }) => args.bytes as number))).toBe(profile.memory.peak.live);
    expect(live.every(({ ts }, i) => i === 0 || ts >= live[i - 1].ts)).toBe(true);
    const parts = of('C').filter(({ name }) => name === 'live bytes by use');
    expect(parts.map(({ args }) => sum(Object.values(args) as number[]))).toEqual(live.map(({ args }) => args.bytes));
  });

  it('as a page: whole in itself, and its drawings draw', async (context) => {
    const profile = await profileStep(engine, override(recipes['fstrn-small'], tiny), { batch: 1, roof });
    const html = await profilePage(profile, { device: '<test & co>', commit: null, recipe: 'fstrn-small' });
    expect(html).not.toMatch(/(src|href)="?http/);
    expect(html).toContain('&lt;test &amp; co&gt;');
    for (const { name } of profileFacts(profile, 'kernel').memory.atPeak.slice(0, 5)) expect(html).toContain(name);
    const executablePath = findChromium();
    if (!executablePath) return context.skip('no Chromium on the PATH');
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      const errors: Error[] = [];
      page.on('pageerror', (error) => errors.push(error));
      await page.setContent(html);
      expect(errors).toEqual([]);
      expect(await page.locator('#roofline circle').count()).toBe(profileRows(profile).length);
      await page.locator('#timeline canvas').hover({ position: { x: 200, y: 56 } });
      expect(await page.locator('#memory canvas').count()).toBe(1);
    } finally {
      await browser.close();
    }
  });

  it('needs timestamps', async () => {
    const blind = Object.create(engine, { caps: { value: { ...engine.caps, timestamps: false } } });
    await expect(profileStep(blind, recipes.fstrn)).rejects.toThrow(LimitError);
    await expect(profileInference(blind, recipes.fstrn, { samples: 1, input: [1, 4, 4] })).rejects.toThrow(LimitError);
    await expect(profileStep(engine, override(recipes.fstrn, ['data.crop=30']), { roof })).rejects.toThrow(UsageError);
  });
});

describe('liveness', () => {
  const held = (bytes: number, uses: Held['uses'], stays = false): Held => ({
    ...{
      name: '',
      parts: new Map(),
      category: 'temporaries',
      shape: undefined,
      bytes,
      blockBytes: 2 * bytes,
      place: { phase: '', layer: '', op: '' },
    },
    ...{ born: 0, freed: 4, uses, stays },
  });

  it('adds what dispatches use from first to last, and what stays', () => {
    const list = [held(10, [0, 1]), held(5, [1, 3]), held(8, [2, 2]), held(100, undefined), held(1, undefined, true)];
    expect(liveness(list, 4, 3)).toEqual({ bytes: 3 + 1 + 10 + 5, at: 1 });
    expect(liveness([], 4, 3)).toEqual({ bytes: 3, at: 0 });
  });
});

describe('subpixel profile', () => {
  const cli = builtCli();
  const small = tiny.flatMap((setting) => ['--set', setting]);

  it('lists the kernels of a step, and writes a trace and a page', async () => {
    const [trace, html] = [cli.path('trace.json'), cli.path('profile.html')];
    const args = ['profile', 'fstrn-small', ...small, '--trace', trace, '--html', html];
    const profile = await cli.json<ProfileFacts>(...args);
    expect(sum(profile.rows.map(({ ms }) => ms))).toBeCloseTo(profile.ms.step, 6);
    expect(profile.phases.map(({ phase }) => phase)).toEqual(['transfer', 'forward', 'backward', 'update']);
    expect(profile.shape[0]).toBe(recipes['fstrn-small'].data.batch); // the recipe's own
    expect(profile.roof.gflops).toBeGreaterThan(0.1);
    // Both are timings of a machine that may be busy: it is their unit that this checks.
    for (const row of profile.rows) expect(row.gflops / profile.roof.gflops).toBeLessThan(30);
    expect(profile.memory.neededBytes).toBeLessThanOrEqual(profile.memory.peakBytes);
    const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8'));
    const calls = sum(profile.rows.map((row) => row.calls));
    expect(traceEvents.filter(({ ph }: { ph: string }) => ph === 'X').length).toBe(calls);
    expect(readFileSync(html, 'utf8')).toContain('</html>');
  });

  it('shows inference by layer as a table', async () => {
    const { code, stdout, stderr } = await cli.run(
      'profile',
      'fstrn',
      '--inference',
      '--input',
      '2x6x5',
      '--by',
      'layer',
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining('now every kernel is timed')]);
    expect(stdout).toMatch(/^layer +phase +calls +ms/m);
    expect(stdout).toMatch(/^blocks\.0 +forward/m);
    expect(stdout).toMatch(/^liveness: [\d.]+ [MK]iB would do/m);
  });

  it.each([
    [['fstrn-smal'], 'did you mean'],
    [['fstrn', '--input', '5x8x8'], '--input goes with --inference'],
    [['fstrn', '--inference', '--input', '8x8'], 'expected frames, height and width'],
    [['vgg16'], 'vgg16 enlarges nothing'],
    [['vgg16', '--inference', '--input', '1x8x8'], 'vgg16 is profiled on its usual input'],
    [['fstrn', '--by', 'colour'], 'Allowed choices are kernel, op, layer'],
    [['fstrn-small', '--set', 'data.crop=30'], 'a multiple of the scale'],
  ])('refuses %j', async (args, message) => {
    expect(await cli.run('profile', ...args)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});
