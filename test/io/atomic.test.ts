import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit, temporaryBeside, WriteError, writeFileAtomic } from '../../io/atomic.ts';
import { mountTiny, unmount } from './tiny-disk.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'subpixel-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeFileAtomic', () => {
  test('writes text, bytes and chunks, and replaces what stood there', async () => {
    const path = join(folder, 'a.bin');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)]);
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(readdirSync(folder)).toEqual(['a.bin']);
  });

  test('a missing folder, or a folder of that name', async () => {
    await expect(writeFileAtomic(join(folder, 'no', 'a.bin'), 'x')).rejects.toThrow('its folder does not exist');
    writeFileSync(join(folder, 'file'), '');
    await expect(writeFileAtomic(join(folder, 'file', 'a.bin'), 'x')).rejects.toThrow('its folder is a file');
    rmSync(join(folder, 'file'));
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken', 'x'), '');
    await expect(writeFileAtomic(join(folder, 'taken'), 'x')).rejects.toThrow(WriteError);
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  test('a full disk leaves the old file and nothing else', async (context) => {
    const tiny = mountTiny(folder);
    if (!tiny) return context.skip('mounting a small file system needs root');
    try {
      const path = join(tiny, 'checkpoint');
      await writeFileAtomic(path, 'the last good one');
      const error = await writeFileAtomic(path, new Uint8Array(200_000)).catch((e) => e);
      expect(error).toBeInstanceOf(WriteError);
      expect(error.message).toBe(
        `cannot write ${path} (200000 bytes): no space left on the device; nothing was left behind`,
      );
      expect(readdirSync(tiny)).toEqual(['checkpoint']);
      expect(readFileSync(path, 'utf8')).toBe('the last good one');
    } finally {
      unmount(tiny);
    }
  });
});

test('commit names a file that another program wrote', async () => {
  const path = join(folder, 'b.txt');
  const temporary = temporaryBeside(path);
  expect(temporary).toMatch(/\.txt$/);
  writeFileSync(temporary, 'made elsewhere');
  await commit(temporary, path);
  expect(readdirSync(folder)).toEqual(['b.txt']);
  await expect(commit(temporary, path)).rejects.toThrow(WriteError);
  expect(readFileSync(path, 'utf8')).toBe('made elsewhere');
});
