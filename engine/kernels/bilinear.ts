import wgsl from '../../shaders/bilinear.wgsl';
import type { Engine } from '../engine.ts';
import { type Constants, Kernel } from '../kernel.ts';
import { type Shape, size, type Tensor } from '../tensor.ts';

const kernel = new Kernel('bilinear', wgsl);
/** Invocations that look for the largest |x|: each takes every so-many-th quad. */
const MEASURING = 4096;

/** What a field's values mean, and what lies outside the image: the consts of bilinear.wgsl by these names. */
export interface Sampling extends Constants {
  readonly BORDER: boolean;
}

/**
 * Bits of the largest |x| as a fixed-point number: 40, or fewer where all values of a picture together, gathered in one
 * place, could reach the sign of 64.
 */
const fixedPointBits = (positions: number): number => Math.min(40, 62 - Math.ceil(Math.log2(positions)));

function settings(image: Shape, field: Shape, sampling: Sampling) {
  const [, channels, height, width] = image;
  const [, , rows, columns] = field;
  const uniforms = { height, width, rows, columns, bits: fixedPointBits(rows * columns) };
  return { constants: { C: channels, ...sampling }, uniforms };
}

/** (N, C, field's size): the image (N, C, H, W) at the places of the field (N, 2, ...). */
export function sample(engine: Engine, image: Tensor, field: Tensor, sampling: Sampling, label: string): Tensor {
  const out = engine.empty([...image.shape.slice(0, 2), ...field.shape.slice(2)]);
  const set = settings(image.shape, field.shape, sampling);
  const flops = 6 * size(out.shape);
  engine.run(kernel, 'gather', { bind: { image, field, out }, ...set, threads: out.bytes / 16, flops, label });
  return out;
}

/** The gradient of Σ x · sample(image, field) with respect to the field. */
export function fieldGradient(
  engine: Engine,
  x: Tensor,
  image: Tensor,
  field: Tensor,
  sampling: Sampling,
  label: string,
): Tensor {
  const out = engine.empty(field.shape);
  const set = settings(image.shape, field.shape, sampling);
  const run = { ...set, threads: out.bytes / 16, flops: 14 * size(x.shape), label };
  engine.run(kernel, 'field_gradient', { bind: { x, image, field, out }, ...run });
  return out;
}

/**
 * The gradient of Σ x · sample(image, field) with respect to the image: every x goes to the four pixels around its place.
 * Sums are 64-bit whole numbers of 2⁻⁴⁰ of the largest |x|: any field will do, and the bits are the same at every run.
 */
export function scatter(
  engine: Engine,
  x: Tensor,
  field: Tensor,
  image: Shape,
  sampling: Sampling,
  label: string,
): Tensor {
  const out = engine.empty(image);
  using words = engine.raw(16 * Math.ceil(size(image) / 2)); // 8 bytes for each value
  using largest = engine.raw(4);
  const set = settings(image, field.shape, sampling);
  engine.run(kernel, 'clear', { bind: { words4: words, largest }, threads: words.bytes / 16 });
  engine.run(kernel, 'measure', { bind: { x, largest }, threads: Math.min(x.bytes / 16, MEASURING) });
  const flops = 12 * size(x.shape);
  engine.run(kernel, 'scatter', { bind: { x, field, words, largest }, ...set, threads: x.bytes / 16, flops, label });
  engine.run(kernel, 'collect', { bind: { pairs: words, largest, out }, ...set, threads: out.bytes / 16 });
  return out;
}
