import { expect } from 'vitest';

// Tests that walk whole networks run on the plain convolutions, unless KERNEL asks for others: on a software adapter they
// would spend most of their time compiling the fast ones for every pair of widths. Those are judged in test/ops.
const folders = /\/test\/(nets|train\/(every-net|recipe-runs|checkpointed-nets|forms))/;
if (folders.test(expect.getState().testPath ?? '') && process.env.SUBPIXEL_DEVICE !== 'gpu') {
  process.env.KERNEL ??= 'conv:direct,conv_dw:direct';
}
