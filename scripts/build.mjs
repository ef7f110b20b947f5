// Bundles what is run outside the tests as ES modules in dist/: the command line, the adapter for scripts/probe.mjs,
// the benchmark's side of a shared work list, and the drawn clip for scripts/draw-clip.mjs.
// Another folder than dist/ may be named: tests build their own. What was built before goes only when the new one is whole.
// Shaders are inlined as text; packages stay outside. Types are checked by `npm run check`, not here.
import { renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const outdir = process.argv[2] ?? 'dist';
const unfinished = `${outdir}.unfinished`; // beside it, as the source maps name sources by relative paths
const remove = (folder) => rmSync(folder, { recursive: true, force: true });
remove(unfinished);
await build({
  entryPoints: ['cli/main.ts', 'io/gpu.ts', 'bench/worklist-adapter.ts', 'train/procedural.ts'],
  outdir: unfinished,
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
remove(outdir);
renameSync(unfinished, outdir);
