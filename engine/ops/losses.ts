import wgsl from '../../shaders/loss.wgsl';
import { ShapeError } from '../errors.ts';
import { type Constants, Kernel } from '../kernel.ts';
import { CHUNK, sumLanes, sumMiddle } from '../kernels/reduce.ts';
import { defineOp, expectShape } from '../op.ts';
import { extent, type Shape, size } from '../tensor.ts';

const kernel = new Kernel('loss', wgsl);
/** In the order of the shader's consts. */
const KINDS = ['l1_loss', 'mse_loss', 'charbonnier_loss', 'bce_with_logits', 'huber_loss'] as const;

/** mean f(input, target). `parameter` is the attribute that f has, which must be above 0. */
function loss<A extends Record<string, number>>(name: (typeof KINDS)[number], attrs: A, parameter?: keyof A & string) {
  const KIND = KINDS.indexOf(name);
  const value = (given: A): number => (parameter ? given[parameter] : 0);
  const bce = name === 'bce_with_logits';
  /** Where f is not 0 at (0, 0), or its slope is not, padding must not count. */
  const constants = (shape: Shape, masked: boolean): Constants => {
    const { channels } = extent(shape, 'image');
    return masked ? { KIND, C4: Math.ceil(channels / 4), LANES: ((channels - 1) % 4) + 1 } : { KIND };
  };
  return defineOp({
    name,
    inputs: ['input', 'target'],
    filters: [],
    attrs,
    shape({ input, target }, given) {
      expectShape(`${name} target`, target, input);
      if (parameter && !(value(given) > 0)) {
        throw new ShapeError(`${name} ${parameter}: expected a number above 0, got ${value(given)}`);
      }
      return [];
    },
    forward({ input: x, target }, { engine, attrs: given, shape }) {
      const threads = Math.ceil(x.bytes / 16 / CHUNK);
      using part = engine.raw(threads * 16);
      engine.run(kernel, 'terms', {
        bind: { x, target_: target, out: part },
        constants: constants(x.shape, bce || name === 'charbonnier_loss'),
        uniforms: { parameter: value(given), scale: 0 },
        threads,
        flops: 3 * size(x.shape),
        label: name,
      });
      using sum = engine.raw(16);
      sumMiddle(engine, part, { outer: 1, middle: threads, inner: 1 }, sum);
      const out = engine.empty(shape);
      sumLanes(engine, sum, out, 1 / size(x.shape));
      return out;
    },
    saves: ['input', 'target'],
    backward(dy, { input: x, target }, { run, attrs: given, shapes }) {
      const gradient = (sign: number, label: string) =>
        run(kernel, 'gradient', {
          bind: { x, target_: target, dy },
          constants: { ...constants(shapes.input, bce), OF_TARGET: bce && sign < 0 },
          uniforms: { parameter: value(given), scale: sign / size(shapes.input) },
          out: shapes.input,
          flops: 4 * size(shapes.input),
          label: `${name}.${label}`,
        });
      return { input: () => gradient(1, 'dx'), target: () => gradient(-1, 'dt') };
    },
    flops: ({ input }) => 3 * size(input),
  });
}

/** mean |input - target|; slope 0 at 0. @throws {ShapeError} when the shapes differ */
export const l1_loss = loss('l1_loss', {});

/** mean (input - target)² @throws {ShapeError} when the shapes differ */
export const mse_loss = loss('mse_loss', {});

/**
 * mean √(d² + eps²), d = input - target: Charbonnier et al. 1994; eps = 10⁻³ as in LapSRN and FSTRN.
 * @throws {ShapeError} when the shapes differ, or eps is not above 0
 */
export const charbonnier_loss = loss('charbonnier_loss', { eps: 1e-3 }, 'eps');

/**
 * mean of d²/2 where |d| <= delta, else delta·(|d| - delta/2), d = input - target: Huber 1964, eq. 2.7.
 * @throws {ShapeError} when the shapes differ, or delta is not above 0
 */
export const huber_loss = loss('huber_loss', { delta: 1 }, 'delta');

/**
 * mean of log(1 + e^x) - x·t, x = input (logits), t = target in 0..1: the binary cross entropy of t with sigmoid(x), as in
 * PyTorch, for any x. @throws {ShapeError} when the shapes differ
 */
export const bce_with_logits = loss('bce_with_logits', {});
