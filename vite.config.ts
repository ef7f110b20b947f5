import { fileURLToPath } from 'node:url';
import katex from 'katex';
import { defineConfig, type Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The same rule as esbuild's text loader: importing a .wgsl file gives its text. */
const wgsl: Plugin = {
  name: 'wgsl-text',
  enforce: 'pre',
  transform: (code, id) =>
    id.endsWith('.wgsl') ? { code: `export default ${JSON.stringify(code)};`, map: null } : null,
};

/** tex`a^2` becomes its HTML while the page is built: KaTeX itself stays at home, formulas are there at once. */
const formulas: Plugin = {
  name: 'katex-at-build',
  enforce: 'pre',
  transform(code, id) {
    if (!/\/web\/.*\.tsx$/.test(id) || !code.includes('tex`')) return null;
    const written = code.replace(/\btex`([^`]*)`/g, (_, source: string) => {
      return `tex(${JSON.stringify(katex.renderToString(source, { throwOnError: true, output: 'htmlAndMathml' }))})`;
    });
    return { code: written, map: null };
  },
};

export default defineConfig({
  root: here('web'),
  base: './', // hosted anywhere, in any folder
  plugins: [wgsl, formulas],
  resolve: { alias: { react: 'preact/compat' } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    ...{ outDir: here('dist-web'), emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
    assetsInlineLimit: 0, // sources that readers may look at stay files, fetched when they do
  },
});
