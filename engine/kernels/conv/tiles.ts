import wgsl from '../../../shaders/conv.winograd.wgsl';
import { type Engine, type Run, WORKGROUP } from '../../engine.ts';
import { Kernel, type Uniforms } from '../../kernel.ts';
import { ceilDiv, type Vec3 } from './geometry.ts';

/** The transforms of Winograd's operands. */
export const transforms = new Kernel('conv.winograd', wgsl);

/** Frequencies of a tile: 4 x 4. */
export const PLACES = 16;
/** Transformed tiles that are held at a time: few enough for a processor's caches, enough to fill a GPU. */
const CACHED_BYTES = 2 ** 21;
const FILLING_BYTES = 2 ** 26;
/** Neighbouring tiles whose input an invocation transforms (const ACROSS). */
const ACROSS = 2;

/** Winograd's tiles of 2 x 2 positions: rows of them run over pictures and batch, and some rows are at work at a time. */
export interface Tiles {
  /** In a picture. */
  readonly down: number;
  readonly across: number;
  /** In the whole batch. */
  readonly rows: number;
  /** Rows at work at a time. */
  readonly chunk: number;
}

/** Deals out the tiles of `batch` planes of h x w positions, whose rows take `rowBytes` each when transformed. */
export function dealTiles(engine: Engine, batch: number, h: number, w: number, rowBytes: number): Tiles {
  const { limits, fallback } = engine.caps;
  const most = Math.min(fallback ? CACHED_BYTES : FILLING_BYTES, limits.bindingBytes);
  const down = ceilDiv(h, 2);
  const rows = batch * down;
  const chunks = ceilDiv(rows, Math.max(1, Math.floor(most / rowBytes)));
  return { down, across: ceilDiv(w, 2), rows, chunk: ceilDiv(rows, chunks) };
}

/** Calls `work` for each chunk with the uniform `tiles` and its number of rows. */
export function eachChunk({ down, across, rows, chunk }: Tiles, work: (tiles: number[], count: number) => void): void {
  for (let first = 0; first < rows; first += chunk) {
    const count = Math.min(chunk, rows - first);
    work([down, across, first, count], count);
  }
}

/** Workgroups that transform `count` rows of tiles over all frames, for so many channels / 4. */
export const rowGrid = (across: number, channels4: number, count: number, frames: number): Vec3 => [
  ceilDiv(across * channels4, WORKGROUP),
  count,
  frames,
];

/** Bᵀ·x·B of a chunk's tiles, x through its PReLU. */
export function transformInput(
  engine: Engine,
  bind: Run['bind'],
  channels4: number,
  slopes: number,
  uniforms: Uniforms & { readonly src: readonly number[]; readonly tiles: readonly number[] },
  label: string,
): void {
  const [, across, , count] = uniforms.tiles;
  engine.run(transforms, 'input_transform', {
    bind,
    uniforms: { k: 0, k_step: 0, ...uniforms },
    constants: { CI4: channels4, SLOPES: slopes, ACROSS },
    grid: rowGrid(ceilDiv(across, ACROSS), channels4, count, uniforms.src[0]),
    label: `${label} input`,
  });
}
