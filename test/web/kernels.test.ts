import type { ElementHandle } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { prelu as preluOp } from '../../engine/ops/prelu.ts';
import preluWgsl from '../../shaders/prelu.wgsl';
import { guardLoops, kernelOf } from '../../web/chapters/kernels/guard.ts';
import { problemsOf } from '../../web/chapters/kernels/problems.ts';
import { compare, judge } from '../../web/chapters/kernels/puzzle.ts';
import { puzzles } from '../../web/chapters/kernels/puzzles.ts';
import { rungs } from '../../web/chapters/kernels/rungs.ts';
import { Superseded } from '../../web/lab/device.ts';
import { testEngine } from '../ops/engine.ts';
import { type Lab, type LabFigure, noChromium, openChapter, PATIENCE } from './lab.ts';

const [prelu] = puzzles;
const { signal } = new AbortController();
let engineOfTests: Promise<Engine>;
beforeAll(() => {
  engineOfTests = testEngine();
});

/** What the judge says of a solution in which something is another: its kind, then why. */
async function say(id: string, from = '', to = ''): Promise<string> {
  const puzzle = puzzles.find((one) => one.id === id)!;
  if (!puzzle.solution.includes(from)) throw new Error(`${id} has no ${from}`);
  const verdict = await judge(await engineOfTests, puzzle, puzzle.solution.replace(from, to), signal);
  if (verdict.kind === 'problems') return `problems: ${verdict.problems.map(({ message }) => message).join('\n')}`;
  return 'why' in verdict ? `${verdict.kind}: ${verdict.why}` : verdict.kind;
}

