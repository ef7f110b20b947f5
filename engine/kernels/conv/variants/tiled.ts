import wgsl from '../../../../shaders/conv.tiled.wgsl';
import { fold } from '../../../engine.ts';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import { productTile } from '../lanes.ts';
import { type GatherVariant, sharing } from '../phase.ts';

const kernel = new Kernel('conv.tiled', wgsl);

/** An implicit matrix product with workgroup tiles: for GPUs. */
export const tiled: GatherVariant = {
  name: 'tiled',
  plan(phase) {
    const { engine, conv, positions, ci4, co4, fused, run } = phase;
    if (conv.window.groups > 1) return undefined;
    const { TX: tx, TY: ty, BK4 } = productTile(ci4, sharing(phase));
    const bytes = (bk4: number) => 16 * (8 * ty * (bk4 + 1) + 8 * bk4 * tx); // of inputs and weights
    let bk4 = BK4;
    while (bytes(bk4) > engine.caps.limits.workgroupBytes) bk4 /= 2;
    const [gx, gy] = fold(positions, 8 * ty);
    const constants = { ...fused, LEAD: conv.lead ?? 0, CI4: ci4, CO4: co4, TX: tx, TY: ty, BK4: bk4 };
    const grid = [gx, gy, ceilDiv(co4, 2 * tx)] as const;
    return (label) => engine.run(kernel, 'gather', { ...run, label, constants, grid });
  },
};
