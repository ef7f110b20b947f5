import { describe, expect, it } from 'vitest';
import type { NDArray } from '../../engine/reference/array.ts';
import { references } from '../../engine/reference/index.ts';
import { type Fixture, readFixture, relativeError } from '../fixtures/read.ts';

/** A tape over the references: each call is kept, and run backwards in reverse order. Gradients of one array add up. */
class Tape {
  private steps: (() => void)[] = [];
  private gradients = new Map<NDArray, NDArray>();

  run(op: string, inputs: Record<string, NDArray>, attrs: Record<string, unknown> = {}): NDArray {
    const y = references[op].forward(inputs, attrs);
    this.steps.push(() => {
      const dy = this.gradients.get(y);
      if (!dy) throw new Error(`${op} does not reach the loss`);
      for (const [name, gradient] of Object.entries(references[op].backward(dy, inputs, attrs)))
        this.add(inputs[name], gradient);
    });
    return y;
  }

  private add(x: NDArray, gradient: NDArray): void {
    const sum = this.gradients.get(x);
    if (sum) for (let i = 0; i < sum.data.length; i++) sum.data[i] += gradient.data[i];
    else this.gradients.set(x, { shape: gradient.shape, data: gradient.data.slice() });
  }

  backward(loss: NDArray): Map<NDArray, NDArray> {
    this.gradients.set(loss, { shape: [], data: Float64Array.of(1) });
    for (const step of this.steps.reverse()) step();
    return this.gradients;
  }
}

const up4 = { stride: [1, 4, 4] };

/** FSTRN by the fixture's metadata, built of references alone. */
function fstrn(tape: Tape, { metadata, tensors: t }: Fixture): NDArray {
  const { variant } = metadata;
  const layer = (op: string, name: string, input: NDArray, attrs: Record<string, unknown>) =>
    tape.run(op, { input, weight: t[`${name}.weight`], bias: t[`${name}.bias`] }, attrs);
  const leaky = (x: NDArray) =>
    metadata.leaky === 'true' ? tape.run('leaky_relu', { input: x }, { negative_slope: 0.2 }) : x;
  const prelu = (input: NDArray, name: string) => tape.run('prelu', { input, weight: t[`${name}.weight`] });

  const first = leaky(layer('conv3d', 'lfe', t.x, { padding: 1 }));
  let features = first;
  for (let i = 0; i < Number(metadata.blocks); i++) {
    const factorised = tape.run('separable_conv3d', {
      input: prelu(features, `blocks.${i}.prelu`),
      weight_s: t[`blocks.${i}.spatial.weight`],
      bias_s: t[`blocks.${i}.spatial.bias`],
      weight_t: t[`blocks.${i}.temporal.weight`],
      bias_t: t[`blocks.${i}.temporal.bias`],
    });
    features = tape.run('add', { a: features, b: factorised });
  }
  const fused = layer('conv3d', 'fusion', prelu(tape.run('add', { a: first, b: features }), 'prelu'), { padding: 1 });
  const large = {
    default: () => tape.run('pixel_shuffle', { input: layer('conv3d', 'up', fused, {}) }, { factor: 4 }),
    a: () => layer('conv_transpose3d', 'up', fused, { ...up4, padding: [1, 0, 0], output_padding: [0, 1, 1] }),
    b: () => layer('conv_transpose3d', 'up', fused, up4),
  }[variant as 'default' | 'a' | 'b']();
  const residual = leaky(layer('conv3d', 'out', large, { padding: 1 }));
  const picture = tape.run('interpolate', { input: t.x }, { scale_factor: [1, 4, 4], mode: 'trilinear' });
  return tape.run('add', { a: residual, b: picture });
}

describe.each(['default', 'a', 'a_leaky', 'b'])('FSTRN %s, composed of references, equals PyTorch', (name) => {
  const fixture = readFixture(`fstrn_${name}`);
  const { metadata, tensors } = fixture;

  it('in its output, its loss and every gradient', () => {
    const tape = new Tape();
    const y = fstrn(tape, fixture);
    expect(relativeError(y, tensors.y), 'y').toBeLessThan(1e-7);
    const frame = Number(metadata.loss_frames);
    const judged =
      metadata.loss_frames === 'all' ? y : tape.run('slice', { input: y }, { axis: 2, start: frame, end: frame + 1 });
    const loss = tape.run('charbonnier_loss', { input: judged, target: tensors.target });
    expect(relativeError(loss, tensors.loss), 'loss').toBeLessThan(1e-7);
    const gradients = tape.backward(loss);
    const expected = Object.keys(tensors).filter((key) => key.startsWith('grad.'));
    expect(expected.length).toBeGreaterThan(19);
    for (const key of expected) {
      const gradient = gradients.get(tensors[key.slice('grad.'.length)])!;
      expect(relativeError(gradient, tensors[key]), key).toBeLessThan(1e-7);
    }
  });
});
