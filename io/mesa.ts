import { accessSync, existsSync, constants as fsConstants, mkdirSync, readdirSync } from 'node:fs';
import os from 'node:os';
import { basename, join } from 'node:path';
import { fetchedFolder } from './folders.ts';

const unpacked = join(fetchedFolder, 'mesa');

/** The manifest of the system's lavapipe (Mesa's Vulkan on the CPU), if it is installed. */
export function systemLavapipe(): string | undefined {
  for (const folder of ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d']) {
    const name = existsSync(folder) && readdirSync(folder).find((file) => /^lvp_icd.*\.json$/.test(file));
    if (name) return join(folder, name);
  }
  return undefined;
}

/** Whether this system has the Vulkan loader; Dawn warns loudly when it has to find out itself. */
export function systemHasVulkan(): boolean {
  if (process.platform !== 'linux') return true;
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1');
  } catch (error) {
    return !missingLibrary(error);
  }
  return true;
}

/**
 * Makes the Mesa that set-up unpacked into .subpixel/mesa visible to Dawn: its libraries loaded, its driver named.
 * LD_LIBRARY_PATH is read when a process starts, so it cannot help from inside; a library already loaded, however, is
 * found by its SONAME when the Vulkan loader or the driver asks for it later.
 * @returns false when there is none
 */
export function loadUnpackedMesa(): boolean {
  const manifest = join(unpacked, 'lvp_icd.json');
  if (!existsSync(manifest)) return false;
  const libraries = new Map<string, string>();
  for (const entry of readdirSync(unpacked, { recursive: true, withFileTypes: true })) {
    if (/\.so(\.|$)/.test(entry.name)) libraries.set(entry.name, join(entry.parentPath ?? entry.path, entry.name));
  }
  load('libvulkan_lvp.so', libraries);
  if (libraries.has('libvulkan.so.1')) load('libvulkan.so.1', libraries);
  process.env.VK_DRIVER_FILES = manifest;
  return true;
}

/** The name of the library that a failed dlopen did not find; other failures mean "loaded, but not an addon". */
const missingLibrary = (error: unknown): string | undefined =>
  /(\S+): cannot open shared object file/.exec(String((error as Error).message))?.[1];

/** Loads a library for the life of the process, and before it every library it needs that the system lacks. */
function load(name: string, libraries: Map<string, string>): void {
  const file = libraries.get(name);
  if (!file) throw new Error(`${basename(unpacked)}: ${name} is missing; delete ${unpacked} and run npm run setup`);
  const stay = 0x1000; // RTLD_NODELETE: Node closes what turns out to be no addon, and this keeps it
  for (let last = ''; ; ) {
    try {
      process.dlopen({ exports: {} }, file, os.constants.dlopen.RTLD_NOW | stay);
      return;
    } catch (error) {
      const missing = missingLibrary(error);
      if (!missing) return;
      if (missing === last) throw error;
      load(missing, libraries);
      last = missing;
    }
  }
}

/** Mesa keeps compiled shaders under HOME; without a writable one, give it a folder that the next run finds again. */
export function keepShaderCache(): void {
  if (process.env.MESA_SHADER_CACHE_DIR || process.env.XDG_CACHE_HOME) return;
  try {
    accessSync(os.homedir(), fsConstants.W_OK);
  } catch {
    const folder = join(os.tmpdir(), `subpixel-shaders-${process.getuid?.() ?? 'user'}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    process.env.MESA_SHADER_CACHE_DIR = folder;
  }
}
