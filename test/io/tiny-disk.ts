import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of 64 KiB under `folder`, where this user may mount one. */
export function mountTiny(folder: string): string | undefined {
  const tiny = join(folder, 'tiny');
  mkdirSync(tiny, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', tiny], { stdio: 'ignore' });
    return tiny;
  } catch {
    return undefined;
  }
}

export const unmount = (folder: string): void => void execFileSync('umount', [folder]);
