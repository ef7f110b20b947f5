// nets-table.mjs: writes the table of networks into README.md, between its two marks. `npm run build` before.
// With "count" it first counts every network again, into nets/facts.json.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const cli = (...args) => execFileSync('node', ['dist/cli/main.js', 'nets', ...args], { encoding: 'utf8' });

if (process.argv[2] === 'count') {
  cli('--count', '--out', 'nets/facts.json');
  execFileSync('node', ['scripts/build.mjs'], { stdio: 'inherit' }); // the numbers are part of the bundle
}
const [start, end] = ['<!-- networks -->', '<!-- /networks -->'];
const readme = readFileSync('README.md', 'utf8');
const [before, rest] = readme.split(start);
const [, after] = rest.split(end);
writeFileSync('README.md', `${before}${start}\n${cli('--markdown').trim()}\n${end}${after}`);
