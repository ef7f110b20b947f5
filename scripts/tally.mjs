// tally.mjs REPORT STATUS PASSED FAILED: adds vitest's JSON report to the counts of the checks, prints the sum as the
// last line of `npm test` and gives its exit code. STATUS is vitest's own exit code.
import { readFileSync } from 'node:fs';

const [report, status, checksPassed, checksFailed] = process.argv.slice(2);
let passed = Number(checksPassed);
let failed = Number(checksFailed);
let skipped = 0;
try {
  const results = JSON.parse(readFileSync(report, 'utf8'));
  passed += results.numPassedTests;
  failed += results.numFailedTests;
  skipped = results.numPendingTests + results.numTodoTests;
  // A file that does not even load has no tests to count.
  failed += results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
} catch (error) {
  console.error(`no report from vitest: ${error.message}`);
}
// An error outside of any test, or no report at all, must not pass for success.
if (Number(status) !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed > 0 ? 1 : 0);
