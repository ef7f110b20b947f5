import type { AnyOp } from '../op.ts';
import { conv2d, conv3d } from './conv.ts';
import { conv_transpose2d, conv_transpose3d } from './conv_transpose.ts';

/** Every op by its public name: what the command line calls, and what the tests walk. */
export const ops: Record<string, AnyOp> = {
  conv2d,
  conv3d,
  conv_transpose2d,
  conv_transpose3d,
};
