import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../engine/engine.ts';
import { KernelError, LimitError, OutOfMemoryError, ShapeError, SubpixelError } from '../../engine/errors.ts';
import { sizeClass } from '../../engine/memory.ts';
import { add, mul } from '../../engine/ops/binary.ts';
import { conv2d } from '../../engine/ops/conv.ts';
import { charbonnier_loss } from '../../engine/ops/losses.ts';
import { prelu } from '../../engine/ops/prelu.ts';
import { sum } from '../../engine/ops/sum.ts';
import { relu, sigmoid } from '../../engine/ops/unary.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { makeArray } from '../op-case.ts';
import { testEngine } from '../ops/engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.destroy());

const live = () => engine.memory.stats().live;
const values = (shape: number[], seed: string) => makeArray(shape, seed).data;

describe('size classes', () => {
  it('hold what is asked for, waste at most a sixteenth, and are few', () => {
    const classes = new Set<number>();
    for (let bytes = 16; bytes < 2 ** 20; bytes += 48) {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 4).toBe(0);
      if (bytes > 1024) expect(size - bytes).toBeLessThan(size / 16);
      expect(sizeClass(size)).toBe(size);
      classes.add(size);
    }
    expect(classes.size).toBeLessThan(200);
  });
});

describe('scopes', () => {
  it('give back what was made in them, and keep what is kept', async () => {
    const before = live();
    {
      using _outer = engine.scope();
      let kept: Tensor;
      {
        using inner = engine.scope();
        const x = engine.tensor([2, 3], [1, 2, 3, 4, 5, 6]);
        kept = inner.keep(relu(add(x, x)));
      }
      expect([...(await kept.read())]).toEqual([2, 4, 6, 8, 10, 12]);
      expect(live()).toBeGreaterThan(before);
    }
    expect(live()).toBe(before);
  });

  it('do not own parameters', async () => {
    let weight: Tensor;
    {
      using _scope = engine.scope();
      weight = engine.parameter([3], [1, 2, 3]);
    }
    expect([...(await weight.read())]).toEqual([1, 2, 3]);
    weight.release();
  });

  it('end one by one, in any order of creation', () => {
    const before = live();
    const a = engine.scope();
    engine.zeros([4]);
    const b = engine.scope();
    engine.zeros([4]);
    a[Symbol.dispose]();
    b[Symbol.dispose]();
    expect(live()).toBe(before);
  });
});

describe('a training step', () => {
  it('leaves as much memory live after 100 steps as after 3', async () => {
    const before = live();
    const weight = engine.parameter([5, 3, 3, 3], values([5, 3, 3, 3], 'w'), 'filter');
    const slope = engine.parameter([5], values([5], 's'));
    const step = () => {
      using _scope = engine.scope();
      using tape = engine.record();
      const x = engine.tensor([2, 3, 9, 8], values([2, 3, 9, 8], 'x'));
      const y = prelu(conv2d(x, weight, undefined, { padding: 1 }), slope);
      tape.backward(charbonnier_loss(y, engine.zeros(y.shape)));
      for (const p of [weight, slope]) p.setGrad(undefined);
    };
    const after: number[] = [];
    for (let i = 1; i <= 100; i++) {
      step();
      if (i === 3 || i === 100) after.push(live());
    }
    await engine.finish();
    expect(after[1]).toBe(after[0]);
    expect(after[0] - before).toBe(weight.storage.block.bytes + slope.storage.block.bytes);
    for (const p of [weight, slope]) p.release();
    expect(live()).toBe(before);
  });

  it('frees activations while it goes backwards', () => {
    using _scope = engine.scope();
    const x = engine.zeros([1, 4, 64, 64]).track();
    const tape = engine.record();
    let y: Tensor;
    {
      using scope = engine.scope();
      y = x;
      for (let i = 0; i < 10; i++) y = sigmoid(y);
      y = scope.keep(sum(y));
    }
    const held = live();
    engine.memory.resetPeak();
    tape.backward(y);
    tape[Symbol.dispose]();
    expect(engine.memory.stats().peak - held).toBeLessThan(5 * x.bytes);
    expect(live()).toBeLessThan(held - 8 * x.bytes);
    x.setGrad(undefined);
  });

  it('forgotten, gives everything back with its tape', () => {
    const before = live();
    {
      using _scope = engine.scope();
      using _tape = engine.record();
      sigmoid(sigmoid(engine.zeros([1, 4, 8, 8]).track()));
    }
    expect(live()).toBe(before);
  });
});

