import { SubpixelError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import type { Module } from './module.ts';

/**
 * module.forward(...inputs), of which only the inputs are kept for the gradients: the backward pass computes what is inside
 * again. A network of n such blocks holds n inputs and the activations of one block, for one more forward pass in time.
 * Chen et al. 2016, "Training deep nets with sublinear memory cost", section 4.1.
 * Within a block that is being computed again nothing is put off a second time.
 * @throws {SubpixelError} for a module that would not do the same again
 */
export function checkpoint(module: Module, ...inputs: Tensor[]): Tensor {
  const { engine } = inputs[0];
  const { tape } = engine;
  if (!tape || engine.repeating) return module.forward(...inputs);
  if (!module.repeats) {
    throw new SubpixelError(
      'a module that draws random numbers cannot be checkpointed: it would draw others in the backward pass',
    );
  }
  engine.tape = undefined;
  let y: Tensor;
  try {
    y = module.forward(...inputs);
  } finally {
    engine.tape = tape;
  }
  if (inputs.includes(y)) return y;

  /** The gradients of the inputs; those of the parameters add up in them on the way. */
  const again = (dy: Tensor, held: readonly Tensor[]): readonly (Tensor | undefined)[] => {
    using _scope = engine.scope();
    using inner = engine.record(tape.options);
    const starts = held.map((x, i) => {
      const start = engine.view(x, x.shape, x.layout);
      start.tracked = inputs[i].tracked;
      return start;
    });
    engine.repeating = true;
    try {
      inner.backward(module.forward(...starts), dy);
    } finally {
      engine.repeating = false;
    }
    return starts.map((start) => start.grad?.retain());
  };
  tape.add({
    name: 'checkpoint',
    inputs: Object.fromEntries(inputs.entries()),
    output: y,
    saved: inputs,
    backward(dy, held = inputs) {
      const gradients = again(dy, held).map((grad, i) => () => (grad ? engine.own(grad) : engine.zeros(held[i].shape)));
      return Object.fromEntries(gradients.entries());
    },
  });
  return y;
}
