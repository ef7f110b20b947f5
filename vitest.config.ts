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
    setupFiles: ['test/plain-kernels.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
