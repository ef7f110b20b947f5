import { knobs } from '../../engine/knobs.ts';

/** Records work with variants of kernels forced by family, as KERNEL=family:variant does. */
export function forced<T>(variants: Readonly<Record<string, string>>, record: () => T): T {
  const before = knobs.kernel;
  knobs.kernel = { ...before, ...variants };
  try {
    return record();
  } finally {
    knobs.kernel = before;
  }
}
