/** Base of every error that this project raises on purpose: one clear sentence, no stack needed by the user. */
export class SubpixelError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes, ranks or attributes that do not fit: says what was expected and what was found. */
export class ShapeError extends SubpixelError {}
/** The adapter lacks a feature or a limit that the request needs. */
export class LimitError extends SubpixelError {}
/** Device memory ran out, or a request exceeds the memory budget. */
export class OutOfMemoryError extends SubpixelError {}
/** The device went away (driver reset, unplugged, destroyed). Nothing on it can be read any more. */
export class DeviceLostError extends SubpixelError {}
/** No usable WebGPU adapter. */
export class NoAdapterError extends SubpixelError {}
/** A shader did not compile, or a dispatch was refused by validation. */
export class KernelError extends SubpixelError {}
/** A file is missing, truncated, foreign or otherwise not what its name promises. */
export class FormatError extends SubpixelError {}
/** A number that must be finite is not (a loss of NaN, a checkpoint with infinities). */
export class NotFiniteError extends SubpixelError {}
/** The user asked for something that does not make sense (unknown name, bad option, clip too short). */
export class UsageError extends SubpixelError {}

/** "(2, 3, 4)" */
export const shapeText = (shape: readonly number[]): string => `(${shape.join(', ')})`;
