import { describe, expect, test } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { philox4x32, Random } from '../../engine/random.ts';

describe('philox', () => {
  // The known-answer vectors published with Random123 (kat_vectors, philox 4x32, 10 rounds).
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('known answer %#', (counter, key, expected) => {
    expect(philox4x32(counter as [number, number, number, number], key as [number, number])).toEqual(expected);
  });
});

describe('Random', () => {
  const draw = (random: Random, n: number) => Array.from({ length: n }, () => random.uint32());

  test('opens with the known answer, and streams differ', () => {
    expect(draw(new Random(0), 4)).toEqual(philox4x32([0, 0, 0, 0], [0, 0]));
    expect(draw(new Random(5, 1), 4)).toEqual(philox4x32([0, 0, 1, 0], [5, 0]));
    expect(draw(new Random(2 ** 40 + 3), 4)).toEqual(philox4x32([0, 0, 0, 0], [3, 2 ** 8]));
  });

  test.each([0, 1, 3, 4, 11])('resumes from its state after %i words', (n) => {
    const random = new Random(42);
    draw(random, n);
    const state = JSON.parse(JSON.stringify(random.state()));
    expect(draw(Random.from(state), 9)).toEqual(draw(random, 9));
  });

  test('uniform and normal have the right moments', () => {
    const random = new Random(7);
    const moments = (sample: () => number) => {
      let [sum, squares] = [0, 0];
      for (let i = 0; i < 20_000; i++) {
        const x = sample();
        sum += x;
        squares += x * x;
      }
      return [sum / 20_000, squares / 20_000];
    };
    const [mean, square] = moments(() => random.uniform());
    expect(mean).toBeCloseTo(1 / 2, 1.9);
    expect(square).toBeCloseTo(1 / 3, 1.9);
    const [centre, variance] = moments(() => random.normal());
    expect(Math.abs(centre)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  });

  test('int covers its range, shuffle keeps its items', () => {
    const random = new Random(3);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 5000; i++) counts[random.int(5)]++;
    for (const n of counts) expect(Math.abs(n - 1000)).toBeLessThan(130);
    const items = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = random.shuffle([...items]);
    expect(shuffled).not.toEqual(items);
    expect(shuffled.sort((a, b) => a - b)).toEqual(items);
  });

  test('refuses senseless arguments', () => {
    expect(() => new Random(-1)).toThrow(UsageError);
    expect(() => new Random(0.5)).toThrow(UsageError);
    expect(() => new Random(1).int(0)).toThrow(UsageError);
    expect(() => Random.from({ seed: 1, stream: 0, position: Number.NaN })).toThrow(UsageError);
  });
});
