/** A rectangle of a picture, in pixels; x1 and y1 are behind it. */
export interface Tile {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** What surrounds tiles: pixels that a network's result depends on, and multiples at which its input must begin and end. */
export interface Overlap {
  readonly halo: number;
  readonly grid: number;
}

export const ceilTo = (n: number, grid: number): number => Math.ceil(n / grid) * grid;

/** A tile and what surrounds it inside the picture. */
export function regionOf({ x0, y0, x1, y1 }: Tile, width: number, height: number, { halo, grid }: Overlap): Tile {
  const near = (n: number) => Math.floor(Math.max(n - halo, 0) / grid) * grid;
  const far = (n: number, most: number) => Math.min(ceilTo(n + halo, grid), most);
  return { x0: near(x0), y0: near(y0), x1: far(x1, width), y1: far(y1, height) };
}

/**
 * Cuts a picture into the fewest tiles that, with their overlap inside the picture, hold at most `pixels`.
 * Undefined where not even the smallest tiles do.
 */
export function planTiles(
  width: number,
  height: number,
  { halo, grid }: Overlap,
  pixels: number,
): readonly Tile[] | undefined {
  const border = 2 * ceilTo(halo, grid);
  let best: { across: number; down: number; cost: number } | undefined;
  for (let columns = 1; columns <= Math.ceil(width / grid); columns++) {
    const across = columns === 1 ? width : ceilTo(Math.ceil(width / columns), grid);
    const wide = columns === 1 ? width : Math.min(across + border, width);
    const room = Math.floor(pixels / wide);
    const most = room >= height ? height : Math.floor((room - border) / grid) * grid;
    if (most < 1) continue;
    const rows = Math.ceil(height / most);
    const down = rows === 1 ? height : ceilTo(Math.ceil(height / rows), grid);
    const tall = rows === 1 ? height : Math.min(down + border, height);
    const cost = columns * rows * wide * tall;
    if (!best || cost < best.cost) best = { across, down, cost };
  }
  return best && cutTiles(width, height, best.across, best.down);
}

export function cutTiles(width: number, height: number, across: number, down: number): Tile[] {
  const tiles: Tile[] = [];
  for (let y0 = 0; y0 < height; y0 += down) {
    for (let x0 = 0; x0 < width; x0 += across) {
      tiles.push({ x0, y0, x1: Math.min(x0 + across, width), y1: Math.min(y0 + down, height) });
    }
  }
  return tiles;
}
