import { describe, expect, test } from 'vitest';
import { commandLine, optionsFor } from '../../io/command-line.ts';
import { fromJson, toJson } from '../../io/json.ts';
import { override } from '../../train/overrides.ts';
import { recipeNamed } from '../../train/recipes.ts';
import { besideBicubic, counted } from '../../train/words.ts';

describe('a command line to be typed again', () => {
  test('quotes what a shell would not take as it is', () => {
    const words = ['train', 'a b.mp4', "it's.mp4", '--set', 'schedule.steps=[1,2]', '', '$HOME'];
    expect(commandLine(...words)).toBe(
      `npx subpixel train 'a b.mp4' 'it'\\''s.mp4' --set 'schedule.steps=[1,2]' '' '$HOME'`,
    );
  });

  test('names every setting that is not the recipe’s own', () => {
    const own = recipeNamed('fstrn-small');
    expect(optionsFor(own)).toEqual(['--iters', '1500', '--seed', '1']);
    const settings = ['net.width=16', 'schedule.steps=[10,20]', 'data.flips=false', 'data.degradation=duf'];
    const other = override(own, ['iterations=7', 'seed=4', ...settings]);
    const [iters, n, seed, m, set, ...named] = optionsFor(other);
    expect([iters, n, seed, m, set]).toEqual(['--iters', '7', '--seed', '4', '--set']);
    expect(override(own, [...named, 'iterations=7', 'seed=4'])).toEqual(other);
  });
});

test('numbers that JSON has no word for survive it', () => {
  const value = { psnr: Number.POSITIVE_INFINITY, gain: Number.NaN, low: [Number.NEGATIVE_INFINITY, 1.5, 'word'] };
  expect(toJson(value)).toBe('{"psnr":"Infinity","gain":"NaN","low":["-Infinity",1.5,"word"]}');
  expect(fromJson(toJson(value))).toEqual(value);
});

test('words for gains and counts', () => {
  expect([0.431, -0.1, 0.004, Number.NaN, Number.POSITIVE_INFINITY].map(besideBicubic)).toEqual([
    ...['0.43 dB above bicubic', '0.10 dB below bicubic', 'as good as bicubic', 'as good as bicubic'],
    'Infinity dB above bicubic',
  ]);
  expect([counted(0, 'frame'), counted(1, 'frame'), counted(2, 'frame')]).toEqual(['0 frames', '1 frame', '2 frames']);
});
