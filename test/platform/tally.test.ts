import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { projectFolder } from '../../io/folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'subpixel-tally-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The last line and the exit code for a report, vitest's exit code, and three checks of which one may have failed. */
function tally(report: object | undefined, status: number, checksFailed = 0): [string, number | null] {
  const file = join(folder, 'report.json');
  writeFileSync(file, report ? JSON.stringify(report) : 'not a report');
  const checks = [3 - checksFailed, checksFailed].map(String);
  const { stdout, status: code } = spawnSync(
    process.execPath,
    [join(projectFolder, 'scripts/tally.mjs'), file, String(status), ...checks],
    { encoding: 'utf8' },
  );
  return [stdout.trim(), code];
}

const report = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };

test('tests and checks are added up', () => {
  expect(tally(report, 0)).toEqual(['10 passed, 0 failed', 0]);
  expect(tally({ ...report, numPendingTests: 2 }, 0)).toEqual(['10 passed, 0 failed, 2 skipped', 0]);
  expect(tally({ ...report, numFailedTests: 1 }, 1)).toEqual(['10 passed, 1 failed', 1]);
  expect(tally(report, 0, 1)).toEqual(['9 passed, 1 failed', 1]);
});

test('what vitest counts as no test is a failure too', () => {
  const unloadable = { status: 'failed', assertionResults: [] };
  expect(tally({ ...report, testResults: [unloadable] }, 1)).toEqual(['10 passed, 1 failed', 1]);
  expect(tally(report, 1)).toEqual(['10 passed, 1 failed', 1]); // an error outside of any test
  expect(tally(undefined, 137)).toEqual(['3 passed, 1 failed', 1]);
});
