import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package, whether we run from the sources or from dist/. */
export const projectFolder: string = (() => {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let folder = here; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  return process.cwd();
})();

/** What set-up and the demo fetch for this project alone: an unpacked Mesa, the demo's clip. Safe to delete. */
export const fetchedFolder: string = join(projectFolder, '.subpixel');
