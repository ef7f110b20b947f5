import { describe, expect, test } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { lumaOfPlanes } from '../../train/colour.ts';
import {
  type ClipFrames,
  ClipStore,
  type CropOptions,
  CropSampler,
  cutSample,
  enumerateVolumes,
  FSTRN_CROPS,
} from '../../train/dataset.ts';
import { bicubicUpscale, degrade } from '../../train/degrade.ts';
import { motionsFrom } from '../../train/motion.ts';

const options: CropOptions = { ...FSTRN_CROPS, frames: 3, crop: 16, target: 'all' };

/** Frames that tell where they are from: the frame's number in every pixel, plus a little texture. */
function clip(name: string, levels: number[], { width = 24, height = 20, channels = 1 as 1 | 3 } = {}): ClipFrames {
  const random = new Random(levels.length);
  const noise = Uint8Array.from({ length: channels * width * height }, () => random.int(3));
  return { name, width, height, channels, frames: levels.map((level) => noise.map((v) => v + level)) };
}
const ramp = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);
const twoShots = clip('two', [...ramp(10, 6), ...ramp(180, 5)]);

describe('ClipStore', () => {
  test('knows shots, frames and bytes', () => {
    const store = new ClipStore([twoShots, clip('rgb', ramp(0, 4), { channels: 3 })]);
    expect(store.clips.map(({ shots }) => shots.map(({ start }) => start))).toEqual([[0, 6], [0]]);
    expect([store.frames, store.bytes]).toEqual([15, (11 + 4 * 3) * 24 * 20]);
  });
});

describe('CropSampler', () => {
  test('shapes, range, and LR that is the degraded HR', () => {
    const { lr, hr, lrShape, hrShape } = new CropSampler(new ClipStore([twoShots]), options, 1).next(4);
    expect([lrShape, hrShape]).toEqual([
      [4, 1, 3, 4, 4],
      [4, 1, 3, 16, 16],
    ]);
    expect(Math.max(...hr)).toBeLessThanOrEqual(1);
    expect(lr).toEqual(degrade(hr, 16, 16, 'gaussian', 4).data);
  });

  test('frames follow each other and never cross a shot', () => {
    const sampler = new CropSampler(new ClipStore([twoShots]), { ...options, flips: false }, 2);
    expect(sampler.windows).toBe(4 + 3);
    const { hr } = sampler.next(200);
    const seen = new Set<number>();
    for (let n = 0; n < 200; n++) {
      const pixel = (t: number) => Math.round(255 * hr[(n * 3 + t) * 256]);
      expect([pixel(1) - pixel(0), pixel(2) - pixel(1)]).toEqual([1, 1]);
      seen.add(pixel(0) < 100 ? Math.round((pixel(0) - 11) / 4) : 100);
    }
    expect(seen.size).toBeGreaterThan(1); // both shots
  });

  test('the middle frame alone, RGB, and Y of RGB', () => {
    const store = new ClipStore([clip('rgb', ramp(50, 9), { channels: 3 })]);
    const all = new CropSampler(store, { ...options, channels: 3 }, 3).next(2);
    const centre = new CropSampler(store, { ...options, channels: 3, target: 'centre' }, 3).next(2);
    expect(centre.hrShape).toEqual([2, 3, 1, 16, 16]);
    expect(centre.lr).toEqual(all.lr);
    for (let nc = 0; nc < 6; nc++) {
      expect(centre.hr.subarray(nc * 256, nc * 256 + 256)).toEqual(
        all.hr.subarray((nc * 3 + 1) * 256, (nc * 3 + 2) * 256),
      );
    }
    const y = new CropSampler(store, { ...options, flips: false }, 3).next(1);
    const rgb = new CropSampler(store, { ...options, flips: false, channels: 3 }, 3).next(1).hr;
    const first = new Float32Array(3 * 256).map((_, i) => 255 * rgb[Math.floor(i / 256) * 3 * 256 + (i % 256)]);
    lumaOfPlanes(first).forEach((v, i) => {
      expect(255 * y.hr[i]).toBeCloseTo(v, 3);
    });
  });

  test('mirrors', () => {
    const source = clip('m', ramp(0, 3), { width: 16, height: 16 });
    const plain = cutSample(source, { t: 0, y: 0, x: 0 }, options).hr;
    const turned = cutSample(source, { t: 0, y: 0, x: 0 }, options, { x: true, y: true }).hr;
    for (let t = 0; t < 3; t++) {
      const frame = (x: Float32Array) => x.slice(t * 256, t * 256 + 256);
      expect(frame(turned)).toEqual(frame(plain).reverse());
    }
  });

  test('a seed gives one sequence, and a state continues it', () => {
    const store = new ClipStore([twoShots, clip('more', ramp(90, 20))]);
    const sampler = new CropSampler(store, options, 7);
    const first = sampler.next(3);
    expect(new CropSampler(store, options, 7).next(3)).toEqual(first);
    expect(new CropSampler(store, options, 8).next(3)).not.toEqual(first);
    const state = JSON.parse(JSON.stringify(sampler.state()));
    const second = sampler.next(5);
    const resumed = new CropSampler(store, options, 0);
    resumed.restore(state);
    expect(resumed.next(5)).toEqual(second);
  });

  test('clips and options that do not fit', () => {
    const make = (clips: ClipFrames[], change: Partial<CropOptions> = {}) => {
      return () => new CropSampler(new ClipStore(clips), { ...options, ...change }, 1);
    };
    expect(make([twoShots, clip('brief', [1, 2])])).toThrow(
      'clip brief: expected at least 3 frames to train on, it has 2',
    );
    expect(make([clip('tiny', ramp(0, 9), { width: 1, height: 1 })])).toThrow(
      'clip tiny: samples are squares of 16 pixels',
    );
    expect(make([clip('grey', ramp(0, 9))], { channels: 3 })).toThrow('clip grey: expected RGB');
    expect(make([clip('cut', [10, 11, 180, 181])])).toThrow('no clip (cut) has a shot of 3 frames');
    expect(make([])).toThrow('none given');
    expect(make([twoShots], { crop: 18 })).toThrow('a multiple of the scale 4');
    expect(make([twoShots], { frames: 0 })).toThrow(UsageError);
  });
});