describe('the judge of puzzles', () => {
  test('passes what is right, and says of the rest what is wrong where', async () => {
    const engine = await engineOfTests;
    const before = engine.memory.stats().live;
    const untouched = await judge(engine, prelu, prelu.start, signal);
    expect(untouched).toMatchObject({
      why: expect.stringMatching(/dx\[0, 0\]: expected -?0\.\d+, nobody wrote it, with C = 3, P = 1/),
    });
    expect(await say('prelu')).toBe('passed');
    expect(await say('prelu', 'const C = 4u;')).toMatch(/problems|The tests set const C/);
    expect(await say('prelu', 'const C = 4u;', 'const C = 4u, ')).toMatch(/problems/);
    expect(await say('prelu', 'fn main', 'fn mine')).toMatch(/The tests start fn main/);
    expect(await say('prelu', 'dy: array<f32>;', 'grad: array<f32>; var<private> dy: array<f32, 9999>;')).toMatch(
      /named dy/,
    );
    expect(engine.memory.stats().live).toBe(before);
  });

  const right = /^passed$/;
  /** A value, its place, and the sizes. */
  const found =
    /values? (?:is|are) wrong(?:\. The first)?, \w+\[[\d, ]+\]: expected -?[\d.e-]+, found -?[\d.e-]+, with \w+ = \d/;
  const unwritten =
    /values? (?:is|are) wrong(?:\. The first)?, \w+\[[\d, ]+\]: expected -?[\d.e-]+, nobody wrote it, with \w+ = \d/;
  const outside = /was written outside its bounds, with/;
  const stopped = /A loop was stopped after 50000 rounds/;
  const clamped = 'return image[(c * H + u32(clamp(row, 0, i32(H) - 1))) * W + u32(clamp(column, 0, i32(W) - 1))];';
  test.each<[id: string, what: string, from: string, to: string, says: RegExp]>([
    ['prelu', 'the sum is missing', 'sum += dy[i] * min(x[i], 0.0);', '', /dslope.*found 0, /],
    ['prelu', 'the slope is of another channel', 'slope[c]', 'slope[0]', /The first, dx\[1, 0\]: .*found/],
    ['prelu', 'zero is on the other side', 'x[i] > 0.0', 'x[i] >= 0.0', /dx.*found/],
    ['prelu', 'the last positions are left', 'p < P;', 'p + 64u <= P;', unwritten],
    ['prelu', 'nobody waits for the sums', 'workgroupBarrier();', '', /dslope.*found/],
    ['prelu', 'a loop has no end', 'p += 64u', 'p += 0u', stopped],
    ['prelu', 'a loop with a barrier has no end', 'half /= 2u', 'half /= 1u', stopped],
    [
      'prelu',
      'loops with barriers within each other have no end',
      'let a = slope[c];',
      'let a = slope[c]; loop { if (C == 0u) { break; } loop { if (P == 0u) { break; } workgroupBarrier(); } }',
      stopped,
    ],
    ['shuffle', 'channels are in another order', 'c * R * R + y % R * R + x % R', '(y % R * R + x % R) * C + c', found],
    ['shuffle', 'axes of the square are swapped', 'y % R * R + x % R', 'x % R * R + y % R', found],
    [
      'shuffle',
      'rows and columns are swapped',
      '(channel * H + y / R) * W + x / R',
      '(channel * W + x / R) * H + y / R',
      found,
    ],
    ['shuffle', 'nobody checks the bounds', 'if (id.x >= C * H * R * W * R) { return; }', '', outside],
    ['shuffle', 'bounds are those of the array', 'C * H * R * W * R', 'arrayLength(&wide)', right],
    ['shuffle', 'the array is only spoken of', 'if (id.x >= C * H * R * W * R) { return; }', '// arrayLength', outside],
    ['warp', 'the border is repeated', 'return 0.0;', clamped, found],
    ['warp', 'places are cut towards zero', 'floor(at)', 'trunc(at)', found],
    ['warp', 'the flow has the other sign', '+ vec2f(flow', '- vec2f(flow', found],
    ['warp', 'x and y are swapped', 'vec2f(flow[p], flow[H * W + p])', 'vec2f(flow[H * W + p], flow[p])', found],
    ['warp', 'nobody mixes along rows', ', t.x);', ', 0.0);', found],
    ['temporal', 'nobody waits until the last tile was read', 'workgroupBarrier();', '', found],
    [
      'temporal',
      'nobody waits for the tile',
      'workgroupBarrier();                // this',
      '// this',
      /wrong: .*found|nobody wrote/,
    ],
    ['temporal', 'taps are reversed', '* 3u + a]', '* 3u + 2u - a]', found],
    [
      'temporal',
      'some leave before the barrier',
      'var sums:',
      'if (first + column >= P) { return; } var sums:',
      /^problems: .*barrier/,
    ],
    [
      'temporal',
      'frames beyond the ends are repeated',
      'let frame = i32(group.y + i / (BLOCK * TILE)) - 1;',
      'let frame = clamp(i32(group.y + i / (BLOCK * TILE)) - 1, 0, i32(D) - 1);',
      found,
    ],
    ['temporal', 'positions beyond the frame are written', ' && first + column < P', '', outside],
    ['separable', 'there is no PReLU', 'v * select(slope[ci], 1.0, v > 0.0)', 'v', found],
    [
      'separable',
      'temporal taps are reversed',
      'wt[w] * before[m] + wt[w + 1u] * now[m] + wt[w + 2u] * next[m]',
      'wt[w] * next[m] + wt[w + 1u] * now[m] + wt[w + 2u] * before[m]',
      found,
    ],
    [
      'separable',
      'spatial taps are swapped',
      'row + i32(tap / 3u) - 1, column + i32(tap % 3u) - 1',
      'row + i32(tap % 3u) - 1, column + i32(tap / 3u) - 1',
      found,
    ],
    ['separable', 'the last frame is left', 't <= D', 't < D', unwritten],
    ['separable', 'the last frame is followed by itself', 'next = array<f32, CO>();           //', '//', found],
  ])('says of %s: %s', async (id, _, from, to, says) => {
    expect(await say(id, from, to)).toMatch(says);
  });

  test('gives up between two tests', async () => {
    const asked = new AbortController();
    const verdict = judge(await engineOfTests, prelu, prelu.solution, asked.signal);
    asked.abort();
    await expect(verdict).rejects.toBeInstanceOf(Superseded);
  });

  test('asks for tiles where the task does', async () => {
    const temporal = puzzles.find(({ id }) => id === 'temporal')!;
    const verdict = await judge(await engineOfTests, temporal, temporal.start, signal);
    expect(verdict).toMatchObject({ kind: 'refused', why: expect.stringContaining('var<workgroup>') });
  });

  test('tells the first wrong value by its place', () => {
    const want = { shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) };
    expect(compare('y', Float32Array.of(1, 2, 3, 4, 5, 6), want)).toEqual({ error: 0 });
    const { why } = compare('y', Float32Array.of(1, 2, 3, 4, 7, 8), want);
    expect(why).toBe('2 of 6 values are wrong. The first, y[1, 1]: expected 5, found 7');
    expect(compare('y', new Float32Array(6).fill(Number.NaN), want).why).toMatch(/found NaN/);
  });
});

