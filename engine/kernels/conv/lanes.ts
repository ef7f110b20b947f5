import { padded } from '../../tensor.ts';
import { ceilDiv } from './geometry.ts';

/** Workgroup memory that the fast kernels allow themselves: what every WebGPU device has. */
export const TILE_BYTES = 16_384;

/** Largest divisor of n that is at most `most`. */
export function divisor(n: number, most: number): number {
  let d = Math.min(n, most);
  while (n % d !== 0) d--;
  return d;
}

/** How channels are dealt to the lanes of the row kernels: `width` a lane (the type V), `lanes` a workgroup. */
export interface Lanes {
  readonly V: 'vec4f' | 'vec2f' | 'f32';
  /** Values of V along all channels. */
  readonly count: number;
  readonly lanes: number;
  readonly blocks: number;
}

/** Wide lanes do more with each value they load; narrow ones keep a subgroup of eight busy when channels are few. */
export function dealLanes(channels: number): Lanes {
  const all = padded(channels);
  const width = all >= 32 ? 4 : all >= 16 ? 2 : 1;
  const count = all / width;
  const waste = (lanes: number) => ceilDiv(count, lanes) * lanes - count;
  const lanes = count <= 16 ? count : waste(8) < waste(16) ? 8 : 16;
  return { V: width === 4 ? 'vec4f' : width === 2 ? 'vec2f' : 'f32', count, lanes, blocks: ceilDiv(count, lanes) };
}

/** Lanes of a subgroup of eight that lie along channels; the others lie along positions or parts of a sum. */
export const subgroupLanes = (channels4: number): number => (channels4 > 4 ? 8 : channels4 > 2 ? 4 : 2);

/** Whether blocks of channels, as `subgroupLanes` and `productTile` make them of so many, never reach past the last. */
export const dividesEvenly = (channels4: number): boolean => [2, 4, 8].includes(channels4) || channels4 % 16 === 0;

/** Invocations along channels and positions of a matrix product with workgroup tiles, and its steps of input channels / 4. */
export function productTile(ci4: number, co4: number): { TX: number; TY: number; BK4: number } {
  const TX = Math.min(8, 2 ** Math.max(0, Math.ceil(Math.log2(co4)) - 1));
  return { TX, TY: Math.min(32, 128 / TX), BK4: Math.min(4, 2 ** Math.ceil(Math.log2(ci4))) };
}
