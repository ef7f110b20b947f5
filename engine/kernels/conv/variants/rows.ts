import wgsl from '../../../../shaders/conv.rows.wgsl';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import { dealLanes, divisor, type Lanes, TILE_BYTES } from '../lanes.ts';
import type { GatherVariant } from '../phase.ts';

const kernel = new Kernel('conv.rows', wgsl);

/** Lanes along output channels, a stretch of a row in registers: for software adapters. */
export const rows: GatherVariant = {
  name: 'rows',
  plan({ engine, conv, axes: [d, h, w], batch, ci4, fused, run }) {
    const lanes = dealLanes(conv.co);
    const P = choosePositions(w.grid, lanes.V);
    const block = divisor(ci4, 16);
    const tile = (P - 1) * w.is + Math.max(w.taps - 1, 0) * w.offStep + 1;
    const grid = [ceilDiv(w.grid, P) * lanes.blocks, h.grid, batch * d.grid] as const;
    const { workgroupsPerDimension } = engine.caps.limits;
    const fits = tile * block * 16 <= TILE_BYTES && grid.every((size) => size <= workgroupsPerDimension);
    if (conv.window.groups > 1 || conv.lead || !fits) return undefined;
    const constants = {
      ...fused,
      V: lanes.V,
      REAL: Math.min(conv.ci, 4),
      CI4: ci4,
      COV: lanes.count,
      LANES: lanes.lanes,
      P,
      BLOCK: block,
      TILE: tile,
    };
    return (label) => engine.run(kernel, 'gather', { ...run, label, constants, grid });
  },
};

/**
 * Positions per workgroup. Long runs share weights, narrow lanes have registers for longer ones, and a row's last run should
 * not be mostly empty.
 */
function choosePositions(width: number, V: Lanes['V']): number {
  const cost = (p: number) => ceilDiv(width, p) * (p + 3); // weights cost about as much as three positions
  const runs = V === 'f32' ? [24, 18, 16, 12, 8, 6, 4] : [12, 8, 6, 4];
  return runs.reduce((best, p) => (cost(p) < cost(best) ? p : best));
}
