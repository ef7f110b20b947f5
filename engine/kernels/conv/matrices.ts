import wgsl from '../../../shaders/largest.wgsl';
import type { Engine } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { knobs } from '../../knobs.ts';
import { padded, type Storage, type Tensor } from '../../tensor.ts';
import { slopesOf } from './phase.ts';

const kernel = new Kernel('largest', wgsl);
const GROUPS = 256;

/** How a workgroup shares its results out: a matrix has 16 x n, see the consts of the same names in the shaders. */
export interface MatrixTile {
  readonly SM: number;
  readonly SN: number;
  readonly WM: number;
  readonly WN: number;
  readonly BK: number;
}

/** Columns of the matrices that our kernels multiply here (16 rows, depth 16), or undefined where there are none. */
export function matrixColumns({ caps }: Engine): 16 | 8 | undefined {
  // The kernels count 32 invocations to a subgroup, wherever the driver would be free to choose.
  const fixed = caps.subgroupSize.every((size) => size === 32);
  if (!fixed || !caps.f16) return undefined;
  return ([16, 8] as const).find((n) => caps.matrices.some((f) => f.m === 16 && f.n === n && f.k === 16));
}

/**
 * Matrices are 16 wide, so fewer channels than half of that waste most of the work: such convolutions are left to other
 * variants, unless KERNEL asks for this one.
 */
export const worthMatrices = (family: string, ...quads: readonly number[]): boolean =>
  knobs.kernel[family] === 'matrix' || quads.every((c4) => c4 > 2);

/** Whether each operand becomes two f16 values, which keeps the accuracy of f32, or is rounded to one. */
export const splits = (): boolean => knobs.precision !== 'f16';

/** The largest magnitudes in x (after its PReLU) and in another operand, which the matrix kernels scale by. */
export function largest(engine: Engine, x: Tensor, w: Tensor, slope: Tensor | undefined, label: string): Storage {
  const part = engine.raw(2 * GROUPS * 4);
  engine.run(kernel, 'largest', {
    bind: { x, w, slope: slope ?? x, part },
    constants: { SLOPES: slopesOf(slope), C4: padded(x.shape[1]) / 4 },
    grid: [GROUPS, 2],
    flops: (x.bytes + w.bytes) / 4,
    label: `${label} largest`,
  });
  return part;
}
