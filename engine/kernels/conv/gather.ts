import convDirect from '../../../shaders/conv.direct.wgsl';
import convRows from '../../../shaders/conv.rows.wgsl';
import convStrip from '../../../shaders/conv.strip.wgsl';
import convTiled from '../../../shaders/conv.tiled.wgsl';
import { type Engine, fold } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { pickVariant } from '../../knobs.ts';
import { padded, type Shape, size, type Tensor } from '../../tensor.ts';
import { type Axis, ceilDiv, slidingAxis, spreadingAxes, volume, type Window } from './geometry.ts';
import { dealLanes, divisor, type Lanes, TILE_BYTES } from './variants.ts';

const direct = new Kernel('conv.direct', convDirect);
const rows = new Kernel('conv.rows', convRows);
const strip = new Kernel('conv.strip', convStrip);
const tiled = new Kernel('conv.tiled', convTiled);

/** Positions of a row that an invocation of conv.strip computes. */
const STRIP = 8;

export interface Convolution {
  readonly x: Tensor;
  /** Filter in (taps, input channels of a group, output channels) order. */
  readonly w: Tensor;
  readonly bias?: Tensor;
  readonly out: Shape;
  readonly window: Window;
  /** Channels of a group. */
  readonly ci: number;
  readonly co: number;
  readonly label: string;
}

/** Slides the window over x: a convolution, or the input gradient of a transposed one. */
export function slide(engine: Engine, c: Convolution): Tensor {
  const out = engine.empty(c.out);
  gather(engine, c, out, volume(c.out).map((n, i) => slidingAxis(n, c.window, i)) as unknown as [Axis, Axis, Axis]);
  return out;
}

/** Spreads x through the window: a transposed convolution, or the input gradient of a plain one. One gather per phase. */
export function spread(engine: Engine, c: Convolution): Tensor {
  const out = engine.empty(c.out);
  const [ds, hs, ws] = volume(c.out).map((n, i) => spreadingAxes(n, c.window, i));
  for (const d of ds) for (const h of hs) for (const w of ws) gather(engine, c, out, [d, h, w]);
  return out;
}

function gather(engine: Engine, c: Convolution, out: Tensor, axes: readonly [Axis, Axis, Axis]): void {
  const { x, w, bias, window, ci, co } = c;
  const n = x.shape[0];
  const each = (key: keyof Axis): number[] => axes.map((a) => a[key]);
  const uniforms = {
    src: [...volume(x.shape), n],
    dst: volume(out.shape),
    grid: each('grid'),
    is: each('is'),
    off: each('off'),
    off_step: each('offStep'),
    os: each('os'),
    oo: each('oo'),
    taps: each('taps'),
    k: each('k'),
    k_step: each('kStep'),
    kernel: window.kernel,
  };
  const [gd, gh, gw] = uniforms.grid;
  const positions = n * gd * gh * gw;
  const width = axes[2];
  const [ci4, co4] = [padded(ci) / 4, padded(co) / 4];
  const BIAS = bias !== undefined;

  const lanes = dealLanes(co);
  const run = choosePositions(gw, lanes.V);
  const block = divisor(ci4, 16);
  const tile = (run - 1) * width.is + Math.max(width.taps - 1, 0) * width.offStep + 1;
  const rowGrid = [ceilDiv(gw, run) * lanes.blocks, gh, n * gd] as const;
  const { workgroupsPerDimension, workgroupBytes } = engine.caps.limits;

  const able = {
    strip: window.groups === 1 && co4 === 1 && width.is === 1 && width.offStep === 1 && width.taps > 0,
    rows:
      window.groups === 1 && tile * block * 16 <= TILE_BYTES && rowGrid.every((size) => size <= workgroupsPerDimension),
    tiled: window.groups === 1,
    direct: true,
  };
  const variant = pickVariant('conv', able, engine.choices);
  const shared = {
    bind: { x, w, bias: bias ?? w, out },
    uniforms,
    flops: 2 * positions * size(uniforms.taps) * ci * co * window.groups,
    label: `${c.label} (${variant})`,
  };
  if (variant === 'strip') {
    const one = co === 1;
    const constants = {
      V: one ? 'f32' : 'vec4f',
      PITCH: one ? 4 : 1,
      REAL: Math.min(ci, 4),
      CI4: ci4,
      TAPS: width.taps,
      P: STRIP,
      BIAS,
    } as const;
    engine.run(strip, 'gather', { ...shared, constants, threads: n * gd * gh * ceilDiv(gw, STRIP) });
  } else if (variant === 'rows') {
    const constants = {
      V: lanes.V,
      REAL: Math.min(ci, 4),
      CI4: ci4,
      COV: lanes.count,
      LANES: lanes.lanes,
      P: run,
      BLOCK: block,
      TILE: tile,
      BIAS,
    };
    engine.run(rows, 'gather', { ...shared, constants, grid: rowGrid });
  } else if (variant === 'tiled') {
    const tx = Math.min(8, 2 ** Math.max(0, Math.ceil(Math.log2(co4)) - 1));
    const ty = Math.min(32, 128 / tx);
    const bytes = (bk4: number) => 16 * (8 * ty * (bk4 + 1) + 8 * bk4 * tx); // of inputs and weights
    let bk4 = Math.min(4, 2 ** Math.ceil(Math.log2(ci4)));
    while (bytes(bk4) > workgroupBytes) bk4 /= 2;
    const [gx, gy] = fold(positions, 8 * ty);
    const constants = { CI4: ci4, CO4: co4, TX: tx, TY: ty, BK4: bk4, BIAS };
    engine.run(tiled, 'gather', { ...shared, constants, grid: [gx, gy, ceilDiv(co4, 2 * tx)] });
  } else {
    const constants = { CI: ci, CO: co, GROUPS: window.groups, BIAS };
    engine.run(direct, 'gather', { ...shared, constants, threads: (positions * padded(co * window.groups)) / 4 });
  }
}

/**
 * Positions per workgroup of conv.rows. Long runs share weights, narrow lanes have registers for longer ones, and a row's last
 * run should not be mostly empty.
 */
function choosePositions(width: number, V: Lanes['V']): number {
  const cost = (p: number) => ceilDiv(width, p) * (p + 3); // weights cost about as much as three positions
  const runs = V === 'f32' ? [24, 18, 16, 12, 8, 6, 4] : [12, 8, 6, 4];
  return runs.reduce((best, p) => (cost(p) < cost(best) ? p : best));
}
