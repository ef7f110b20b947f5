import { defineConfig } from 'vitest/config';

/** The same rule as esbuild's text loader: importing a .wgsl file gives its text. */
const wgsl = {
  name: 'wgsl-text',
  enforce: 'pre' as const,
  transform(code: string, id: string) {
    return id.endsWith('.wgsl') ? { code: `export default ${JSON.stringify(code)};`, map: null } : null;
  },
};

export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Vitest keeps a core to itself; two files at once fill two cores where shaders compile on one thread each.
    maxWorkers: 2,
    setupFiles: ['test/plain-kernels.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
