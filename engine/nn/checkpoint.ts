import { SubpixelError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import type { Module } from './module.ts';

/**
 * module.forward(x), of which only x is kept for the gradients: the backward pass computes what is inside again. A network of
 * n such blocks holds n inputs and the activations of one block, for one more forward pass in time.
 * Chen et al. 2016, "Training deep nets with sublinear memory cost", section 4.1.
 * @throws {SubpixelError} for a module that would not do the same again
 */
export function checkpoint(module: Module, x: Tensor): Tensor {
  const { engine } = x;
  const { tape } = engine;
  if (!tape) return module.forward(x);
  if (!module.repeats) {
    throw new SubpixelError(
      'a module that draws random numbers cannot be checkpointed: it would draw others in the backward pass',
    );
  }
  engine.tape = undefined;
  let y: Tensor;
  try {
    y = module.forward(x);
  } finally {
    engine.tape = tape;
  }
  if (y === x) return x;

  /** The gradient of x; those of the parameters add up in them on the way. */
  const again = (dy: Tensor, input: Tensor): Tensor | undefined => {
    using _scope = engine.scope();
    using inner = engine.record(tape.options);
    const start = engine.view(input, input.shape, input.layout);
    start.tracked = x.tracked;
    const { repeating } = engine;
    engine.repeating = true;
    try {
      inner.backward(module.forward(start), dy);
    } finally {
      engine.repeating = repeating;
    }
    return start.grad?.retain();
  };
  tape.add({
    name: 'checkpoint',
    inputs: { input: x },
    output: y,
    saved: [x],
    backward(dy, [input] = [x]) {
      const grad = again(dy, input);
      return { input: () => engine.own(grad!) };
    },
  });
  return y;
}
