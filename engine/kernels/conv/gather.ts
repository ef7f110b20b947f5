import type { Engine } from '../../engine.ts';
import { pickVariant } from '../../knobs.ts';
import { padded, size, type Tensor } from '../../tensor.ts';
import { type Axis, slidingAxis, spreadingAxes, volume } from './geometry.ts';
import { type Convolution, type GatherVariant, type Phase, slopesOf } from './phase.ts';
import { asShuffle } from './phase-filter.ts';
import { direct } from './variants/direct.ts';
import { matrix } from './variants/matrix.ts';
import { rows } from './variants/rows.ts';
import { strip } from './variants/strip.ts';
import { subgroup } from './variants/subgroup.ts';
import { taps } from './variants/taps.ts';
import { tiled } from './variants/tiled.ts';
import { winograd, winogradTiled } from './variants/winograd.ts';

const onProcessors: readonly GatherVariant[] = [
  winograd,
  winogradTiled,
  taps,
  strip,
  subgroup,
  rows,
  tiled,
  direct,
  matrix,
];
const onGpus: readonly GatherVariant[] = [strip, tiled, rows, direct, winograd, winogradTiled, taps, subgroup, matrix];
/** In the order of preference where none was measured. */
export const gatherVariants = ({ caps }: Engine): readonly GatherVariant[] => (caps.fallback ? onProcessors : onGpus);

/** Slides the window over x: a convolution, or the input gradient of a transposed one. */
export function slide(engine: Engine, conv: Convolution): Tensor {
  const out = engine.empty(conv.out);
  const [d, h, w] = volume(conv.out);
  const r = conv.shuffle ?? 1;
  const axis = (n: number, i: number): Axis => ({ ...slidingAxis(n, conv.window, i), os: i === 0 ? 1 : r });
  gather(engine, conv, out, [axis(d, 0), axis(h / r, 1), axis(w / r, 2)]);
  return out;
}

/** Spreads x through the window: a transposed convolution, or the input gradient of a plain one. One gather per phase. */
export function spread(engine: Engine, conv: Convolution): Tensor {
  const shuffled = asShuffle(engine, conv);
  if (shuffled) return slide(engine, shuffled);
  const out = engine.empty(conv.out);
  const [ds, hs, ws] = volume(conv.out).map((n, i) => spreadingAxes(n, conv.window, i));
  for (const d of ds) for (const h of hs) for (const w of ws) gather(engine, conv, out, [d, h, w]);
  return out;
}

function gather(engine: Engine, conv: Convolution, out: Tensor, axes: readonly [Axis, Axis, Axis]): void {
  const { x, w, bias, slope, residual, window, ci, co } = conv;
  const batch = x.shape[0];
  const each = (key: keyof Axis): number[] => axes.map((a) => a[key]);
  const positions = batch * size(each('grid'));
  const phase: Phase = {
    engine,
    conv,
    out,
    axes,
    batch,
    ci4: padded(ci) / 4,
    co4: padded(co) / 4,
    positions,
    fused: {
      BIAS: bias !== undefined,
      RESIDUAL: residual !== undefined,
      LEAK: conv.leak ?? 1,
      SLOPES: slopesOf(slope),
      R: conv.shuffle ?? 1,
    },
    run: {
      bind: { x, w, bias: bias ?? w, slope: slope ?? w, residual: residual ?? w, out },
      uniforms: {
        src: [...volume(x.shape), batch],
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
      },
      flops: 2 * positions * size(each('taps')) * ci * co * window.groups,
    },
  };
  const plans = Object.fromEntries(gatherVariants(engine).map((variant) => [variant.name, () => variant.plan(phase)]));
  const { name, plan } = pickVariant('conv', plans, engine.choices);
  plan(`${conv.label} (${name})`);
}
