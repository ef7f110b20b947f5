import wgsl from '../../shaders/reshape.wgsl';
import { Kernel } from '../kernel.ts';
import { extent, plainStrides, type Shape, type Tensor } from '../tensor.ts';

const kernel = new Kernel('reshape', wgsl);

/** The numbers of an image in their row-major order under another shape: a view where memory allows it, else a copy. */
export function reshaped(x: Tensor, shape: Shape): Tensor {
  const { engine } = x;
  const [a, b] = [extent(x.shape, 'image'), extent(shape, 'image')];
  if (a.channels === b.channels && (a.inner === b.inner || a.channels === 1)) return engine.view(x, shape);
  const out = engine.empty(shape);
  engine.run(kernel, 'reshape', {
    bind: { x, out },
    uniforms: { ...plainStrides(out), x_channels: a.channels, x_inner: a.inner },
    threads: out.bytes / 16,
  });
  return out;
}
