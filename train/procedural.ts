import { type Mat3Arg, mat3 } from 'wgpu-matrix';

export interface ProceduralClip {
  /** Size in pixels. */
  width?: number;
  height?: number;
  frames?: number;
  seed?: number;
}

type Random = () => number;

/**
 * A clip for machines that have no footage: a textured ground that moves and turns, and a textured disc that crosses
 * and covers it. Edges, fine grids and noise at all scales give a network something to learn; known smooth motion gives
 * it a reason to look at several frames. The same arguments give the same bytes.
 * @returns one interleaved RGB image (0..255) a frame
 */
export function proceduralClip({
  width = 480,
  height = 270,
  frames = 60,
  seed = 1,
}: ProceduralClip = {}): Uint8Array[] {
  const random = mulberry32(seed);
  const ground = new Texture(random);
  const cover = new Texture(random);
  const [groundMotion, coverMotion] = [motion(random), motion(random)];
  const radius = Math.min(width, height) * (0.15 + 0.1 * random());
  const path = { x: random() * 2 * Math.PI, y: random() * 2 * Math.PI };

  return Array.from({ length: frames }, (_, t) => {
    // The disc swings over the middle of the picture; its texture turns with it.
    const centre = [
      width * (0.5 + 0.35 * Math.sin(path.x + t / 17)),
      height * (0.5 + 0.3 * Math.sin(path.y + t / 23)),
    ] as const;
    const toGround = placement(groundMotion, t, [width / 2, height / 2]);
    const toCover = placement({ ...coverMotion, velocity: [0, 0] }, t, centre);
    return draw(width, height, (x, y, colour) => {
      const inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius ** 2;
      if (inside) cover.add(toCover, x, y, colour);
      else ground.add(toGround, x, y, colour);
    });
  });
}

/** Pixels and radians per frame. */
interface Motion {
  velocity: readonly [number, number];
  spin: number;
}

function motion(random: Random): Motion {
  const direction = 2 * Math.PI * random();
  const speed = 0.5 + 1.5 * random();
  const spin = (random() < 0.5 ? -1 : 1) * (0.002 + 0.004 * random());
  return { velocity: [speed * Math.cos(direction), speed * Math.sin(direction)], spin };
}

/** From the picture at time t to the texture: undo the shift, turn around the centre, back. */
function placement({ velocity, spin }: Motion, t: number, [x, y]: readonly [number, number]): Mat3Arg {
  const turned = mat3.rotate(mat3.translation([-velocity[0] * t, -velocity[1] * t]), spin * t);
  return mat3.translate(turned, [-x, -y]);
}

/** Averages four samples a pixel: sharp edges, but no flicker that no camera would record. */
function draw(
  width: number,
  height: number,
  addSample: (x: number, y: number, colour: Float64Array) => void,
): Uint8Array {
  const image = new Uint8Array(3 * width * height);
  const colour = new Float64Array(3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      colour.fill(0);
      for (let sample = 0; sample < 4; sample++) {
        addSample(x + 0.25 + 0.5 * (sample & 1), y + 0.25 + 0.5 * (sample >> 1), colour);
      }
      for (let c = 0; c < 3; c++) image[i + c] = Math.min(255, Math.max(0, Math.round(colour[c] / 4)));
    }
  }
  return image;
}

/** A square picture that repeats in both directions, drawn at two texels a pixel, so that four samples see all of it. */
class Texture {
  static readonly size = 1024;
  readonly #texels: Float32Array;

  constructor(random: Random) {
    const { size } = Texture;
    const texels = new Float32Array(3 * size * size).fill(128);
    const tint = [random(), random(), random()];
    for (let cells = 8; cells <= 512; cells *= 2) addNoise(texels, random, cells, 70 / Math.sqrt(cells / 8), tint);
    for (let i = 0; i < 90; i++) addGrid(texels, random);
    this.#texels = texels;
  }

  /** Adds the colour at a picture position, bilinear. */
  add(m: Mat3Arg, x: number, y: number, colour: Float64Array): void {
    const { size } = Texture;
    const u = 2 * (m[0] * x + m[4] * y + m[8]) - 0.5;
    const v = 2 * (m[1] * x + m[5] * y + m[9]) - 0.5;
    const [u0, v0] = [Math.floor(u), Math.floor(v)];
    const [fu, fv] = [u - u0, v - v0];
    const wrap = size - 1; // size is a power of two
    const [left, right] = [u0 & wrap, (u0 + 1) & wrap];
    const [top, bottom] = [(v0 & wrap) * size, ((v0 + 1) & wrap) * size];
    const texels = this.#texels;
    for (let c = 0; c < 3; c++) {
      const above = texels[3 * (top + left) + c] * (1 - fu) + texels[3 * (top + right) + c] * fu;
      const below = texels[3 * (bottom + left) + c] * (1 - fu) + texels[3 * (bottom + right) + c] * fu;
      colour[c] += above * (1 - fv) + below * fv;
    }
  }
}

/** One octave of value noise: random values on a lattice of cells x cells, smoothly joined, the lattice repeating. */
function addNoise(texels: Float32Array, random: Random, cells: number, amplitude: number, tint: number[]): void {
  const { size } = Texture;
  const lattice = Float32Array.from({ length: cells * cells }, () => random() - 0.5);
  const step = size / cells;
  const smooth = (f: number) => f * f * (3 - 2 * f);
  for (let y = 0; y < size; y++) {
    const row = Math.floor(y / step);
    const [above, below, fy] = [row * cells, ((row + 1) % cells) * cells, smooth((y % step) / step)];
    for (let x = 0; x < size; x++) {
      const left = Math.floor(x / step);
      const [right, fx] = [(left + 1) % cells, smooth((x % step) / step)];
      const top = lattice[above + left] * (1 - fx) + lattice[above + right] * fx;
      const bottom = lattice[below + left] * (1 - fx) + lattice[below + right] * fx;
      const value = amplitude * (top * (1 - fy) + bottom * fy);
      for (let c = 0; c < 3; c++) texels[3 * (y * size + x) + c] += value * (0.6 + 0.8 * tint[c]);
    }
  }
}

/** A wall with windows: a rectangle of one colour under a grid of another, blended over what is there. */
function addGrid(texels: Float32Array, random: Random): void {
  const { size } = Texture;
  const between = (low: number, high: number) => Math.floor(low + (high - low) * random());
  const [left, top, width, height] = [between(0, size), between(0, size), between(30, 180), between(30, 180)];
  const [periodX, periodY] = [between(8, 36), between(8, 36)];
  const [openX, openY] = [periodX * (0.3 + 0.4 * random()), periodY * (0.3 + 0.4 * random())];
  const wall = [between(20, 235), between(20, 235), between(20, 235)];
  const contrast = between(-110, 110);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const window = x % periodX < openX && y % periodY < openY ? contrast : 0;
      const at = 3 * (((top + y) % size) * size + ((left + x) % size));
      for (let c = 0; c < 3; c++) texels[at + c] = 0.35 * texels[at + c] + 0.65 * (wall[c] + window);
    }
  }
}

/** A small seeded generator of numbers in 0..1 (Tommy Ettinger's mulberry32, public domain). */
function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
