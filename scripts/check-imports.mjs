// The shape of the house, checked: imports point one way, no module imports itself through others, what must run in a
// browser imports nothing of Node, and no file grows past 500 lines. Prints each breach; exit code 1 if there is one.
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What each folder may import, apart from itself. Tests and scripts may import anything. */
const mayImport = {
  shaders: [],
  engine: ['shaders'],
  nets: ['engine'],
  train: ['nets', 'engine'],
  io: ['train', 'nets', 'engine'],
  bench: ['io', 'train', 'nets', 'engine', 'shaders'],
  web: ['train', 'nets', 'engine', 'shaders'],
  cli: ['bench', 'io', 'train', 'nets', 'engine'],
};
const runsAnywhere = ['shaders', 'engine', 'nets', 'train', 'web'];
const maxLines = 500;

/**
 * @param {string} root the project's folder
 * @returns {Promise<string[]>} one sentence for each breach
 */
export async function findBreaches(root) {
  const files = Object.keys(mayImport).flatMap((folder) => list(root, folder));
  const modules = files.filter((file) => /\.m?tsx?$/.test(file) && !file.endsWith('.d.ts'));
  const breaches = longFiles(root, [...files, ...list(root, 'test'), ...list(root, 'scripts')]);
  try {
    const everything = await importGraph(root, modules, { withTypes: true });
    const atRunTime = await importGraph(root, modules, { withTypes: false });
    breaches.push(...layerBreaches(everything), ...nodeBreaches(atRunTime), ...cycles(atRunTime));
  } catch (failure) {
    if (!failure.errors) throw failure;
    breaches.push(...failure.errors.map(({ location, text }) => `${location?.file}:${location?.line}: ${text}`));
  }
  return breaches;
}

/** @returns the files under a folder, relative to the root, with forward slashes */
function list(root, folder) {
  try {
    return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(resolve(root).length + 1))
      .map((file) => file.replaceAll('\\', '/'));
  } catch {
    return []; // a folder that does not exist yet
  }
}

/**
 * esbuild's own view of who imports whom. It drops type imports, as they do nothing at run time; for the layers they
 * count too, so there they are turned into plain ones before it looks.
 * @returns {Promise<Map<string, { path: string, lazy: boolean, external: boolean }[]>>}
 */
async function importGraph(root, entryPoints, { withTypes }) {
  // A file that a page shows is no import of what it does.
  const asText = {
    name: 'as-text',
    setup({ onResolve }) {
      onResolve({ filter: /\?url$/ }, ({ path }) => ({ path, external: true }));
    },
  };
  const keepTypes = {
    name: 'keep-type-imports',
    setup({ onLoad }) {
      onLoad({ filter: /\.tsx?$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replace(/^(import|export) type (?=[{*]|\w+ from)/gm, '$1 '),
        loader: path.endsWith('x') ? 'tsx' : 'ts',
      }));
    },
  };
  const { metafile } = await build({
    absWorkingDir: resolve(root),
    entryPoints,
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'unused',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    loader: { '.wgsl': 'text', '.css': 'empty' },
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, jsx: 'react-jsx', jsxImportSource: 'preact' } },
    plugins: [asText, ...(withTypes ? [keepTypes] : [])],
  });
  return new Map(
    Object.entries(metafile.inputs).map(([file, { imports }]) => [
      file,
      imports.map(({ path, kind, external }) => ({
        path,
        lazy: kind === 'dynamic-import',
        external: Boolean(external),
      })),
    ]),
  );
}

const folderOf = (file) => file.split('/')[0];

function layerBreaches(graph) {
  const breaches = [];
  for (const [file, imports] of graph) {
    const from = folderOf(file);
    for (const { path, external } of imports) {
      const to = folderOf(path);
      if (external || from === to || mayImport[from]?.includes(to)) continue;
      breaches.push(`${file} imports ${path}: ${from} may import ${mayImport[from]?.join(', ') || 'nothing'}`);
    }
  }
  return breaches;
}

function nodeBreaches(graph) {
  const breaches = [];
  for (const [file, imports] of graph) {
    if (!runsAnywhere.includes(folderOf(file))) continue;
    for (const { path } of imports) {
      if (isBuiltin(path) || path === 'webgpu') {
        breaches.push(`${file} imports ${path}: ${folderOf(file)} must run in a browser too`);
      }
    }
  }
  return breaches;
}

/** Depth first; each cycle is reported once, where it closes. Lazy imports do not count: they run after loading. */
function cycles(graph) {
  const found = [];
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) {
      found.push(`circular import: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const { path: next, external, lazy } of graph.get(file) ?? []) {
      if (!external && !lazy) visit(next, [...path, file]);
    }
    done.add(file);
  };
  for (const file of [...graph.keys()].sort()) visit(file, []);
  return found;
}

function longFiles(root, files) {
  return files
    .filter((file) => /\.(ts|mjs|js|wgsl|sh|py|css|html)$/.test(file) && !file.includes('/fixtures/'))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > maxLines)
    .map(({ file, lines }) => `${file} has ${lines} lines: more than ${maxLines}, split it`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const breaches = await findBreaches(fileURLToPath(new URL('..', import.meta.url)));
  for (const breach of breaches) console.error(breach);
  if (breaches.length > 0) process.exit(1);
  console.log('imports: one way, no cycles, no Node where browsers go, no file over 500 lines');
}
