import wgsl from '../../../../shaders/conv.direct.wgsl';
import { Kernel } from '../../../kernel.ts';
import { padded } from '../../../tensor.ts';
import type { GatherVariant } from '../phase.ts';

const kernel = new Kernel('conv.direct', wgsl);

/** The plain kernel: any window, any groups. */
export const direct: GatherVariant = {
  name: 'direct',
  plan({ engine, conv: { ci, co, window, lead = 0 }, positions, fused, run }) {
    const constants = { ...fused, LEAD: lead, CI: ci, CO: co, GROUPS: window.groups };
    const threads = (positions * padded(co * window.groups)) / 4;
    return (label) => engine.run(kernel, 'gather', { ...run, label, constants, threads });
  },
};