describe('what readers write', () => {
  test('runs in the place of a file of the engine, and no longer than asked for', async () => {
    const engine = await engineOfTests;
    using _scope = engine.scope();
    const x = engine.tensor([1, 2, 1, 2], [1, -2, 3, -4]);
    const slope = engine.tensor([2], [0.5, 0.25]);
    const run = async () => [...(await preluOp(x, slope).read())];
    expect(await run()).toEqual([1, -1, 3, -1]);
    engine.standIns.set('prelu', { kernel: kernelOf(preluWgsl.replace('out[i] = v[i] *', 'out[i] = 2.0 * v[i] *')) });
    expect(await run()).toEqual([2, -2, 6, -2]);
    engine.standIns.delete('prelu');
    expect(await run()).toEqual([1, -1, 3, -1]);
  });

  test('gets a guard in every loop, and keeps its lines', () => {
    const text =
      'fn f() {\n  // for while loop {\n  for (var i = 0; i < 3; i++) {\n    while true { loop { } }\n  }\n}\n';
    for (const way of ['together', 'apart'] as const) {
      const lines = guardLoops(text, 7, way).split('\n');
      expect(lines[1]).toBe('  // for while loop {');
      expect(lines[2].match(/break;/g)).toHaveLength(1);
      expect(lines[3].match(/break;/g)).toHaveLength(2);
      if (way === 'apart') expect(lines[3]).toContain('rounds_0 * rounds_1 * rounds_2 > 7u');
    }
  });

  test('is explained in plain words, at its line', async () => {
    const { gpu } = (await engineOfTests).device;
    const first = async (line: string) => (await problemsOf(gpu, `fn f() {\n  ${line}\n}`))[0];
    expect(await first('let a = 1u + 1.5f;')).toMatchObject({ line: 2, severity: 'error' });
    expect((await first('let a = 1u + 1.5f;')).message).toMatch(
      /^WGSL turns no type into another by itself: u32 \+ f32/,
    );
    expect((await first('let a = b;')).message).toMatch(/^nothing here is named b/);
    expect((await first('let a = 1; a = 2;')).message).toMatch(/^let names a value for good/);
    expect((await first('var a = 1.0; a = 2u;')).message).toMatch(/^the types differ/);
    expect((await first('let a = (1;')).message).toMatch(/^a closing \) is missing/);
    expect(await problemsOf(gpu, 'fn f() { }')).toEqual([]);
  });
});

