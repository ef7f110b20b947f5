// Writes dist/tests.tar.xz: vitest, esbuild and what they need of node_modules, for a machine that has no network and only
// the packages that the command line needs (scripts/gpu.sh unpacks it there), and dist/commit, as there is no clone either.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const wanted = new Set();

/** Adds a package as `from` finds it, and all that it needs. What is not installed is for other systems. */
function add(name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    const path = `${folder}${folder ? '/' : ''}node_modules/${name}`;
    if (packages[path]) {
      if (wanted.has(path) || !existsSync(path)) return;
      wanted.add(path);
      const { dependencies, optionalDependencies } = packages[path];
      for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) add(needed, path);
      return;
    }
    if (!folder) return;
  }
}

for (const name of ['vitest', 'esbuild']) add(name, '');
execFileSync('tar', ['-cJf', 'dist/tests.tar.xz', '--exclude=*.map', '--exclude=*.md', ...wanted]);
writeFileSync('dist/commit', execFileSync('git', ['rev-parse', '--short', 'HEAD']));
console.log(
  `dist/tests.tar.xz: ${wanted.size} packages, ${(statSync('dist/tests.tar.xz').size / 2 ** 20).toFixed(1)} MiB`,
);
