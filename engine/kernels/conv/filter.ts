import wgsl from '../../../shaders/filter_transpose.wgsl';
import type { Engine } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { padded, size, type Tensor } from '../../tensor.ts';

const kernel = new Kernel('filter_transpose', wgsl);

/**
 * The filter with its channel axes exchanged, group by group: what slid now spreads.
 * @param w (last·groups, inner, taps...) @param reverse also takes the taps in reverse order
 * @returns (inner·groups, last, taps...)
 */
export function transposeFilter(engine: Engine, w: Tensor, groups: number, reverse = false, into?: Tensor): Tensor {
  const [a, b, ...taps] = w.shape;
  const out = into ?? engine.empty([b * groups, a / groups, ...taps], 'filter');
  const constants = { A: a / groups, B: b, GROUPS: groups, TAPS: size(taps), REVERSE: reverse };
  engine.run(kernel, 'exchange', { bind: { w, out }, constants, threads: out.bytes / 16 });
  return out;
}

/**
 * A filter (C·r², I, taps...) or bias (C·r²) whose output channels, in pixel shuffle's order, are put in the order (phase,
 * channel), each phase padded to whole vec4: what a convolution with `shuffle` takes.
 */
export function phaseOrder(engine: Engine, w: Tensor, r: number): Tensor {
  const channels = w.shape[0] / r ** 2;
  const out = engine.empty([padded(channels) * r ** 2, ...w.shape.slice(1)], w.layout);
  const constants = { A: channels, GROUPS: r ** 2 };
  engine.run(kernel, 'phase_order', { bind: { w, out }, constants, threads: out.bytes / 16 });
  return out;
}
