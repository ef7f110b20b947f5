import { Conv2d, Conv3d, ConvTranspose2d } from '../../engine/nn/layers.ts';
import type { Build } from '../../engine/nn/module.ts';
import { add } from '../../engine/ops/binary.ts';
import { concat } from '../../engine/ops/concat.ts';
import { pixel_unshuffle } from '../../engine/ops/pixel_shuffle.ts';
import { reshape } from '../../engine/ops/reshape.ts';
import { slice } from '../../engine/ops/slice.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { frameOf } from '../../nets/frames.ts';
import { cropped, padded } from '../../nets/multiple.ts';
import { Net } from '../../nets/net.ts';

const init = {
  init: (shape: readonly number[], random: Build['random']) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.3 * random.normal()),
};

/** Each frame by itself, RGB. */
export class TinyImage extends Net {
  readonly form = 'image';
  readonly config = { channels: 3, scale: 2 };
  readonly spatialReach = 1;
  readonly conv: Conv2d;
  constructor(build: Build) {
    super();
    this.conv = new Conv2d(build, { in: 3, out: 12, kernel: [3, 3], ...init });
  }
  forward(x: Tensor): Tensor {
    return this.conv.fused(x, { shuffle: 2 });
  }
}

/** An enlarged picture, and what is to be added to it. */
export class TinyEnlarged extends Net {
  readonly form = 'image';
  readonly config: Net['config'];
  override readonly enlarged = true;
  readonly spatialReach = 1;
  readonly conv: Conv2d;
  constructor(build: Build, scale: number) {
    super();
    this.config = { channels: 1, scale };
    this.conv = new Conv2d(build, { in: 1, out: 1, kernel: [3, 3], ...init });
  }
  forward(x: Tensor): Tensor {
    return this.conv.fused(x, { residual: x });
  }
}

/** The middle frame of three; motion, where it takes some, is added to the frames that it belongs to. */
export class TinyCentre extends Net {
  readonly form = 'centre';
  readonly config = { channels: 1, scale: 2 };
  override readonly window = 3;
  readonly spatialReach = 1;
  override readonly ends: Net['ends'];
  override readonly motion: Net['motion'];
  readonly conv: Conv3d;
  constructor(build: Build, { ends = 'repeat', motion = 'none' }: Partial<Pick<Net, 'ends' | 'motion'>> = {}) {
    super();
    this.ends = ends;
    this.motion = motion;
    const channels = motion === 'none' ? 3 : 7;
    this.conv = new Conv3d(build, { in: channels, out: 4, kernel: [1, 3, 3], ...init });
  }
  forward(x: Tensor, motion?: Tensor): Tensor {
    using scope = x.engine.scope();
    const [n, c, t, h, w] = x.shape;
    const frames = reshape(x, { shape: [n, c * t, 1, h, w] });
    const all = motion ? concat(frames, reshape(motion, { shape: [n, 4, 1, h, w] }), { axis: 1 }) : frames;
    return scope.keep(this.conv.fused(all, { shuffle: 2 }));
  }
}

/** A frame, the frame before and its result make the next; halves the size within, so that tiles must begin evenly. */
export class TinyRecurrent extends Net {
  readonly form = 'recurrent';
  readonly config = { channels: 1, scale: 2 };
  override readonly grid = 2;
  readonly spatialReach = 6;
  readonly down: Conv2d;
  readonly up: ConvTranspose2d;
  readonly out: Conv2d;
  constructor(build: Build) {
    super();
    this.down = new Conv2d(build, { in: 6, out: 8, kernel: [2, 2], stride: 2, padding: 0, ...init });
    this.up = new ConvTranspose2d(build, { in: 8, out: 4, kernel: [2, 2], stride: 2, ...init });
    this.out = new Conv2d(build, { in: 4, out: 4, kernel: [3, 3], ...init });
  }
  forward(x: Tensor, previous?: Tensor): Tensor {
    using scope = x.engine.scope();
    const [n, , frames, h, w] = x.shape;
    let result = previous && frameOf(previous, 0);
    const results: Tensor[] = [];
    for (let t = previous ? 1 : 0; t < frames; t++) {
      const now = frameOf(x, t);
      const before = t > 0 ? frameOf(x, t - 1) : x.engine.zeros(now.shape);
      const last = result ? pixel_unshuffle(result, { factor: 2 }) : x.engine.zeros([n, 4, h, w]);
      const seen = concat(concat(now, before, { axis: 1 }), last, { axis: 1 });
      const deep = this.up.forward(this.down.forward(padded(seen, 2)));
      result = this.out.fused(add(cropped(deep, h, w), slice(seen, { axis: 1, start: 2, end: 6 })), { shuffle: 2 });
      results.push(reshape(result, { shape: [n, 1, 1, 2 * h, 2 * w] }));
    }
    return scope.keep(results.reduce((a, b) => concat(a, b, { axis: 2 })));
  }
}
