import wgsl from '../../../shaders/filter_phases.wgsl';
import type { Engine } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { padded, type Tensor } from '../../tensor.ts';
import { type Vec3, volume } from './geometry.ts';
import { dividesEvenly } from './lanes.ts';
import type { Convolution } from './phase.ts';

const kernel = new Kernel('filter_phases', wgsl);

/**
 * A spreading window whose kernel is m strides long, as projections (kernel 8, stride 4) have it: each input pixel stands for
 * r x r output pixels, and each of these meets m inputs along an axis. The same as a convolution with m taps and a pixel
 * shuffle, in one dispatch: output r·g + p reads inputs g + ⌊(p + padding) / r⌋ - (m - 1) and up. Undefined for other windows.
 */
export function asShuffle(engine: Engine, conv: Convolution): Convolution | undefined {
  const { w, bias, window, co, out } = conv;
  const { kernel: taps, stride, padding, dilation } = window;
  const [r, m, lead] = [stride[1], taps[1] / stride[1], padding[1] % stride[1]];
  const plane = taps[1] === taps[2] && stride[1] === stride[2] && padding[1] === padding[2];
  const flat = taps[0] === 1 && stride[0] === 1 && padding[0] === 0;
  const apart = dilation.every((d) => d === 1) && window.groups === 1;
  const CO4 = padded(co) / 4;
  const fits = volume(out).every((n, i) => i === 0 || n % r === 0) && (lead === 0 || dividesEvenly(CO4));
  if (!plane || !flat || !apart || !fits || r === 1 || m % 1 !== 0) return undefined;
  const channels = padded(co) * r * r;
  const phases = (entry: string, from: Tensor, CI4: number) => {
    const shape = from.layout === 'filter' ? [channels, conv.ci, 1, m, m] : [channels];
    const to = engine.empty(shape, from.layout);
    const constants = { CI4, CO4, R: r, M: m, LEAD: lead };
    engine.run(kernel, entry, { bind: { w: from, out: to }, constants, threads: to.bytes / 16 });
    return to;
  };
  const before = m - 1 - Math.floor(padding[1] / r);
  const once: Vec3 = [1, 1, 1];
  return {
    ...conv,
    ...{ w: phases('filter_phases', w, padded(conv.ci) / 4), bias: bias && phases('bias_phases', bias, 1) },
    window: { kernel: [1, m, m], stride: once, padding: [0, before, before], dilation: once, groups: 1 },
    ...{ co: channels, shuffle: r, lead },
  };
}
