type Vec3 = readonly [frames: number, height: number, width: number];

const EDGE = 22;

/** Filters of taps as blocks seen from a corner, one beside the other with a "then" between them: an SVG. */
export function drawTaps(filters: readonly Vec3[]): string {
  let left = 0;
  const parts = filters.map((filter, i) => {
    const { svg, width } = blocks(filter, left);
    const then = i > 0 ? `<text x="${left - 38}" y="62" fill="var(--quiet)" font-size="14">then</text>` : '';
    left += width + 64;
    return then + svg;
  });
  const label = filters.map((f) => f.join(' by ')).join(', then ');
  return `<svg viewBox="-6 -6 ${left - 64 + 12} 122" role="img" aria-label="taps: ${label}">${parts.join('')}</svg>`;
}

/** Frames go back to the right, as in a pack of cards; the taps nearest the reader are drawn last. */
function blocks([frames, height, width]: Vec3, left: number): { svg: string; width: number } {
  const back = 0.62 * EDGE; // how far a frame stands behind the one before
  const top = (110 - height * EDGE - frames * back) / 2; // all stand in the middle of a band of 110
  const cells: string[] = [];
  for (let t = frames - 1; t >= 0; t--) {
    for (let y = height - 1; y >= 0; y--) {
      for (let x = 0; x < width; x++) {
        const [px, py] = [left + x * EDGE + t * back, top + y * EDGE + (frames - 1 - t) * back + back];
        cells.push(cube(px, py, back));
      }
    }
  }
  return { svg: cells.join(''), width: width * EDGE + frames * back };
}

function cube(x: number, y: number, back: number): string {
  const face = (points: readonly (readonly [number, number])[], strength: number) =>
    `<polygon points="${points.map(([a, b]) => `${(x + a).toFixed(1)},${(y + b).toFixed(1)}`).join(' ')}" ` +
    `fill="color-mix(in srgb, var(--blue) ${strength}%, var(--paper))" stroke="var(--paper)"/>`;
  const [e, d] = [EDGE, back];
  return (
    face(
      [
        [0, 0],
        [e, 0],
        [e, e],
        [0, e],
      ],
      75,
    ) + // front
    face(
      [
        [0, 0],
        [d, -d],
        [e + d, -d],
        [e, 0],
      ],
      45,
    ) + // top
    face(
      [
        [e, 0],
        [e + d, -d],
        [e + d, e - d],
        [e, e],
      ],
      95,
    ) // side
  );
}