describe('released tensors', () => {
  it('refuse to be used, and to be released twice', async () => {
    const x = engine.zeros([1, 3, 2, 2]);
    x.release();
    const before = live();
    expect(x.released).toBe(true);
    expect(() => relu(x)).toThrow(KernelError);
    expect(() => relu(x)).toThrow(/released before this use/);
    await expect(x.read()).rejects.toThrow(/released/);
    expect(() => engine.write(x, new Float32Array(12))).toThrow(/released/);
    expect(() => x.release()).toThrow(SubpixelError);
    expect(live()).toBe(before);
  });

  it('live on in their views', async () => {
    const before = live();
    const x = engine.tensor([1, 2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const view = engine.view(x, [1, 2, 6]);
    x.release();
    expect([...(await view.read())]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    view.release();
    expect(live()).toBe(before);
  });
});

describe('refuses', () => {
  it('views of other sizes, tensors without elements, values that do not fit', () => {
    using _scope = engine.scope();
    const x = engine.zeros([1, 3, 2, 2]);
    expect(() => engine.view(x, [1, 3, 2, 3])).toThrow(ShapeError);
    expect(() => engine.view(x, [12])).toThrow(/memory differs/);
    expect(() => engine.zeros([1, 0, 2, 2])).toThrow(ShapeError);
    expect(() => engine.zeros([1, -3, 2, 2])).toThrow(ShapeError);
    expect(() => engine.zeros([1, 2.5, 2, 2])).toThrow(ShapeError);
    expect(() => engine.zeros([1, Number.NaN, 2, 2])).toThrow(ShapeError);
    expect(() => engine.tensor([2, 2], [1, 2, 3])).toThrow('shape (2, 2) holds 4 values, got 3');
  });

  it('a tensor beyond what the adapter binds, and names both sizes', () => {
    const before = live();
    const { bindingBytes } = engine.caps.limits;
    expect(() => engine.empty([1, 4, Math.ceil(bindingBytes / 16) + 1, 1])).toThrow(LimitError);
    expect(() => engine.empty([1, 4, 2 ** 20, 2 ** 20])).toThrow(/MiB is needed.*binds at most .* MiB/);
    expect(live()).toBe(before);
  });
});

describe('a budget', () => {
  const attempt = () => {
    using _scope = engine.scope();
    using tape = engine.record();
    const x = engine.tensor([1, 3, 40, 40], values([1, 3, 40, 40], 'x')).track();
    const w = engine.tensor([8, 3, 3, 3], values([8, 3, 3, 3], 'w'), 'filter').track();
    const s = engine.tensor([8], values([8], 's')).track();
    try {
      const y = prelu(conv2d(x, w, undefined, { padding: 1 }), s);
      tape.backward(sum(mul(y, y)));
      return w.grad!.read();
    } finally {
      for (const t of [x, w, s]) t.setGrad(undefined);
    }
  };

  it('that is too small fails at any allocation with nothing left behind, and then all works', async () => {
    const want = await attempt();
    const before = live();
    let failures = 0;
    try {
      for (engine.memory.budget = before; ; engine.memory.budget += 4096) {
        try {
          await attempt();
          break;
        } catch (error) {
          expect(error).toBeInstanceOf(OutOfMemoryError);
          expect((error as Error).message).toMatch(/more device memory is needed, but .* allowed is in use/);
          expect(live()).toBe(before);
          failures++;
        }
      }
    } finally {
      engine.memory.budget = Number.POSITIVE_INFINITY;
    }
    expect(failures).toBeGreaterThan(10);
    expect(await attempt()).toEqual(want);
    expect(live()).toBe(before);
  });

  it('gives free blocks of other sizes back before it refuses, even if recorded commands still use them', async () => {
    engine.memory.trim();
    using _scope = engine.scope();
    const x = engine.tensor([1, 4, 32, 32], new Float32Array(4096).fill(2));
    engine.memory.budget = live() + 3 * x.bytes;
    try {
      for (let i = 0; i < 8; i++) {
        using _inner = engine.scope();
        const part = engine.tensor([1, 4, 8 + i, 32], new Float32Array(128 * (8 + i)).fill(i));
        add(part, part);
      }
      expect(await sum(add(x, x)).item()).toBe(16384);
      expect(engine.memory.stats().pooled + live()).toBeLessThanOrEqual(engine.memory.budget);
    } finally {
      engine.memory.budget = Number.POSITIVE_INFINITY;
    }
  });
});

describe('the pool', () => {
  it('lets a block serve for less than it holds, and counts what was asked for', () => {
    engine.memory.trim();
    const before = live();
    const large = engine.empty([1, 4, 300, 300]);
    const { block } = large.storage;
    large.release();
    const small = engine.empty([1, 4, 256, 256]);
    expect(small.storage.block).toBe(block);
    expect(live() - before).toBe(small.bytes);
    const tiny = engine.empty([1, 4, 16, 16]);
    small.release();
    tiny.release();
    const again = engine.empty([1, 4, 16, 16]);
    expect(again.storage.block).not.toBe(block);
    again.release();
    expect(live()).toBe(before);
  });

  it('holds no more than twice what was ever live, and 64 MiB, whatever sizes come', () => {
    engine.memory.trim();
    engine.memory.resetPeak();
    for (let i = 1; i <= 20; i++) engine.empty([1, 4, 512 * i, 512]).release();
    const { live, pooled, peak } = engine.memory.stats();
    expect(live + pooled).toBeLessThanOrEqual(2 * peak + 2 ** 26);
    engine.memory.trim();
    expect(engine.memory.stats().pooled).toBeLessThan(2 ** 20);
  });
});

describe('a device without memory', () => {
  it('says how much was asked for; the block that it did not give is never used again', async () => {
    const { gpu } = engine.device;
    const shape = [1, 4, 77, 131];
    const refusal = vi.spyOn(gpu, 'popErrorScope').mockImplementationOnce(async () => {
      await GPUDevice.prototype.popErrorScope.call(gpu);
      return { message: 'simulated' } as GPUError;
    });
    const x = engine.empty(shape);
    const missing = x.storage.block;
    x.release();
    await expect(engine.finish()).rejects.toThrow(/^the device has no .* MiB left .*simulated/);
    refusal.mockRestore();
    const again = engine.empty(shape);
    expect(again.storage.block).not.toBe(missing);
    again.release();
  });
});
