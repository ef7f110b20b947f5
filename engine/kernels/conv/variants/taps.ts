import wgsl from '../../../../shaders/conv.taps.wgsl';
import { Kernel } from '../../../kernel.ts';
import { type Storage, size, type Tensor } from '../../../tensor.ts';
import { ceilDiv, volume } from '../geometry.ts';
import type { GatherVariant, Phase } from '../phase.ts';
import { subgroup } from './subgroup.ts';

const kernel = new Kernel('conv.taps', wgsl);
const NONE = [0, 0, 0];
const ONE = [1, 1, 1];

/**
 * Products of every input with every tap of a plane, then their sum: for few output channels, where the products fill a
 * subgroup's lanes and take no more memory than the input. For adapters with subgroups of eight.
 */
export const taps: GatherVariant = {
  name: 'taps',
  plan(phase) {
    const { engine, conv, axes, batch, ci4, co4, positions, run } = phase;
    const { kernel: window, groups } = conv.window;
    const [planes, plane] = [window[0], window[1] * window[2]];
    const z4 = ceilDiv(plane * conv.co, 4);
    const whole = axes.every(({ is, os, taps: n }, i) => is === 1 && os === 1 && n === window[i]);
    if (groups > 1 || co4 > 1 || !whole || z4 < 5 || z4 > ci4) return undefined;
    const { SLOPES, R: _one, ...stored } = phase.fused;
    const grid = volume(conv.x.shape);
    const inputs = batch * size(grid);
    const { x, w, slope, bias, residual, out } = run.bind;
    const products = (a: number, u: Tensor | Storage, z: Tensor | Storage): Phase => ({
      ...phase,
      ...{ co4: z4, positions: inputs, fused: { BIAS: false, RESIDUAL: false, LEAK: 1, SLOPES, R: 1 } },
      run: {
        bind: { x, w: u, bias: u, slope, residual: u, out: z },
        uniforms: {
          ...run.uniforms,
          ...{ dst: grid, grid, is: ONE, off: NONE, os: ONE, oo: NONE, taps: ONE, kernel: [planes, 1, 1] },
          k: [axes[0].k + a * axes[0].kStep, 0, 0],
        },
        flops: run.flops / planes,
      },
    });
    if (!subgroup.plan(products(0, x, out))) return undefined;
    const constants = { CO: conv.co, CI4: ci4, PLANE: plane };
    return (label) => {
      using u = engine.raw(planes * ci4 * 4 * z4 * 16);
      using z = engine.raw(inputs * z4 * 16);
      engine.run(kernel, 'filter_taps', { bind: { w, products: u }, constants, threads: u.bytes / 4, label });
      for (let a = 0; a < planes; a++) {
        subgroup.plan(products(a, u, z))?.(label);
        engine.run(kernel, 'sum_taps', {
          bind: { z, bias, residual, out },
          constants: { ...constants, ...stored, FIRST: a === 0, LAST: a === planes - 1 },
          uniforms: { ...run.uniforms, plane: a },
          threads: positions,
          label: `${label} sum`,
        });
      }
    };
  },
};
