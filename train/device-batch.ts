import type { Engine } from '../engine/engine.ts';
import { UsageError } from '../engine/errors.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';
import type { Net } from '../nets/net.ts';
import type { Batch } from './dataset.ts';
import type { Recipe } from './recipe.ts';

/** A batch on the device, where a captured step reads it; its values are written anew for each step. */
export class DeviceBatch {
  /** What the network takes: x, and motion where it wants some. */
  readonly inputs: readonly Tensor[];
  readonly target: Tensor;

  constructor(
    readonly engine: Engine,
    { form }: Pick<Net, 'form'>,
    { lrShape, hrShape, motion }: Batch,
  ) {
    const [n, , frames, h, w] = lrShape;
    const shape = (clip: Shape) => (form === 'image' ? [...clip.slice(0, 2), ...clip.slice(3)] : clip); // of one frame
    const empty = (shape: Shape) => engine.lasting(() => engine.empty(shape));
    this.inputs = [empty(shape(lrShape)), ...(motion ? [empty([n, 2, frames - 1, h, w])] : [])];
    this.target = empty(shape(hrShape));
  }

  write({ lr, hr, motion }: Batch): void {
    const [x, motions] = this.inputs;
    this.engine.write(x, lr);
    if (motion) this.engine.write(motions, motion);
    this.engine.write(this.target, hr);
  }

  release(): void {
    for (const tensor of [...this.inputs, this.target]) tensor.release();
  }
}

/** @throws {UsageError} where a recipe's samples are none that the network can take */
export function checkSamples(net: Net, { data, loss }: Pick<Recipe, 'data' | 'loss'>): void {
  const expect = (holds: boolean, key: string, want: string, got: unknown) => {
    if (!holds) throw new UsageError(`${key}: this network wants ${want}, got ${got}`);
  };
  const { form, window, motion, enlarged } = net;
  const { frames, scales } = data;
  if (form === 'image') {
    expect(frames === 1, 'data.frames', 'pictures, which are 1 frame', frames);
    expect(loss.frames === 'all', 'loss.frames', 'all of its one frame', loss.frames);
  }
  if (form === 'recurrent') expect(frames > 1, 'data.frames', 'frames that follow each other', frames);
  if (form === 'centre') {
    expect(frames === window, 'data.frames', `${window} frames`, frames);
    expect(loss.frames === 'centre', 'loss.frames', 'the middle frame alone: centre', loss.frames);
  }
  const given = loss.estimates.length;
  const counts = net.estimates ? `none or ${window} weights` : 'none, as it makes one picture';
  expect(given === 0 || (net.estimates !== undefined && given === window), 'loss.estimates', counts, `${given}`);
  expect(motion === data.motion, 'data.motion', motion, data.motion);
  const factors = enlarged ? 'enlarged pictures, so factors' : 'pictures that are not enlarged: []';
  expect(enlarged === scales.length > 0, 'data.scales', factors, `[${scales}]`);
}
