import * as activation from './activation.ts';
import type { Reference } from './array.ts';
import * as binary from './binary.ts';
import { conv, convTranspose } from './convolution.ts';
import { correlation } from './correlation.ts';
import { dynamicFilter } from './dynamic-filter.ts';
import { fusedConv } from './fused.ts';
import { affineGrid, gridSample } from './grid.ts';
import { linear } from './linear.ts';
import * as loss from './loss.ts';
import { lstmCell } from './lstm.ts';
import { batchNorm, instanceNorm } from './norm.ts';
import { avgPool, globalAvgPool, maxPool } from './pool.ts';
import { mean, sum } from './reduce.ts';
import { imresize, interpolate, resizeTf1 } from './resize.ts';
import { separableConv3d } from './separable.ts';
import { batchToFrames, concat, framesToBatch, pad, reshape, slice } from './shape.ts';
import { pixelShuffle, pixelUnshuffle } from './shuffle.ts';
import { bceWithLogits, crossEntropy, logSumExp, softmax } from './softmax.ts';
import { splat } from './splat.ts';
import { warp } from './warp.ts';

export type { NDArray, Reference } from './array.ts';

/** The float64 definition of every op, by the op's name. */
export const references: Record<string, Reference> = {
  conv2d: conv,
  conv3d: conv,
  fused_conv2d: fusedConv,
  fused_conv3d: fusedConv,
  conv_transpose2d: convTranspose,
  conv_transpose3d: convTranspose,
  separable_conv3d: separableConv3d,
  pixel_shuffle: pixelShuffle,
  pixel_unshuffle: pixelUnshuffle,
  warp,
  splat,
  dynamic_filter: dynamicFilter,
  grid_sample: gridSample,
  affine_grid: affineGrid,
  correlation,
  imresize,
  interpolate,
  resize_tf1: resizeTf1,
  relu: activation.relu,
  leaky_relu: activation.leakyRelu,
  prelu: activation.prelu,
  sigmoid: activation.sigmoid,
  tanh: activation.tanh,
  abs: activation.abs,
  sqrt: activation.sqrt,
  exp: activation.exp,
  log: activation.log,
  clamp: activation.clamp,
  add: binary.add,
  sub: binary.sub,
  mul: binary.mul,
  div: binary.div,
  concat,
  slice,
  pad,
  max_pool2d: maxPool,
  max_pool3d: maxPool,
  avg_pool2d: avgPool,
  global_avg_pool: globalAvgPool,
  linear,
  reshape,
  frames_to_batch: framesToBatch,
  batch_to_frames: batchToFrames,
  softmax,
  log_sum_exp: logSumExp,
  bce_with_logits: bceWithLogits,
  cross_entropy: crossEntropy,
  sum,
  mean,
  l1_loss: loss.l1Loss,
  mse_loss: loss.mseLoss,
  charbonnier_loss: loss.charbonnierLoss,
  huber_loss: loss.huberLoss,
  batch_norm: batchNorm,
  instance_norm: instanceNorm,
  lstm_cell: lstmCell,
};
