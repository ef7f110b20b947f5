import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findBreaches } from '../../scripts/check-imports.mjs';

let root: string | undefined;
afterEach(() => root && rmSync(root, { recursive: true }));

async function breachesOf(files: Record<string, string>): Promise<string[]> {
  root = mkdtempSync(join(tmpdir(), 'subpixel-imports-'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return findBreaches(root);
}

const plain = 'export const a = 1;';

test('imports downwards are fine', async () => {
  const files = {
    'engine/a.ts': `import text from '../shaders/a.wgsl';\nexport const a = text;`,
    'shaders/a.wgsl': 'fn main() {}',
    'nets/n.ts': `export * from '../engine/a.ts';`,
    'io/i.ts': `import fs from 'node:fs';\nimport { a } from '../engine/a.ts';\nexport default [fs, a];`,
    'cli/main.ts': `import '../io/i.ts';\nimport { a } from '../nets/n.ts';\nconsole.log(a);`,
  };
  expect(await breachesOf(files)).toEqual([]);
});

test('imports upwards are not, even of types alone or lazily', async () => {
  const files = {
    'nets/n.ts': 'export type N = number;\nexport const n = 1;',
    'engine/type.ts': `import type { N } from '../nets/n.ts';\nexport const a: N = 1;`,
    'engine/lazy.ts': `export const a = () => import('../nets/n.ts');`,
    'web/page.ts': `import '../io/i.ts';`,
    'io/i.ts': plain,
  };
  expect(await breachesOf(files)).toEqual([
    'engine/lazy.ts imports nets/n.ts: engine may import shaders',
    'engine/type.ts imports nets/n.ts: engine may import shaders',
    'web/page.ts imports io/i.ts: web may import train, nets, engine, shaders',
  ]);
});

test('Node stays out of what runs in a browser', async () => {
  const files = {
    'engine/a.ts': `import fs from 'fs';\nexport default fs;`,
    'train/b.ts': `import { create } from 'webgpu';\nimport { mat3 } from 'wgpu-matrix';\nexport default [create, mat3];`,
  };
  expect(await breachesOf(files)).toEqual([
    'engine/a.ts imports fs: engine must run in a browser too',
    'train/b.ts imports webgpu: train must run in a browser too',
  ]);
});

test('so is an import of nothing', async () => {
  const files = { 'engine/a.ts': `import '../shaders/a.wgsl';` };
  expect(await breachesOf(files)).toEqual([expect.stringMatching(/^engine\/a\.ts:1: Could not resolve/)]);
});

test('cycles and long files are reported', async () => {
  const files = {
    'engine/a.ts': `import { b } from './b.ts';\nexport const a = () => b;`,
    'engine/b.ts': `import { a } from './a.ts';\nexport const b = () => a;`,
    'test/long.test.ts': '\n'.repeat(500) + plain,
    'test/fixtures/long.py': '\n'.repeat(500) + 'x',
  };
  expect(await breachesOf(files)).toEqual([
    'test/long.test.ts has 501 lines: more than 500, split it',
    'circular import: engine/a.ts -> engine/b.ts -> engine/a.ts',
  ]);
});
