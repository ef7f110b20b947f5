import wgsl from '../../../shaders/filter_phases.wgsl';
import type { Engine } from '../../engine.ts';
import { Kernel } from '../../kernel.ts';
import { padded, type Tensor } from '../../tensor.ts';
import { volume } from './geometry.ts';
import type { Convolution } from './phase.ts';

const kernel = new Kernel('filter_phases', wgsl);

/**
 * A spreading window whose steps are as long as the window itself, so that each input pixel becomes r x r pixels of its own:
 * the same as a 1x1 convolution and a pixel shuffle, in one dispatch. Undefined for any other window.
 */
export function asShuffle(engine: Engine, conv: Convolution): Convolution | undefined {
  const { x, w, bias, window, co, out } = conv;
  const [kd, r] = window.kernel;
  const alone = window.kernel.every((k, i) => k === window.stride[i] && window.padding[i] === 0);
  const sizes = volume(x.shape).map((n, i) => n * window.stride[i]);
  const fits = volume(out).every((n, i) => n === sizes[i]); // no output padding
  if (!alone || !fits || kd !== 1 || r === 1 || window.kernel[2] !== r || window.groups > 1) return undefined;
  const CO4 = padded(co) / 4;
  const constants = { CO4, TAPS: r * r };
  const channels = padded(co) * r * r;
  const phases = (entry: string, from: Tensor, CI4: number) => {
    const shape = from.layout === 'filter' ? [channels, conv.ci, 1, 1, 1] : [channels];
    const to = engine.empty(shape, from.layout);
    engine.run(kernel, entry, { bind: { w: from, out: to }, constants: { ...constants, CI4 }, threads: to.bytes / 16 });
    return to;
  };
  return {
    ...conv,
    w: phases('filter_phases', w, padded(conv.ci) / 4),
    bias: bias && phases('bias_phases', bias, 1),
    window: { ...window, kernel: [1, 1, 1], stride: [1, 1, 1], dilation: [1, 1, 1] },
    co: channels,
    shuffle: r,
  };
}
