import type { Planes } from '../../../train/degrade.ts';
import { coarse2fine } from '../../../train/flow/coarse2fine.ts';

/** A picture, and the one to find its pixels in; 0..255. */
export type Pair = readonly [target: Planes, neighbour: Planes];

const scaled = ({ width, height, data }: Planes): Planes => ({ width, height, data: data.map((v) => v / 255) });

addEventListener('message', ({ data: pairs }: MessageEvent<readonly Pair[]>) => {
  postMessage(pairs.map(([target, neighbour]) => coarse2fine(scaled(target), scaled(neighbour))));
});