describe.skipIf(noChromium)(
  'chapter "kernels"',
  () => {
    let lab: Lab;
    beforeAll(async () => {
      lab = await openChapter('kernels');
      await lab.figure('ladder').done(); // figures take turns on the device
    }, PATIENCE);

    test('climbs the ladder, with a number on every rung that this device has', async () => {
      const ladder = await lab.figure('ladder').done();
      expect(await ladder.number('Peak of this device')).toBeGreaterThan(0);
      for (const { id, needs } of rungs) {
        const rung = ladder.at.locator(`[data-rung=${id}]`);
        if ((await rung.getAttribute('data-ran')) === 'no') {
          expect(await rung.textContent()).toContain(`not here: it takes ${needs}`);
          continue;
        }
        const [ms, gflops, , differs] = await rung.locator('tr').first().locator('td').allTextContents();
        expect(Number(ms)).toBeGreaterThan(0);
        expect(Number(gflops)).toBeGreaterThan(0);
        expect(Number(differs)).toBeLessThan(1e-5);
      }
      expect(await ladder.at.locator('[data-ran=yes]').count()).toBeGreaterThan(5);
      await ladder.record('kernels');
      await lab.screenshot('kernels', ladder, 'down to');

      const sides = lab.figure('sides').at;
      await sides.scrollIntoViewIfNeeded();
      await sides.getByLabel('Left').selectOption('rows');
      await sides.getByText('Convolution, one group, as a gather').first().waitFor();
    });

    test('measures again: what stood there stays until something newer is known', async () => {
      const { at } = lab.figure('ladder');
      const table = at.getByRole('table');
      const ran = at.locator('[data-ran=yes]');
      const [last, rows] = [await table.textContent(), await ran.count()];
      await at.getByRole('button', { name: 'Measure again' }).click();
      expect(await table.textContent()).toBe(last);
      await expect.poll(() => ran.count(), { interval: 10, timeout: PATIENCE }).toBeLessThan(rows);
      await lab.figure('ladder').done();
      expect(await ran.count()).toBe(rows);
    });

    test("takes the reader's own kernel into the engine, judges it and times it", async () => {
      const { at } = await lab.figure('edit').done();
      const live = await lab.liveBytes();
      const text = rungs[0].text!;
      const check = (now: string) => verdict(lab.figure('edit'), 'Check and time', now);
      expect(await check(text)).toMatch(/Right: largest error \d.*Ours.*GFLOP\/s.*Yours/s);
      expect(await lab.figure('edit').number('Yours')).toBeGreaterThan(0);
      expect(await check(text.replace('WORKGROUP = 64u', 'WORKGROUP = 32u'))).toMatch(/values are wrong.*conv3d/);
      expect(await check(text.replace('v >= g.src.z', 'false'))).toMatch(/expected .* found .* in conv3d/);
      expect(await check(text.replace('a++', 'a += 0'))).toMatch(/stopped after 200000 rounds/);
      expect(await check(text.replace('const CI = 4u;', 'const CI: u32 = 4u + 0'))).toMatch(/^Line 7: a semicolon/);
      await expect.poll(() => at.locator('.cm-lint-marker-error').count()).toBe(1);
      expect(await lab.liveBytes()).toBe(live);
    });

    test('marks errors at their lines, stops loops, gives hints, and lets the keyboard out', async () => {
      const { page } = lab;
      const figure = lab.figure('puzzles');
      const say = (text: string) => verdict(figure, 'Test', text);
      expect(await say(prelu.solution.replace('slope[c];', 'slope[c]'))).toMatch(/^Line 15: a semicolon is missing/);
      const marker = figure.at.locator('.cm-lint-marker-error');
      const line = figure.at.locator('.cm-lineNumbers .cm-gutterElement', { hasText: /^15$/ }).first();
      await expect.poll(() => marker.count()).toBe(1);
      const [a, b] = [await marker.boundingBox(), await line.boundingBox()];
      expect(Math.abs(a!.y + a!.height / 2 - b!.y - b!.height / 2)).toBeLessThan(6);
      expect(await say(prelu.solution.replace('min(x[i], 0.0)', 'x[i]'))).toMatch(/dslope\[\d\]: expected .*, found/);
      await expect.poll(() => marker.count()).toBe(0);

      const outcome = figure.at.locator('output');
      await figure.at.getByRole('textbox').first().fill(prelu.solution);
      await outcome.filter({ hasText: /^$/ }).waitFor({ state: 'attached' });
      const [test, startOver] = ['Test', 'Start over'].map((name) => figure.at.getByRole('button', { name }));
      await test.evaluate(
        async (button: HTMLButtonElement, other) => {
          button.click();
          await new Promise(requestAnimationFrame); // the page says that it tests
          other!.click();
        },
        (await startOver.elementHandle()) as ElementHandle<HTMLButtonElement>,
      );
      await outcome.filter({ hasText: /^$/ }).waitFor({ state: 'attached' });
      expect(await say(prelu.start)).toMatch(/nobody wrote it/);
      expect(await figure.at.getByRole('radio', { name: /✓$/ }).count()).toBe(0); // of what was given up nothing is kept
      expect(await say(prelu.solution.replace('p += 64u', 'p += 0u'))).toMatch(/A loop was stopped/);
      expect(await say(prelu.solution)).toMatch(/^Solved/);

      await figure.at.getByRole('button', { name: /^Hint/ }).click();
      await lab.screenshot('puzzles', figure);
      expect(await figure.at.locator('.hints li').allTextContents()).toEqual([prelu.hints[0]]);
      await figure.at.getByRole('button', { name: 'Start over' }).click();
      const editor = figure.at.getByRole('textbox').first();
      await expect.poll(() => editor.textContent()).toContain('Given dy, write');
      await editor.focus();
      await page.keyboard.press('ControlOrMeta+End');
      await page.keyboard.type('// faster than the page draws');
      await expect.poll(() => editor.textContent()).toContain('// faster than the page draws');
      await page.keyboard.press('Tab');
      expect(await editor.evaluate((one) => one === document.activeElement)).toBe(true);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Tab');
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Test');
    });

    test('accepts every official solution, remembers it, and survives the loss of its device', async () => {
      const { at } = lab.figure('puzzles');
      for (const { title } of puzzles) {
        await at.getByRole('radio', { name: title }).check();
        await at.locator('summary').first().click();
        await at.getByRole('button', { name: 'Take it into the editor' }).click();
        await at.getByRole('button', { name: 'Test' }).click();
        await at.locator('[data-verdict=passed]').waitFor();
        expect(await at.locator('[data-verdict]').textContent()).toMatch(/Solved: \d+ values in \d tests/);
      }

      const edit = lab.figure('edit').at;
      await edit.getByRole('button', { name: 'Start over' }).click();
      await edit.getByRole('button', { name: 'Check and time' }).click();
      await at.getByRole('button', { name: 'Test' }).click(); // is next
      await lab.page.waitForTimeout(100); // the first one runs
      await lab.page.evaluate(() => {
        const state = window.subpixel.labState.peek();
        if (state.kind === 'ready') state.lab.engine.device.gpu.destroy();
      });
      expect(await at.getByRole('alert').textContent()).toMatch(/Your kernel did not run: the device was lost before/);
      expect(await edit.getByRole('alert').textContent()).toMatch(/The device was lost while your kernel ran/);
      await lab.page.waitForFunction(() => window.subpixel.labState.peek().kind === 'ready');
      await lab.page.reload();
      await at.getByRole('radio', { name: /✓$/ }).first().waitFor();
      expect(await at.getByRole('radio', { name: /✓$/ }).count()).toBe(puzzles.length);
      await at.scrollIntoViewIfNeeded();
      expect(await at.getByRole('textbox').first().textContent()).toContain('in a tree of fixed order');
      await lab.page.close();
    });
  },
  2 * PATIENCE,
);

/** What a figure says of a text, pasted into its editor. */
async function verdict({ at }: LabFigure, button: string, text: string): Promise<string> {
  await at.scrollIntoViewIfNeeded(); // editors open when they are nearly in sight
  const editor = at.getByRole('textbox').first();
  await editor.press('Control+a');
  await editor.evaluate((one, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    one.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, text);
  await at.locator('[data-verdict]').waitFor({ state: 'detached' });
  await at.getByRole('button', { name: button }).click();
  const said = at.locator('[data-verdict]');
  await said.waitFor();
  return ((await said.textContent()) ?? '').trim();
}
