// Bundles what is run outside the tests as ES modules in dist/: the command line, the adapter for scripts/probe.mjs,
// and the benchmark's side of a shared work list.
// Another folder than dist/ may be named: tests build their own.
// Shaders are inlined as text; packages stay outside. Types are checked by `npm run check`, not here.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

const outdir = process.argv[2] ?? 'dist';
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: ['cli/main.ts', 'io/gpu.ts', 'bench/worklist-adapter.ts'],
  outdir,
  outbase: '.',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  loader: { '.wgsl': 'text' },
  logLevel: 'warning',
});
