import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Runs something while the process's own standard error (descriptor 2) leads nowhere, if a person would see it: on terminals.
 * Native libraries write there past Node: Dawn greets every lavapipe with two warnings about limits that no user can act on.
 * The lowest free descriptor is the one that open() gives, which is how 2 is exchanged. A file or pipe is left alone: opened
 * again it would have a place of its own in the file, and overwrite what standard output writes there.
 */
export async function withoutNativeWarnings<T>(run: () => Promise<T>): Promise<T> {
  if (!isatty(2)) return run();
  let saved: number;
  try {
    saved = openSync('/proc/self/fd/2', 'a');
  } catch {
    return run(); // not every system can open its own descriptor again
  }
  exchange('/dev/null');
  try {
    return await run();
  } finally {
    exchange(`/proc/self/fd/${saved}`);
    closeSync(saved);
  }
}

function exchange(path: string): void {
  closeSync(2);
  openSync(path, 'a');
}
