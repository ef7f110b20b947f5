import wgsl from '../../shaders/accumulate.wgsl';
import { Kernel } from '../kernel.ts';
import type { Tensor } from '../tensor.ts';

const kernel = new Kernel('accumulate', wgsl);

/** a + b of one shape and layout: how the tape joins gradients that reach a tensor on several ways. */
export function accumulate(a: Tensor, b: Tensor): Tensor {
  const out = a.engine.empty(a.shape, a.layout);
  a.engine.run(kernel, 'add', { bind: { a, b, out }, threads: out.bytes / 16, flops: out.bytes / 4 });
  return out;
}

/** sum += x. */
export function addInto(sum: Tensor, x: Tensor): Tensor {
  x.engine.run(kernel, 'add_into', { bind: { a: x, out: sum }, threads: sum.bytes / 16, flops: sum.bytes / 4 });
  return sum;
}

/** The same values in `out`: a tensor of its own if none is given. */
export function copy(x: Tensor, out = x.engine.empty(x.shape, x.layout)): Tensor {
  x.engine.run(kernel, 'copy', { bind: { a: x, out }, threads: out.bytes / 16 });
  return out;
}
