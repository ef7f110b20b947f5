import { closeSync, openSync } from 'node:fs';

/**
 * Runs something while the process's own standard error (descriptor 2) leads nowhere. Native libraries write there past
 * Node: Dawn greets every lavapipe with two warnings about limits that no user can act on. The lowest free descriptor is the
 * one that open() gives, which is how 2 is exchanged. Where the system cannot open its own descriptor again (sockets, other
 * systems than Linux), the warnings show.
 */
export async function withoutNativeWarnings<T>(run: () => Promise<T>): Promise<T> {
  let saved: number;
  try {
    saved = openSync('/proc/self/fd/2', 'a');
  } catch {
    return run();
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
