import type { AnyOp } from '../op.ts';
import { batch_norm } from './batch_norm.ts';
import { add, div, mul, sub } from './binary.ts';
import { concat } from './concat.ts';
import { conv2d, conv3d } from './conv.ts';
import { conv_transpose2d, conv_transpose3d } from './conv_transpose.ts';
import { correlation } from './correlation.ts';
import { cross_entropy } from './cross_entropy.ts';
import { dynamic_filter } from './dynamic_filter.ts';
import { batch_to_frames, frames_to_batch } from './frames.ts';
import { fused_conv2d, fused_conv3d } from './fused_conv.ts';
import { affine_grid, grid_sample } from './grid_sample.ts';
import { imresize } from './imresize.ts';
import { instance_norm } from './instance_norm.ts';
import { interpolate } from './interpolate.ts';
import { linear } from './linear.ts';
import { log_sum_exp } from './log_sum_exp.ts';
import { bce_with_logits, charbonnier_loss, huber_loss, l1_loss, mse_loss } from './losses.ts';
import { lstm_cell } from './lstm_cell.ts';
import { pad } from './pad.ts';
import { pixel_shuffle, pixel_unshuffle } from './pixel_shuffle.ts';
import { avg_pool2d, global_avg_pool, max_pool2d, max_pool3d } from './pool.ts';
import { prelu } from './prelu.ts';
import { reshape } from './reshape.ts';
import { resize_tf1 } from './resize_tf1.ts';
import { separable_conv3d } from './separable_conv3d.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { splat } from './splat.ts';
import { mean, sum } from './sum.ts';
import { abs, clamp, exp, leaky_relu, log, relu, sigmoid, sqrt, tanh } from './unary.ts';
import { warp } from './warp.ts';

/** Every op by its public name: what the command line calls, and what the tests walk. */
export const ops: Record<string, AnyOp> = {
  conv2d,
  conv3d,
  fused_conv2d,
  fused_conv3d,
  conv_transpose2d,
  conv_transpose3d,
  separable_conv3d,
  pixel_shuffle,
  pixel_unshuffle,
  warp,
  splat,
  dynamic_filter,
  grid_sample,
  affine_grid,
  correlation,
  imresize,
  interpolate,
  resize_tf1,
  relu,
  leaky_relu,
  prelu,
  sigmoid,
  tanh,
  abs,
  sqrt,
  exp,
  log,
  clamp,
  add,
  sub,
  mul,
  div,
  concat,
  slice,
  pad,
  max_pool2d,
  max_pool3d,
  avg_pool2d,
  global_avg_pool,
  linear,
  reshape,
  frames_to_batch,
  batch_to_frames,
  softmax,
  log_sum_exp,
  bce_with_logits,
  cross_entropy,
  sum,
  mean,
  l1_loss,
  mse_loss,
  charbonnier_loss,
  huber_loss,
  batch_norm,
  instance_norm,
  lstm_cell,
};
