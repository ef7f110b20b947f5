import wgsl from '../../../../shaders/conv.taps.wgsl';
import { Kernel } from '../../../kernel.ts';
import { type Storage, size, type Tensor } from '../../../tensor.ts';
import { ceilDiv, volume } from '../geometry.ts';
import type { GatherVariant, Phase } from '../phase.ts';
import { subgroup } from './subgroup.ts';

const kernel = new Kernel('conv.taps', wgsl);
/** Vectors of products at a position that fill lanes, and with all taps of the first step those that are worth a second one. */
const FILLING = 3;
const WORTHWHILE = 5;

/**
 * A convolution to every tap of a plane, or of a row where planes are large, each as channels of its own; then the sum of
 * these taps' neighbours. For few output channels, where the products fill a subgroup's lanes and take no more memory than the
 * input. For adapters with subgroups of eight.
 */
export const taps: GatherVariant = {
  name: 'taps',
  plan(phase) {
    const { engine, conv, axes, batch, ci4, co4, positions, run } = phase;
    const { kernel: window, groups } = conv.window;
    const fits = (taps: number) => ceilDiv(taps * conv.co, 4) <= ci4;
    const first = [1, 2].find((axis) => fits(size(window.slice(axis)))); // of the axes that are summed
    const whole = axes.every(({ is, os, taps: n }, i) => is === 1 && os === 1 && n === window[i]);
    if (first === undefined || groups > 1 || co4 > 1 || !whole) return undefined;
    const [outer, inner] = [size(window.slice(0, first)), size(window.slice(first))];
    const z4 = ceilDiv(inner * conv.co, 4);
    if (z4 < FILLING || outer * z4 < WORTHWHILE) return undefined;

    const grid = axes.map((axis, i) => (i < first ? axis.grid : volume(conv.x.shape)[i]));
    /** Axes as they are, or with one tap that stays in its place. */
    const along = (slides: (i: number) => boolean) => {
      const each = (key: 'off' | 'k' | 'taps', still: number) => axes.map((a, i) => (slides(i) ? a[key] : still));
      return {
        ...{ off: each('off', 0), k: each('k', 0), taps: each('taps', 1) },
        kernel: window.map((n, i) => (slides(i) ? n : 1)),
      };
    };
    const { SLOPES, R: _one, ...stored } = phase.fused;
    const { x, w, slope, bias, residual, out } = run.bind;
    const products = (u: Tensor | Storage, z: Tensor | Storage): Phase => ({
      ...phase,
      ...{ co4: z4, positions: batch * size(grid), fused: { BIAS: false, RESIDUAL: false, LEAK: 1, SLOPES, R: 1 } },
      run: {
        bind: { x, w: u, bias: u, slope, residual: u, out: z },
        uniforms: { ...run.uniforms, dst: grid, grid, ...along((i) => i < first) },
        flops: run.flops,
      },
    });
    if (!subgroup.plan(products(x, out))) return undefined;
    const constants = { CO: conv.co, CI4: ci4, TAPS: inner };
    return (label) => {
      using u = engine.raw(outer * ci4 * 4 * z4 * 16);
      using z = engine.raw(batch * size(grid) * z4 * 16);
      engine.run(kernel, 'filter_taps', { bind: { w, products: u }, constants, threads: u.bytes / 4, label });
      subgroup.plan(products(u, z))?.(label);
      engine.run(kernel, 'sum_taps', {
        bind: { z, bias, residual, out },
        constants: { ...constants, ...stored },
        uniforms: { ...run.uniforms, src: [...grid, batch], ...along((i) => i >= first) },
        threads: positions,
        label: `${label} sum`,
      });
    };
  },
};
