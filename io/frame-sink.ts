import { mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ShapeError, UsageError } from '../engine/errors.ts';
import { temporaryBeside, WriteError } from './atomic.ts';
import { isImageName, writeImage } from './image.ts';
import { VideoWriter, type VideoWriterOptions } from './video-writer.ts';

export type SinkKind = 'video' | 'image' | 'folder';

/** Where frames go. Nothing stands under the output's name before `close`, and nothing at all after `abort`. */
export interface FrameSink {
  write(frame: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** A picture's or a video's name says what it is; a name without extension is a folder. */
export function sinkKind(path: string): SinkKind {
  if (isImageName(path)) return 'image';
  return extname(path) === '' || /[/\\]$/.test(path) ? 'folder' : 'video';
}

/**
 * @param names of the pictures in a folder, without extension; numbered if there are none
 * @throws {WriteError} when the folder around the output does not exist @throws {UsageError} when it would overwrite a folder
 */
export async function openSink(
  path: string,
  options: VideoWriterOptions,
  names: readonly string[] = [],
): Promise<FrameSink> {
  const around = await stat(dirname(resolve(path))).catch(() => undefined);
  if (!around?.isDirectory()) throw new WriteError(`cannot write ${path}: its folder does not exist`);
  const kind = sinkKind(path);
  if (kind === 'video') return VideoWriter.open(path, options);
  return kind === 'image' ? new ImageSink(path, options) : FolderSink.open(path, options, names);
}

class ImageSink implements FrameSink {
  #frame: Uint8Array | undefined;
  constructor(
    readonly path: string,
    readonly options: VideoWriterOptions,
  ) {}
  async write(frame: Uint8Array): Promise<void> {
    if (this.#frame) throw new ShapeError(`${this.path}: a picture holds one frame, got more`);
    this.#frame = frame;
  }
  async close(): Promise<void> {
    const { width, height } = this.options;
    await writeImage(this.path, { width, height, data: this.#frame ?? new Uint8Array() });
  }
  async abort(): Promise<void> {}
}

/** Pictures in a hidden folder, which gets its name when the last is there. */
class FolderSink implements FrameSink {
  #count = 0;
  /** The picture that is being written: an end in the middle waits for it, lest it lands in a folder that is gone. */
  #writing: Promise<void> = Promise.resolve();
  #ended = false;
  private constructor(
    readonly path: string,
    readonly temporary: string,
    readonly options: VideoWriterOptions,
    readonly names: readonly string[],
  ) {}

  static async open(path: string, options: VideoWriterOptions, names: readonly string[]): Promise<FolderSink> {
    const there = await readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw new WriteError(`cannot write ${path}: ${error.code === 'ENOTDIR' ? 'it is a file' : error.message}`);
    });
    if (there.length > 0) throw new UsageError(`${path} is not empty: choose another folder for the frames`);
    const temporary = temporaryBeside(resolve(path));
    await mkdir(temporary).catch((error) => {
      throw new WriteError(`cannot write ${path}: ${error.message}`, { cause: error });
    });
    return new FolderSink(resolve(path), temporary, options, names);
  }

  async write(frame: Uint8Array): Promise<void> {
    const { width, height } = this.options;
    const name = this.names[this.#count] ?? String(this.#count).padStart(6, '0');
    if (this.#ended) throw new WriteError(`cannot write ${this.path}: it was given up`);
    this.#writing = writeImage(join(this.temporary, `${basename(name)}.png`), { width, height, data: frame });
    await this.#writing;
    this.#count++;
  }

  async close(): Promise<void> {
    await rmdir(this.path).catch(() => {}); // an empty folder of that name
    await rename(this.temporary, this.path).catch(async (error) => {
      await this.abort();
      throw new WriteError(`cannot write ${this.path}: ${error.message}`, { cause: error });
    });
  }

  async abort(): Promise<void> {
    this.#ended = true;
    await this.#writing.catch(() => {});
    await rm(this.temporary, { recursive: true, force: true });
  }
}