describe('samples of other papers', () => {
  const picture = clip('p', ramp(0, 30), { width: 64, height: 60 });
  const store = new ClipStore([picture]);
  const at = { t: 3, y: 4, x: 8 };
  const plain = { ...options, frames: 1, flips: false } as const;
  const square = (planes: Float32Array, side: number, from: number, inner: number) =>
    planes.filter((_, i) => {
      const [row, column] = [Math.floor(i / side) - from, (i % side) - from];
      return row >= 0 && row < inner && column >= 0 && column < inner;
    });

  test('a margin lends its pixels to low resolution, and is cut away', () => {
    const wide = cutSample(picture, at, { ...plain, crop: 32 });
    const inner = cutSample(picture, at, { ...plain, crop: 16, margin: 8 });
    expect(inner.lr).toEqual(square(wide.lr, 8, 2, 4));
    expect(inner.hr).toEqual(square(wide.hr, 32, 8, 16));
  });

  test('enlarged samples of any size, each by a factor of its own', () => {
    const enlarged = { ...plain, crop: 13, margin: 2, scales: [2, 3, 4], degradation: 'bicubic' } as const;
    const { lrShape, hrShape } = new CropSampler(store, enlarged, 1).next(6);
    expect([lrShape, hrShape]).toEqual([
      [6, 1, 1, 13, 13],
      [6, 1, 1, 13, 13],
    ]);
    const three = cutSample(picture, at, { ...enlarged, scale: 3 });
    const { hr } = cutSample(picture, at, { ...plain, crop: 18, scale: 3 });
    const low = degrade(hr, 18, 18, 'bicubic', 3);
    expect(three.lr).toEqual(square(bicubicUpscale(low.data, 6, 6, 3).data, 18, 2, 13));
    expect(three.hr).toEqual(square(hr, 18, 2, 13));
  });

  test('low resolution of 8 bits', () => {
    const { lr } = cutSample(picture, at, { ...plain, rounded: true });
    const exact = cutSample(picture, at, plain).lr;
    expect(lr.every((v, i) => Math.abs(255 * v - Math.round(255 * exact[i])) < 1e-4)).toBe(true);
  });

  test('turns exchange rows and columns, then mirrors fall', () => {
    const still = cutSample(picture, at, plain).hr;
    for (const [x, y] of [
      [false, false],
      [true, false],
      [false, true],
    ]) {
      const turned = cutSample(picture, at, plain, { x, y, exchanged: true }).hr;
      const place = (n: number, mirrored: boolean) => (mirrored ? 15 - n : n);
      turned.forEach((v, i) => {
        const [row, column] = [place(Math.floor(i / 16), y), place(i % 16, x)];
        expect(v).toBe(still[column * 16 + row]);
      });
    }
  });

  test('frames stand still, skip some, or run backwards, inside one shot', () => {
    const sampler = new CropSampler(store, { ...options, flips: false, intervals: [-3, 0, 2] }, 3);
    const { hr } = sampler.next(60);
    const steps = new Set<number>();
    for (let n = 0; n < 60; n++) {
      const value = (t: number) => Math.round(255 * hr[(n * 3 + t) * 256]);
      expect(value(2) - value(1)).toBe(value(1) - value(0));
      steps.add(value(1) - value(0));
    }
    expect([...steps].sort((a, b) => a - b)).toEqual([-3, 0, 2]);
    expect(sampler.windows).toBe(24 + 30 + 26);
    const brief = new CropSampler(new ClipStore([clip('b', ramp(0, 4))]), { ...options, intervals: [1, 2] }, 3);
    expect(brief.windows).toBe(2); // 5 frames are not there for every second one
  });

  test('motion is that of the finished sample', () => {
    const { lr, lrShape, motion } = new CropSampler(store, { ...options, motion: 'coarse2fine' }, 4).next(2);
    expect(lrShape).toEqual([2, 1, 3, 4, 4]);
    const frame = (t: number) => ({ width: 4, height: 4, data: lr.slice((3 + t) * 16, (4 + t) * 16) });
    const [before, after] = motionsFrom([0, 1, 2].map(frame));
    const expected = [before, after].map(({ data }) => [...data]);
    const second = motion!.slice(64);
    expect([...second]).toEqual([0, 1].flatMap((axis) => expected.flatMap((m) => m.slice(axis * 16, axis * 16 + 16))));
  });
});

describe('the volumes of the FSTRN code', () => {
  test.each([5, 14, 15, 150, 300])('a QCIF sequence of %i frames', (frames) => {
    const volumes = enumerateVolumes({ frames, width: 176, height: 144 });
    expect(volumes).toHaveLength(2 * (Math.floor((frames - 5) / 10) + 1));
    expect(volumes.slice(0, 2)).toEqual([
      { t: 0, y: 0, x: 0 },
      { t: 0, y: 0, x: 32 },
    ]);
    expect(volumes[volumes.length - 1].t + 5).toBeLessThanOrEqual(frames);
  });

  test('nothing fits into too little', () => {
    expect(enumerateVolumes({ frames: 4, width: 176, height: 144 })).toEqual([]);
    expect(enumerateVolumes({ frames: 9, width: 143, height: 144 })).toEqual([]);
  });
});
