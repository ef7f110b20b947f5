import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SubpixelError } from '../engine/errors.ts';

/** A file could not be written: no space, no permission, no such folder, a failed encoder. What stood there before still does. */
export class WriteError extends SubpixelError {}

/** A name in the same folder, so that the rename stays on one file system; hidden, and with the extension that encoders go by. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `.tmp-${process.pid}-${randomBytes(4).toString('hex')}-${basename(path)}`);
}

/**
 * Writes a whole file or nothing: temporary file, fsync, rename, fsync of the folder. Whatever happens in between (full
 * disk, kill -9, power), `path` holds either its old bytes or the new ones.
 * @throws {WriteError} naming the path and the reason; the temporary file is gone
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array | readonly Uint8Array[]): Promise<void> {
  const temporary = temporaryBeside(path);
  const chunks = typeof data === 'string' ? [Buffer.from(data)] : data instanceof Uint8Array ? [data] : data;
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, 'wx');
    for (const chunk of chunks) await writeAll(file, chunk);
    await file.close();
    file = undefined;
  } catch (error) {
    await file?.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {}); // where even its folder is none, that is what to tell
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    throw writeError(path, error, `${bytes} bytes`);
  }
  await commit(temporary, path);
}

/** Gives a finished temporary file its name, durably. For files that another program wrote. */
export async function commit(temporary: string, path: string): Promise<void> {
  try {
    await syncPath(temporary, 'r+');
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw writeError(path, error);
  }
  await syncPath(dirname(path), 'r').catch(() => {}); // Windows and some network file systems cannot sync a folder
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
  }
}

async function syncPath(path: string, flags: string): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const REASONS: Record<string, string> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is larger than this system allows',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
};

function writeError(path: string, cause: unknown, size?: string): WriteError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const what = size ? `${path} (${size})` : path;
  const reason = REASONS[code] ?? (cause as Error).message;
  return new WriteError(`cannot write ${what}: ${reason}; nothing was left behind`, { cause });
}
