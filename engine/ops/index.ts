import type { AnyOp } from '../op.ts';
import { conv2d, conv3d } from './conv.ts';
import { conv_transpose2d, conv_transpose3d } from './conv_transpose.ts';
import { imresize } from './imresize.ts';
import { interpolate } from './interpolate.ts';
import { pixel_shuffle, pixel_unshuffle } from './pixel_shuffle.ts';

/** Every op by its public name: what the command line calls, and what the tests walk. */
export const ops: Record<string, AnyOp> = {
  conv2d,
  conv3d,
  conv_transpose2d,
  conv_transpose3d,
  pixel_shuffle,
  pixel_unshuffle,
  imresize,
  interpolate,
};
