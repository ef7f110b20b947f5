import { convolutions } from './convolution.ts';
import type { Emitters } from './emitter.ts';
import { motion } from './motion.ts';
import { pointwise } from './pointwise.ts';
import { resampling } from './resampling.ts';
import { shaping } from './shaping.ts';
import { shuffles } from './shuffle.ts';
import { statistics } from './statistics.ts';

/** Every op that ONNX has a form for, by its name. */
export const emitters: Emitters = {
  ...convolutions,
  ...motion,
  ...pointwise,
  ...resampling,
  ...shaping,
  ...shuffles,
  ...statistics,
};
