import type { Engine } from '../../../engine/engine.ts';
import { mse_loss } from '../../../engine/ops/losses.ts';
import { warp } from '../../../engine/ops/warp.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Planes } from '../../../train/degrade.ts';

export type Padding = 'zeros' | 'border';

/** Planes as a tensor (1, C, H, W), of the innermost scope. @param scale of the values */
const upload = (engine: Engine, { width, height, data }: Planes, scale = 1): Tensor =>
  engine.tensor([1, data.length / (width * height), height, width], scale === 1 ? data : data.map((v) => v * scale));

const shaped = (data: Float32Array, { width, height }: Planes): Planes => ({ width, height, data });

export interface Warped {
  readonly picture: Planes;
  /** mean (warped - target)², of values in 0..1. */
  readonly loss: number;
  /** Of the loss, with respect to the picture that is warped and to the flow. */
  readonly toImage: Planes;
  readonly toFlow: Planes;
}

/** Warps a picture, compares it with another, and asks the tape for the gradients. @param image, target 0..255 */
export async function warpTowards(
  engine: Engine,
  image: Planes,
  flow: Planes,
  target: Planes,
  padding: Padding,
): Promise<Warped> {
  using _scope = engine.scope();
  const pass = () => {
    const x = upload(engine, image, 1 / 255).track();
    const field = upload(engine, flow).track();
    const aim = upload(engine, target, 1 / 255);
    using tape = engine.record();
    const y = warp(x, field, { padding_mode: padding });
    const loss = mse_loss(y, aim);
    tape.backward(loss);
    return [y, loss, x.grad!, field.grad!];
  };
  await engine.compile(pass);
  const [picture, value, toImage, toFlow] = await Promise.all(pass().map((t) => t.read()));
  return {
    picture: shaped(
      picture.map((v) => 255 * v),
      image,
    ),
    loss: value[0],
    toImage: shaped(toImage, image),
    toFlow: shaped(toFlow, flow),
  };
}

/** Each picture at p + flow(p), bilinear, the border going on. */
export async function warpAll(
  engine: Engine,
  pictures: readonly Planes[],
  flows: readonly Planes[],
): Promise<Planes[]> {
  using _scope = engine.scope();
  const work = () =>
    pictures.map((picture, i) => warp(upload(engine, picture), upload(engine, flows[i]), { padding_mode: 'border' }));
  await engine.compile(work);
  const values = await Promise.all(work().map((t) => t.read()));
  return values.map((data, i) => shaped(data, pictures[i]));
}

/** Pixels by which a way there and back may miss. */
const MISS = 1;

/**
 * 1 where a pixel can be seen in both frames, else 0: going with the flow to the other frame and back with that frame's flow
 * ends where it began, and never leaves the picture.
 * @param there flow to the other frame @param back the other frame's flow to this one, warped by `there`
 */
export function visible(there: Planes, back: Planes): Uint8Array {
  const { width, height } = there;
  const n = width * height;
  return Uint8Array.from({ length: n }, (_, i) => {
    const [u, v] = [there.data[i], there.data[n + i]];
    const [x, y] = [(i % width) + u, Math.floor(i / width) + v];
    const inside = x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1;
    return inside && Math.hypot(u + back.data[i], v + back.data[n + i]) <= MISS ? 1 : 0;
  });
}
