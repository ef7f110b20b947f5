import wgsl from '../../shaders/pixel_shuffle.wgsl';
import type { Engine } from '../engine.ts';
import { ShapeError, shapeText } from '../errors.ts';
import { Kernel } from '../kernel.ts';
import { pickVariant } from '../knobs.ts';
import { defineOp, expectRank } from '../op.ts';
import { padded, type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('pixel_shuffle', wgsl);

interface Attrs {
  /** How much height and width grow or shrink. Must be given. */
  factor: number | undefined;
  /**
   * Order of the deep side's channels: c·r² + i·r + j (`crd`: channel, row, column, as in PyTorch), or (i·r + j)·C + c (`dcr`:
   * TensorFlow's depth_to_space). The names are those of ONNX.
   */
  order: 'crd' | 'dcr';
}

const orders = ['crd', 'dcr'];

/** @throws {ShapeError} when the factor is missing or no whole number of at least 1, or there is no such order */
function factorOf(name: string, { factor, order }: Attrs): number {
  if (!orders.includes(order)) throw new ShapeError(`${name} order: expected ${orders.join(' or ')}, got ${order}`);
  if (factor !== undefined && Number.isInteger(factor) && factor >= 1) return factor;
  throw new ShapeError(`${name} factor: expected a whole number of at least 1, got ${factor ?? 'none'}`);
}

/** (N, C, D?, H·r, W·r) of (N, C·r², D?, H, W). */
const widened = ([n, c, ...rest]: Shape, r: number): number[] => [
  n,
  c / r ** 2,
  ...rest.slice(0, -2),
  ...rest.slice(-2).map((s) => s * r),
];
const deepened = ([n, c, ...rest]: Shape, r: number): number[] => [
  n,
  c * r ** 2,
  ...rest.slice(0, -2),
  ...rest.slice(-2).map((s) => s / r),
];

/** Moves x to the other side; which way, its shape against the result's tells. */
function rearrange(engine: Engine, x: Tensor, shape: Shape, attrs: Attrs): Tensor {
  const r = attrs.factor!;
  const dcr = attrs.order === 'dcr';
  if (r === 1) return engine.view(x, shape);
  const out = engine.empty(shape);
  const way = shape[1] < x.shape[1] ? 'shuffle' : 'unshuffle';
  const [from, deep, channels] = way === 'shuffle' ? ['deep', x.shape, shape[1]] : ['wide', shape, x.shape[1]];
  const even = r % 2 === 0 && !dcr;
  const quads = channels % 4 === 0 && dcr;
  const variant = pickVariant('pixel_shuffle', { even: () => even, quads: () => quads, any: () => true }).name;
  const positions = size(deep) / deep[1];
  const width = deep[deep.length - 1];
  engine.run(kernel, `${way}_${variant}`, {
    bind: { [variant === 'any' ? `${from}_channels` : from]: x, out },
    constants: { C: channels, R: r, DCR: dcr },
    uniforms: { width, rows: positions / width },
    threads: variant === 'even' ? (positions * padded(channels) * r * r) / 16 : out.bytes / 16,
    label: `pixel_${way}`,
  });
  return out;
}

/**
 * Sub-pixel rearrangement: y[n, c, d, h·r + i, w·r + j] = input[n, c·r² + i·r + j, d, h, w]. Shi et al. 2016, "Real-time single
 * image and video super-resolution using an efficient sub-pixel convolutional neural network", eq. 4, with PyTorch's order of
 * channels; frame by frame in five dimensions. `order: 'dcr'` reads TensorFlow's, input[n, (i·r + j)·C + c, d, h, w].
 * @param input (N, C·r², H, W) or (N, C·r², D, H, W) @returns (N, C, H·r, W·r) or (N, C, D, H·r, W·r)
 * @throws {ShapeError} when the channels are no multiple of factor²
 */
export const pixel_shuffle = defineOp({
  name: 'pixel_shuffle',
  inputs: ['input'],
  filters: [],
  attrs: { factor: undefined, order: 'crd' } as Attrs,
  shape({ input }, attrs) {
    expectRank('pixel_shuffle input', input, 4, 5);
    const r = factorOf('pixel_shuffle', attrs);
    if (input[1] % r ** 2 !== 0) {
      throw new ShapeError(
        `pixel_shuffle: factor ${r} needs a multiple of ${r ** 2} channels, got ${shapeText(input)}`,
      );
    }
    return widened(input, r);
  },
  forward: ({ input }, { engine, attrs, shape }) => rearrange(engine, input, shape, attrs),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input: () => rearrange(engine, dy, shapes.input, attrs),
  }),
  flops: () => 0,
});

/**
 * The inverse of pixel_shuffle: y[n, c·r² + i·r + j, d, h, w] = input[n, c, d, h·r + i, w·r + j]; with `order: 'dcr'` to channel
 * (i·r + j)·C + c.
 * @param input (N, C, H·r, W·r) or (N, C, D, H·r, W·r) @returns (N, C·r², H, W) or (N, C·r², D, H, W)
 * @throws {ShapeError} when height or width is no multiple of factor
 */
export const pixel_unshuffle = defineOp({
  name: 'pixel_unshuffle',
  inputs: ['input'],
  filters: [],
  attrs: { factor: undefined, order: 'crd' } as Attrs,
  shape({ input }, attrs) {
    expectRank('pixel_unshuffle input', input, 4, 5);
    const r = factorOf('pixel_unshuffle', attrs);
    if (input.slice(-2).some((n) => n % r !== 0)) {
      throw new ShapeError(
        `pixel_unshuffle: factor ${r} needs height and width to be multiples of it, got ${shapeText(input)}`,
      );
    }
    return deepened(input, r);
  },
  forward: ({ input }, { engine, attrs, shape }) => rearrange(engine, input, shape, attrs),
  saves: [],
  backward: (dy, _, { engine, attrs, shapes }) => ({
    input: () => rearrange(engine, dy, shapes.input, attrs),
  }),
  flops: () => 0,
});
