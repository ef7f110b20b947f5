import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Clips that cannot be published with the project: $SUBPIXEL_DATA, or a folder beside the project's own. */
const folder = process.env.SUBPIXEL_DATA ?? resolve(import.meta.dirname, '../../shared/data');

export const sharedData = {
  missing: !existsSync(folder),
  reason: `no clips at ${folder} (set SUBPIXEL_DATA)`,
  path: (name: string): string => join(folder, name),
};
