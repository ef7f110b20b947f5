import { ShapeError, shapeText } from '../errors.ts';
import { defineOp, expectRank } from '../op.ts';

// Frames stand before rows and columns, and behind samples: as a batch they lie in memory as they lie in clips.

/** Frames of clips as a batch of pictures: (N, C, T, H, W) to (N·T, C, H, W), picture n·T + t is frame t of clip n. */
export const frames_to_batch = defineOp({
  name: 'frames_to_batch',
  inputs: ['input'],
  filters: [],
  attrs: {},
  shape({ input }) {
    expectRank('frames_to_batch input', input, 5);
    const [n, c, t, h, w] = input;
    return [n * t, c, h, w];
  },
  forward: ({ input }, { engine, shape }) => engine.view(input, shape),
  saves: [],
  backward: (dy, _, { engine, shapes }) => ({ input: () => engine.view(dy, shapes.input) }),
  flops: () => 0,
});

/**
 * A batch of pictures as the frames of clips: (N·T, C, H, W) to (N, C, T, H, W), T = `frames`.
 * @throws {ShapeError} when the batch is no whole number of clips
 */
export const batch_to_frames = defineOp({
  name: 'batch_to_frames',
  inputs: ['input'],
  filters: [],
  attrs: { frames: 1 },
  shape({ input }, { frames }) {
    expectRank('batch_to_frames input', input, 4);
    const [pictures, c, h, w] = input;
    if (!Number.isInteger(frames) || frames < 1 || pictures % frames !== 0) {
      throw new ShapeError(`batch_to_frames: ${shapeText(input)} does not hold clips of ${frames} frames`);
    }
    return [pictures / frames, c, frames, h, w];
  },
  forward: ({ input }, { engine, shape }) => engine.view(input, shape),
  saves: [],
  backward: (dy, _, { engine, shapes }) => ({ input: () => engine.view(dy, shapes.input) }),
  flops: () => 0,
});
