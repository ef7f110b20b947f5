import { describe, expect, test } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { srNets } from '../../nets/index.ts';
import { differences, leaves, override } from '../../train/overrides.ts';
import { checkRecipe, recipeNamed, recipes } from '../../train/recipes.ts';

const small = recipes['fstrn-small'];

describe('recipes', () => {
  test.each(Object.entries(recipes))(
    '%s makes sense, is plain data, and is called what it is called',
    (name, recipe) => {
      checkRecipe(recipe);
      expect(recipe.name).toBe(name);
      expect(JSON.parse(JSON.stringify(recipe))).toEqual(recipe);
    },
  );

  test('every network that enlarges has one, but for that whose training nobody has told', () => {
    expect(Object.keys(srNets).filter((name) => !Object.hasOwn(recipes, name))).toEqual(['esrgan-slim']);
  });

  test.each([
    [
      'vdsr',
      { data: { crop: 41, batch: 64, scales: [2, 3, 4] }, loss: { name: 'half' }, gradients: { clipTheta: 0.01 } },
    ],
    ['vdsr', { optimizer: { name: 'sgd', lr: 0.1, momentum: 0.9, weightDecay: 1e-4 }, iterations: 9960 }],
    ['srresnet', { data: { crop: 96, batch: 16 }, loss: { name: 'mse' }, optimizer: { lr: 1e-4 }, iterations: 1e6 }],
    ['esrgan', { data: { crop: 128, batch: 16 }, loss: { name: 'l1' }, optimizer: { lr: 2e-4 }, iterations: 1e6 }],
    ['rcan', { data: { crop: 192, batch: 16, turns: true }, schedule: { factor: 0.5 }, iterations: 1e6 }],
    ['dbpn', { data: { crop: 128, batch: 20 }, optimizer: { lr: 1e-4, weightDecay: 1e-4 }, iterations: 1e6 }],
    [
      'duf',
      {
        data: { frames: 7, crop: 128, margin: 8, batch: 16, degradation: 'duf' },
        loss: { name: 'huber', delta: 0.01 },
      },
    ],
    ['frvsr', { data: { frames: 10, crop: 256, batch: 4, degradation: 'frvsr' }, iterations: 400_000 }],
    [
      'spmc',
      {
        data: { frames: 3, crop: 400, batch: 10, degradation: 'spmc' },
        loss: { estimates: [0.5, 0.75, 1] },
        schedule: { power: 0.9 },
        gradients: { clipNorm: 3 },
      },
    ],
    [
      'rbpn',
      { data: { frames: 7, crop: 256, batch: 8, motion: 'coarse2fine' }, loss: { name: 'l1', frames: 'centre' } },
    ],
    ['vespcn', { data: { frames: 3, crop: 132, batch: 128 }, optimizer: { lr: 1e-4 } }],
    [
      'b123t',
      { data: { frames: 5, crop: 120, batch: 16 }, loss: { name: 'charbonnier', eps: 1e-3 }, schedule: { power: 1 } },
    ],
  ])('%s has the numbers of its paper', (name, numbers) => {
    expect(recipes[name]).toMatchObject(numbers);
  });

  test('fstrn is the training of the paper', () => {
    expect(recipes.fstrn).toMatchObject({
      net: { width: 64, blocks: 5, dropout: 0.3, channels: 1 },
      data: { frames: 5, crop: 144, degradation: 'gaussian' },
      loss: { name: 'charbonnier', eps: 1e-3 },
      optimizer: { name: 'adam', lr: 1e-4, beta1: 0.9 },
      schedule: { name: 'plateau', factor: 0.1 },
    });
    expect(recipes.fstrn.data.batch * recipes.fstrn.gradients.accumulate).toBe(21);
  });

  test('an unknown name is answered with the nearest', () => {
    expect(() => recipeNamed('fstrn-smal')).toThrow('no recipe is called fstrn-smal, did you mean fstrn-small?');
    expect(() => recipeNamed('toString')).toThrow('there are: fstrn, fstrn-small, ');
  });

  test.each([
    ['iterations=0', 'iterations: expected a whole number of at least 1, got 0'],
    ['data.batch=1.5', 'data.batch: expected a whole number'],
    ['data.crop=30', 'data.crop: expected a multiple of the scale 4, got 30'],
    ['optimizer.lr=-1', 'optimizer.lr: expected a positive number'],
    ['ema=1', 'ema: expected a share in [0, 1), got 1'],
    ['seed=-1', 'seed: expected'],
  ])('%s is refused', (setting, message) => {
    expect(() => checkRecipe(override(small, [setting]))).toThrow(message);
  });
});

describe('--set', () => {
  test('each value is read as the type that the recipe has there', () => {
    const changed = override(small, [
      ...['net.width=16', 'optimizer.lr=3e-4', 'data.flips=false', 'net.crossResidual=none'],
      ...['schedule.steps=[100, 200]', 'net.width=24'],
    ]);
    expect(changed.net.width).toBe(24); // the last one counts
    expect(changed.optimizer).toEqual({ ...small.optimizer, lr: 3e-4 });
    expect(changed.data.flips).toBe(false);
    expect(changed.net.crossResidual).toBe('none');
    expect(changed.schedule.steps).toEqual([100, 200]);
    expect(override(changed, ['schedule.steps=']).schedule.steps).toEqual([]);
    expect(small.net.width).toBe(32);
  });

  test.each([
    ['net.widht=3', '--set net.widht=3: fstrn-small has no setting net.widht, did you mean net.width?'],
    ['zzzzzzzzzzz=3', 'has no setting zzzzzzzzzzz; there are: seed, iterations, net.channels'],
    ['net=3', 'has no setting net'],
    ['net.name=x', 'has no setting net.name'],
    ['net.width', '--set net.width: expected key=value, such as net.width=32'],
    ['net.width=', '--set net.width=: expected a number'],
    ['net.width=wide', '--set net.width=wide: expected a number'],
    ['net.width=Infinity', 'expected a number'],
    ['data.flips=1', '--set data.flips=1: expected true or false'],
    ['loss.name=l3', '--set loss.name=l3: expected one of charbonnier, l1, mse'],
    ['schedule.steps=[1,x]', 'expected a number'],
    ['__proto__.x=1', 'has no setting'],
  ])('%s is refused', (setting, message) => {
    expect(() => override(small, [setting])).toThrow(UsageError);
    expect(() => override(small, [setting])).toThrow(message);
  });

  test('every setting that is one of a few words takes them all', () => {
    for (const [key, value] of leaves(small)) {
      if (typeof value !== 'string' || key.endsWith('name') || key.startsWith('net.')) continue;
      expect(override(small, [`${key}=${value}`])).toEqual(small);
      expect(() => override(small, [`${key}=nonsense`])).toThrow('expected one of');
    }
  });
});

test('differences names what differs, and nothing else', () => {
  expect(differences(small, small)).toBe('');
  expect(differences(small, override(small, ['iterations=7', 'net.width=8']))).toBe(
    `iterations: ${small.iterations} there, 7 here; net.width: 32 there, 8 here`,
  );
});
