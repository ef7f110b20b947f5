import type { Engine } from '../../../engine/engine.ts';
import { randomUniform } from '../../../engine/kernels/random-tensor.ts';
import { add } from '../../../engine/ops/binary.ts';
import { conv3d } from '../../../engine/ops/conv.ts';
import { fused_conv3d } from '../../../engine/ops/fused_conv.ts';
import { separable_conv3d } from '../../../engine/ops/separable_conv3d.ts';
import { leaky_relu } from '../../../engine/ops/unary.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import direct from '../../../shaders/conv.direct.wgsl';
import rows from '../../../shaders/conv.rows.wgsl';
import subgroup from '../../../shaders/conv.subgroup.wgsl';
import tiled from '../../../shaders/conv.tiled.wgsl';
import winograd from '../../../shaders/conv.winograd_product.wgsl';
import winogradTiled from '../../../shaders/conv.winograd_tiled.wgsl';
import separable from '../../../shaders/separable.subgroup.wgsl';

/** A way to compute, from the plainest on. */
export interface Rung {
  readonly id: string;
  readonly title: string;
  /** Its shader, where it has one of its own. */
  readonly file?: string;
  readonly text?: string;
  /** What KERNEL=family:variant would force. */
  readonly force: Readonly<Record<string, string>>;
  /** What changed from the rung before, and why it helps. */
  readonly says: string;
  /** What an adapter lacks that cannot run it. */
  readonly needs?: string;
  /** Multiply-adds of one channel pair at one position, of the direct algorithm. */
  readonly taps: number;
  work(on: Layer): Tensor;
}

const conv = (on: Layer) => conv3d(on.x, on.weight, on.bias, { padding: 1 });
const LEAK = 0.1;

export const rungs: readonly Rung[] = [
  {
    id: 'direct',
    title: 'Naive',
    file: 'conv.direct',
    text: direct,
    force: { conv: 'direct' },
    says: 'One invocation computes four neighbouring output channels of one position and fetches every input and every weight by itself. For each four multiply-adds it loads a vector of four weights, and an input for each channel (without groups it is the same one, so a compiler may load it once). No other position shares what it fetched.',
    taps: 27,
    work: conv,
  },
  {
    id: 'rows',
    title: 'A row in workgroup memory',
    file: 'conv.rows',
    text: rows,
    force: { conv: 'rows' },
    says: 'A workgroup takes a stretch of a row. Its inputs are loaded once into workgroup memory, and each weight serves all positions of the stretch, whose sums stay in registers.',
    taps: 27,
    work: conv,
  },
  {
    id: 'tiled',
    title: 'Tiled',
    file: 'conv.tiled',
    text: tiled,
    force: { conv: 'tiled' },
    says: 'A matrix product: inputs and weights both go through workgroup memory, and an invocation computes 8 positions by 8 channels, so that 16 values loaded serve 64 multiply-adds. This is what GPUs like.',
    taps: 27,
    work: conv,
  },
  {
    id: 'subgroup',
    title: 'Shuffled',
    file: 'conv.subgroup',
    text: subgroup,
    force: { conv: 'subgroup' },
    says: 'No workgroup memory and no barrier: lanes of a subgroup hand their inputs to each other. Where workgroup memory is as slow as any other, on processors, this is several times faster.',
    needs: 'subgroups of exactly eight lanes',
    taps: 27,
    work: conv,
  },
  {
    id: 'winograd_tiled',
    title: 'Winograd, tiled',
    file: 'conv.winograd_tiled',
    text: winogradTiled,
    force: { conv: 'winograd_tiled' },
    says: 'Another algorithm: inputs and filters are transformed so that a square of 2x2 results takes 16 products instead of 36. The rate counts what the direct algorithm would have computed, so that one may pass the peak.',
    taps: 27,
    work: conv,
  },
  {
    id: 'winograd',
    title: 'Winograd, shuffled',
    file: 'conv.winograd_product',
    text: winograd,
    force: { conv: 'winograd' },
    says: 'The same 16 products, with shuffles in the place of tiles.',
    needs: 'subgroups of at least eight lanes',
    taps: 27,
    work: conv,
  },
  {
    id: 'apart',
    title: 'Convolution, sum, activation',
    force: {},
    says: 'What a network does around a convolution, as kernels of their own: the whole result is written, read, written, read and written again.',
    taps: 27,
    work: (on) => leaky_relu(add(conv(on), on.residual), { negative_slope: LEAK }),
  },
  {
    id: 'together',
    title: 'The same, fused',
    force: {},
    says: 'Bias, sum and activation happen to a value while it is still in a register, on its way out: finish() in each of these files. One kernel, one write.',
    taps: 27,
    work: (on) => fused_conv3d(on.x, on.weight, on.bias, undefined, on.residual, { padding: 1, negative_slope: LEAK }),
  },
  {
    id: 'pair',
    title: '1x3x3, then 3x1x1',
    force: { separable: 'split' },
    says: 'The separable block: 12 taps in the place of 27. What lies between its two kernels goes through memory.',
    taps: 12,
    work: (on) => separable_conv3d(on.x, on.spatial, on.bias, on.temporal, on.bias),
  },
  {
    id: 'block',
    title: 'The separable block, fused',
    file: 'separable.subgroup',
    text: separable,
    force: { separable: 'fused' },
    says: 'A subgroup walks through the frames and keeps the last three frames of the middle in registers: it never is in memory at all.',
    needs: 'subgroups of exactly eight lanes, and at most 32 channels',
    taps: 12,
    work: (on) => separable_conv3d(on.x, on.spatial, on.bias, on.temporal, on.bias),
  },
];

export interface LayerSize {
  readonly channels: number;
  readonly frames: number;
  readonly edge: number;
}

export const sizeText = ({ channels, frames, edge }: LayerSize): string =>
  `${channels} to ${channels} channels, ${frames} frames of ${edge}x${edge}`;

export const flopsOf = ({ taps }: Rung, { channels, frames, edge }: LayerSize): number =>
  2 * taps * channels ** 2 * frames * edge ** 2;

/** Tensors of one layer, in the engine's innermost scope. */
export class Layer {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly residual: Tensor;
  readonly spatial: Tensor;
  readonly temporal: Tensor;

  constructor(engine: Engine, { channels: c, frames, edge }: LayerSize) {
    let seed = 0;
    const filter = (...taps: number[]) => randomUniform(engine, [c, c, ...taps], ++seed, 0, -0.1, 0.1, 'filter');
    const image = () => randomUniform(engine, [1, c, frames, edge, edge], ++seed, 0, -1, 1);
    this.x = image();
    this.residual = image();
    this.weight = filter(3, 3, 3);
    this.spatial = filter(1, 3, 3);
    this.temporal = filter(3, 1, 1);
    this.bias = randomUniform(engine, [c], ++seed, 0, -1, 1);
  }
}
