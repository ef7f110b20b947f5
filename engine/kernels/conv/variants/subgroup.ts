import wgsl from '../../../../shaders/conv.subgroup.wgsl';
import { fold } from '../../../engine.ts';
import { Kernel } from '../../../kernel.ts';
import { ceilDiv } from '../geometry.ts';
import { subgroupLanes } from '../lanes.ts';
import { type GatherVariant, sharing } from '../phase.ts';

const kernel = new Kernel('conv.subgroup', wgsl);

/** Lanes of a subgroup along channels and positions, inputs handed on by shuffles: for adapters with subgroups of eight. */
export const subgroup: GatherVariant = {
  name: 'subgroup',
  plan(phase) {
    const { engine, positions, ci4, co4, fused, run } = phase;
    const { ci, window, lead = 0 } = phase.conv;
    const [smallest, largest] = engine.caps.subgroupSize;
    if (window.groups > 1 || smallest !== 8 || largest !== 8) return undefined;
    const LC = subgroupLanes(sharing(phase));
    const REGS = LC === 2 ? 8 : 24 / LC;
    const [gx, gy] = fold(positions, 8 * REGS);
    const constants = {
      ...fused,
      LEAD: lead,
      X: ci === 1 ? 'f32' : 'vec4f',
      REAL: Math.min(ci, 4),
      CI4: ci4,
      CO4: co4,
      LC,
      REGS,
    } as const;
    const grid = [gx, gy, ceilDiv(co4, LC)] as const;
    return (label) => engine.run(kernel, 'gather', { ...run, label, constants, grid });
  },
};
